"""Charts: a series, a backtest and a forecast (plotly), in colours safe for colour-blind readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtlib.forecast.grid import Grid, Numbers
from rtlib.forecast.instants import Instants
from rtlib.forecast.intervals import LEVELS
from rtlib.forecast.run import ForecastResult

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

INK, BLUE, ORANGE, PALE = "#333333", "#0072B2", "#D55E00", "rgba(0, 114, 178, 0.18)"
LAYOUT = {"template": "plotly_white", "margin": {"l": 60, "r": 20, "t": 50, "b": 40}, "height": 380}


def days_chart(grid: Grid) -> go.Figure:
    """A heat map with one row for each day: patterns, closures and unusual days stand out."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            z=grid.values, x=_clock(grid), y=[str(day) for day in grid.days], colorscale="Viridis",
            colorbar={"title": "count"}, hovertemplate="%{y} %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    return figure.update_layout(**{**LAYOUT, "height": 520}, title=f"{grid.unique_id}: one row a day, newest on top")


def scores_chart(result: ForecastResult) -> go.Figure:
    """The error (WAPE) of each model, the best on top and the champion in colour."""
    import plotly.graph_objects as go

    models = sorted(result.scores, key=lambda model: -result.scores[model].wape)
    errors = [result.scores[model].wape for model in models]
    colours = [BLUE if model == result.champion else "#BBBBBB" for model in models]
    figure = go.Figure(
        go.Bar(x=errors, y=models, orientation="h", marker_color=colours, text=[f"{error:.1%}" for error in errors])
    )
    return figure.update_layout(**LAYOUT, title="Error (WAPE), as a share of all events").update_xaxes(tickformat=".0%")


def backtest_chart(result: ForecastResult, model: str, index: int) -> go.Figure:
    """A model's forecast at one origin with its 80 % interval, and the values that followed."""
    backtest = result.backtest
    days = result.grid.days[backtest.origins[index] :][: backtest.horizon]
    at = result.grid.instants(days)
    figure = _fan(result.grid, at, backtest.points[model][index], backtest.bands(model)[index])
    figure.add_scatter(
        x=_local(result.grid, at), y=at.of(backtest.actual[index]), mode="markers",
        marker={"color": ORANGE, "size": 5}, name="actual",
    )  # fmt: skip
    return figure.update_layout(**LAYOUT, title=f"{model}, forecast of {days[0]:%A %d %B %Y}")


def future_chart(result: ForecastResult, *, model: str = "") -> go.Figure:
    """The last two weeks and the days to come, by a model or by the champion."""
    grid, name = result.grid, model or result.champion
    recent = slice(-14, None)
    figure = _fan(grid, grid.instants(result.days), result.points[name], result.bands[name])
    past = grid.instants(grid.days[recent])
    figure.add_scatter(
        x=_local(grid, past), y=past.of(grid.values[recent]), line={"color": INK, "width": 1}, name="known"
    )
    return figure.update_layout(**LAYOUT, title=f"{grid.unique_id}, forecast by {name}")


def _fan(grid: Grid, at: Instants, points: Numbers, bands: Numbers) -> go.Figure:
    import plotly.graph_objects as go

    ds = _local(grid, at)
    low, high = (at.of(bands[..., int(np.argmin(np.abs(LEVELS - level)))]) for level in (0.1, 0.9))
    figure = go.Figure()
    figure.add_scatter(x=ds, y=high, line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(x=ds, y=low, line={"width": 0}, fill="tonexty", fillcolor=PALE, name="80 % interval")
    figure.add_scatter(x=ds, y=at.of(points), line={"color": BLUE, "width": 2}, name="forecast")
    figure.update_xaxes(title=f"time in {grid.time_zone}" if grid.time_zone else None)
    return figure.update_yaxes(title=f"count in {grid.interval_minutes} minutes", rangemode="tozero")


def _local(grid: Grid, at: Instants) -> pd.DatetimeIndex:
    """The moments as the clock of the series shows them: a chart has no time zones."""
    if not grid.time_zone:
        return at.moments
    return at.moments.tz_localize("UTC").tz_convert(grid.time_zone).tz_localize(None)


def _clock(grid: Grid) -> list[str]:
    return [f"{slot // 60:02d}:{slot % 60:02d}" for slot in grid.slots]
