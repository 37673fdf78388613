"""Backtest: each model's forecasts of earlier days, made from the days before them (rolling origin)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from rtlib.errors import ConfigError
from rtlib.forecast.base import Model
from rtlib.forecast.grid import LEAST_DAYS, Grid, Numbers
from rtlib.forecast.intervals import LEVELS, quantiles, scaled_errors
from rtlib.forecast.metrics import Score, naive_error, score

BEST = 3  # number of models in an ensemble


@dataclass(frozen=True)
class Backtest:
    """The forecasts of each model at each origin, and the values that followed.

    Attributes:
        grid: The whole series.
        origins: Number of known days at each origin, rising.
        horizon: Number of days forecast at each origin.
        points: Forecasts by model, of shape origins × horizon × slots.
    """

    grid: Grid
    origins: tuple[int, ...]
    horizon: int
    points: Mapping[str, Numbers]

    @cached_property
    def actual(self) -> Numbers:
        """The values that followed each origin, of shape origins × horizon × slots."""
        return np.array([self.grid.values[origin : origin + self.horizon] for origin in self.origins])

    def errors_known(self, model: str, days: int) -> Numbers:
        """The scaled errors of a model that are known after ``days`` days, flattened."""
        parts = [
            scaled_errors(self.actual[index, : days - origin], self.points[model][index, : days - origin])
            for index, origin in enumerate(self.origins)
            if origin < days
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def bands(self, model: str) -> Numbers:
        """The quantiles at each origin, from the errors known there: origins × horizon × slots × levels."""
        return np.array(
            [
                quantiles(self.points[model][index], self.errors_known(model, origin))
                for index, origin in enumerate(self.origins)
            ]
        )

    def scores(self, *, since: int = 0, until: int | None = None) -> dict[str, Score]:
        """Score every model at the origins with the indices ``since`` to ``until`` (excluded)."""
        weekdays = np.array([day.weekday() for day in self.grid.days], dtype=float)
        known = self.origins[since]  # the yardstick of MASE comes from the days before those that are scored
        naive = naive_error(self.grid.values[:known], weekdays[:known])
        scored = slice(since, until)
        return {
            model: score(self.actual[scored], points[scored], self.bands(model)[scored], LEVELS, naive_error=naive)
            for model, points in self.points.items()
        }

    def errors_before(self, index: int) -> dict[str, float]:
        """Mean absolute error of every model on the days known at that origin; empty at the first origin."""
        days = self.origins[index] if index < len(self.origins) else len(self.grid.days)
        known = [(earlier, days - origin) for earlier, origin in enumerate(self.origins) if origin < days]
        if not known:
            return {}
        return {
            model: float(
                np.nanmean(np.concatenate([np.abs(points[at, :n] - self.actual[at, :n]).ravel() for at, n in known]))
            )
            for model, points in self.points.items()
        }


def default_origins(grid: Grid, *, horizon: int, count: int, step: int = 1) -> tuple[int, ...]:
    """The last origins that leave room for the horizon: ``count`` of them, ``step`` days apart.

    Raises:
        ConfigError: The series is too short for one origin.
    """
    last = len(grid.days) - horizon
    if last < LEAST_DAYS:
        raise ConfigError(
            f"series {grid.unique_id!r} is too short: {len(grid.days)} days for a backtest of {horizon} days ahead",
            cure=f"give at least {LEAST_DAYS + horizon} days of history, or a shorter horizon",
        )
    return tuple(origin for origin in range(last - (count - 1) * step, last + 1, step) if origin >= LEAST_DAYS)


def predict_at(grid: Grid, model: Model, origins: Sequence[int], *, horizon: int) -> Numbers:
    """Forecast from each origin with the days before it.

    An origin with fewer than ``horizon`` days after it forecasts the next days on which the series is open.

    Returns:
        Forecasts of shape origins × horizon × slots.
    """
    return np.array([model.predict(grid.until(origin), _days_ahead(grid, origin, horizon)) for origin in origins])


def ensemble(backtest: Backtest, points: Mapping[str, Numbers], index: int) -> tuple[Numbers, tuple[str, ...]]:
    """Average the forecasts of the models with the smallest errors before an origin.

    Args:
        backtest: The models' earlier forecasts.
        points: Their forecasts at this origin, all of one shape.
        index: Index of the origin; the number of origins for the days to come.

    Returns:
        The mean of the ``BEST`` models and their names; at the first origin the mean of all.
    """
    errors = backtest.errors_before(index)
    best = sorted(errors, key=lambda model: errors[model])[:BEST] or list(points)
    return np.mean([points[model] for model in best], axis=0), tuple(best)


def _days_ahead(grid: Grid, origin: int, horizon: int) -> tuple[date, ...]:
    ahead = grid.days[origin : origin + horizon]
    return ahead if len(ahead) == horizon else grid.until(origin).next_days(horizon)
