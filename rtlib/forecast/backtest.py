"""Backtest: what each model would have said on earlier days, knowing only what was known then (rolling origin)."""

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

BEST = 3  # how many models an ensemble is made of


@dataclass(frozen=True)
class Backtest:
    """What each model said at each origin, and what happened.

    Attributes:
        grid: The whole series.
        origins: How many days were known each time, rising.
        horizon: How many days were forecast each time.
        said: For each model, origins × horizon × slots.
    """

    grid: Grid
    origins: tuple[int, ...]
    horizon: int
    said: Mapping[str, Numbers]

    @cached_property
    def actual(self) -> Numbers:
        """What happened, of the same shape."""
        return np.array([self.grid.values[one : one + self.horizon] for one in self.origins])

    def errors_known(self, name: str, days: int) -> Numbers:
        """The scaled errors of a model that were known after so many days, in one row."""
        parts = [
            scaled_errors(self.actual[place, : days - one], self.said[name][place, : days - one])
            for place, one in enumerate(self.origins)
            if one < days
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def bands(self, name: str) -> Numbers:
        """The quantiles a model would have given each time, from the errors known by then: a last axis of levels."""
        return np.array(
            [quantiles(self.said[name][place], self.errors_known(name, one)) for place, one in enumerate(self.origins)]
        )

    def scores(self, *, since: int = 0, until: int | None = None) -> dict[str, Score]:
        """How every model did at the origins from the ``since``-th until before the ``until``-th."""
        weekdays = np.array([day.weekday() for day in self.grid.days], dtype=float)
        known = self.origins[since]  # the yardstick of MASE is made of the days before those that are scored
        usual, some = naive_error(self.grid.values[:known], weekdays[:known]), slice(since, until)
        return {
            name: score(self.actual[some], said[some], self.bands(name)[some], LEVELS, naive_error=usual)
            for name, said in self.said.items()
        }

    def errors_before(self, place: int) -> dict[str, float]:
        """Mean absolute error of every model, by what was known at that origin; empty at the first."""
        days = self.origins[place] if place < len(self.origins) else len(self.grid.days)
        known = [(at, days - one) for at, one in enumerate(self.origins) if one < days]
        if not known:
            return {}
        return {
            name: float(
                np.nanmean(np.concatenate([np.abs(said[at, :n] - self.actual[at, :n]).ravel() for at, n in known]))
            )
            for name, said in self.said.items()
        }


def default_origins(grid: Grid, *, horizon: int, count: int, step: int = 1) -> tuple[int, ...]:
    """The last origins that leave room for the horizon: ``count`` of them, ``step`` days apart.

    Raises:
        ConfigError: The series is too short for a single one.
    """
    last = len(grid.days) - horizon
    if last < LEAST_DAYS:
        raise ConfigError(
            f"series {grid.unique_id!r} is too short: {len(grid.days)} days for a backtest of {horizon} days ahead",
            cure=f"give at least {LEAST_DAYS + horizon} days of history, or a shorter horizon",
        )
    return tuple(one for one in range(last - (count - 1) * step, last + 1, step) if one >= LEAST_DAYS)


def predict_at(grid: Grid, model: Model, origins: Sequence[int], *, horizon: int) -> Numbers:
    """What a model says at each origin; at an origin past the last day that is left to forecast, of days to come.

    Returns:
        Origins × horizon × slots.
    """
    return np.array([model.predict(grid.until(one), _ahead(grid, one, horizon)) for one in origins])


def ensemble(backtest: Backtest, said: Mapping[str, Numbers], place: int) -> tuple[Numbers, tuple[str, ...]]:
    """The mean of the models that had done best by that origin, and their names; of all, at the first.

    Args:
        backtest: What the models had said before.
        said: What they say now, by name, all of one shape.
        place: Which origin it is; one past the last for days to come.
    """
    errors = backtest.errors_before(place)
    best = sorted(errors, key=lambda name: errors[name])[:BEST] or list(said)
    return np.mean([said[name] for name in best], axis=0), tuple(best)


def _ahead(grid: Grid, origin: int, horizon: int) -> tuple[date, ...]:
    ahead = grid.days[origin : origin + horizon]
    return ahead if len(ahead) == horizon else grid.until(origin).next_days(horizon)
