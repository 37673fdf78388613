"""Daily: models that forecast a day's total and spread it over the slots by the profile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from rtlib.forecast.calendar import features
from rtlib.forecast.grid import Grid, Numbers
from rtlib.forecast.profile import profiles

# The logarithm of the past days' totals, that past, the days that are asked for -> the logarithm of their totals.
Totals = Callable[[Numbers, Grid, Sequence[date]], Numbers]
RIDGE = 0.3  # how firmly calendar effects are held to 0 until they are seen
HALF_LIFE_DAYS = 150
CATCH_UPS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7)  # how much of yesterday's surprise the level may take on, and
FADE = 0.8  # how much of that is left a day later
FARTHEST = 1.0  # no total is more than e times the largest ever seen: a bound for fits that run away


@dataclass(frozen=True, slots=True)
class Daily:
    """A model of days' totals, in logarithms, because effects multiply; the profile does the rest."""

    name: str
    plain: str
    totals: Totals

    def predict(self, past: Grid, days: Sequence[date]) -> Numbers:
        """See ``Model``."""
        logs = np.log1p(past.filled().sum(axis=1))
        if logs.max() == logs.min():  # a constant needs no model, and some cannot fit one
            ahead = np.full(len(days), logs[0])
        else:
            ahead = np.minimum(self.totals(logs, past, days), logs.max() + FARTHEST)
        told: Numbers = np.maximum(0.0, np.expm1(ahead))[:, None] * profiles(past, days)
        return told


def regression(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Calendar effects by ridge regression, newer days counting more, and a level that follows recent surprises."""
    known, asked = features(past, past.days), features(past, days)
    middle, effects = _ridge(known, logs)
    surprises = logs - middle - known @ effects
    # Whether surprises last is told by whether yesterday's would have helped to foresee today's.
    missed = {one: float(np.square(surprises[1:] - FADE * _levels(surprises, one)[:-1]).sum()) for one in CATCH_UPS}
    level = _levels(surprises, min(CATCH_UPS, key=lambda one: missed[one]))[-1]
    told: Numbers = middle + asked @ effects + level * FADE ** (1 + np.arange(len(days)))
    return told


def _levels(surprises: Numbers, catch_up: float) -> Numbers:
    """The level after each surprise."""
    level, told = 0.0, []
    for one in surprises:
        level += catch_up * (one - level)
        told.append(level)
    return np.array(told)


def exponential_smoothing(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Level, damped trend and weekdays by exponential smoothing (Holt and Winters, in statsmodels)."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    week = len({day.weekday() for day in past.days})
    regular = _without_closures(logs, past.days)
    season = {"seasonal": "add", "seasonal_periods": week} if week > 1 else {}
    model = ExponentialSmoothing(regular, trend="add", damped_trend=True, initialization_method="estimated", **season)
    ahead = _open_days(past, days)  # the step into a day is counted through those on which it will be closed
    with _quiet():
        told = model.fit(use_brute=False).forecast(len(ahead))
    return np.asarray(told)[[ahead.index(day) for day in days]]


def arima(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Regression on the calendar whose errors are an ARMA(1, 1) process (statsmodels)."""
    from statsmodels.tsa.arima.model import ARIMA

    known, asked = features(past, past.days), features(past, days)
    middle, effects = _ridge(known, logs)
    errors = logs - middle - known @ effects
    if np.ptp(errors) < 1e-9:
        return np.asarray(middle + asked @ effects)
    with _quiet():
        ahead = ARIMA(errors, order=(1, 0, 1), trend="n").fit().forecast(len(days))
    return np.asarray(middle + asked @ effects + ahead)


@contextmanager
def _quiet() -> Iterator[None]:
    """A fit that did not settle is judged by the backtest, like any other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="statsmodels")
        yield


def _ridge(known: Numbers, logs: Numbers) -> tuple[float, Numbers]:
    """The weighted mean and the effects about it (Hoerl and Kennard 1970)."""
    weights = 0.5 ** (np.arange(len(logs))[::-1] / HALF_LIFE_DAYS)
    middle = float(np.average(logs, weights=weights))
    square = known.T @ (known * weights[:, None]) + RIDGE * np.eye(known.shape[1])
    effects = np.linalg.solve(square, known.T @ (weights * (logs - middle)))
    return middle, np.asarray(effects, dtype=np.float64)


def _open_days(past: Grid, days: Sequence[date]) -> list[date]:
    """Every day after the past, until the last of ``days``, that is of a weekday on which it is open."""
    weekdays = {day.weekday() for day in (*past.days, *days)}
    ahead = (past.days[-1] + timedelta(days=one) for one in range(1, (days[-1] - past.days[-1]).days + 1))
    return [day for day in ahead if day.weekday() in weekdays]


def _without_closures(logs: Numbers, past: Sequence[date]) -> Numbers:
    """The totals with a value for each closed day too, that of a week before: a season must not lose its step."""
    weekdays = {day.weekday() for day in past}
    found = dict(zip(past, logs, strict=True))
    day, told = past[0], []
    while day <= past[-1]:
        if day.weekday() in weekdays:
            found.setdefault(day, found.get(day - timedelta(days=7), float(np.mean(logs))))
            told.append(found[day])
        day += timedelta(days=1)
    return np.array(told)


REGRESSION = Daily("regression", "calendar effects and a level that follows surprises", regression)
ETS = Daily("ETS", "exponential smoothing of level, trend and weekdays", exponential_smoothing)
ARIMA_MODEL = Daily("ARIMA", "calendar effects with errors that remember", arima)
