"""Charts: what a series, a backtest and a forecast look like (plotly), in colours that everybody can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtlib.forecast.grid import Grid, Numbers, moments
from rtlib.forecast.intervals import LEVELS
from rtlib.forecast.run import ForecastResult

if TYPE_CHECKING:
    import plotly.graph_objects as go

INK, BLUE, ORANGE, PALE = "#333333", "#0072B2", "#D55E00", "rgba(0, 114, 178, 0.18)"
LAYOUT = {"template": "plotly_white", "margin": {"l": 60, "r": 20, "t": 50, "b": 40}, "height": 380}


def days_chart(grid: Grid) -> go.Figure:
    """Every day as a row of colour: patterns, closures and odd days stand out at a glance."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            z=grid.values, x=_clock(grid), y=[str(day) for day in grid.days], colorscale="Viridis",
            colorbar={"title": "count"}, hovertemplate="%{y} %{x}: %{z}<extra></extra>",
        )
    )  # fmt: skip
    return figure.update_layout(**{**LAYOUT, "height": 520}, title=f"{grid.unique_id}: one row a day, newest on top")


def scores_chart(outlook: ForecastResult) -> go.Figure:
    """How much each model missed, the best on top, the champion in colour."""
    import plotly.graph_objects as go

    names = sorted(outlook.scores, key=lambda name: -outlook.scores[name].wape)
    shares = [outlook.scores[name].wape for name in names]
    colours = [BLUE if name == outlook.champion else "#BBBBBB" for name in names]
    figure = go.Figure(
        go.Bar(x=shares, y=names, orientation="h", marker_color=colours, text=[f"{one:.1%}" for one in shares])
    )
    return figure.update_layout(**LAYOUT, title="Missed, as a share of all that happened").update_xaxes(
        tickformat=".0%"
    )


def backtest_chart(outlook: ForecastResult, model: str, place: int) -> go.Figure:
    """What a model said at one origin, with its 80 % interval, and what happened."""
    backtest = outlook.backtest
    days = outlook.grid.days[backtest.origins[place] :][: backtest.horizon]
    figure = _fan(
        outlook.grid, moments(days, outlook.grid.slots), backtest.said[model][place], backtest.bands(model)[place]
    )
    figure.add_scatter(
        x=moments(days, outlook.grid.slots), y=backtest.actual[place].ravel(), mode="markers",
        marker={"color": ORANGE, "size": 5}, name="what happened",
    )  # fmt: skip
    return figure.update_layout(**LAYOUT, title=f"{model}, asked about {days[0]:%A %d %B %Y}")


def future_chart(outlook: ForecastResult, *, model: str = "") -> go.Figure:
    """The last two weeks and what is to come, by a model or by the champion."""
    grid, name = outlook.grid, model or outlook.champion
    known = slice(-14, None)
    figure = _fan(grid, moments(outlook.days, grid.slots), outlook.said[name], outlook.bands[name])
    figure.add_scatter(
        x=moments(grid.days[known], grid.slots), y=grid.values[known].ravel(), line={"color": INK, "width": 1},
        name="known",
    )  # fmt: skip
    return figure.update_layout(**LAYOUT, title=f"{grid.unique_id}, forecast by {name}")


def _fan(grid: Grid, at: object, point: Numbers, bands: Numbers) -> go.Figure:
    import plotly.graph_objects as go

    low, high = (bands[..., int(np.argmin(np.abs(LEVELS - level)))].ravel() for level in (0.1, 0.9))
    figure = go.Figure()
    figure.add_scatter(x=at, y=high, line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(x=at, y=low, line={"width": 0}, fill="tonexty", fillcolor=PALE, name="80 % interval")
    figure.add_scatter(x=at, y=point.ravel(), line={"color": BLUE, "width": 2}, name="forecast")
    return figure.update_yaxes(title=f"count in {grid.interval_minutes} minutes", rangemode="tozero")


def _clock(grid: Grid) -> list[str]:
    return [f"{slot // 60:02d}:{slot % 60:02d}" for slot in grid.slots]
