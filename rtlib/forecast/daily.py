"""Daily: models that forecast the total of a day and distribute it over the slots by the profile."""

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

# (logarithms of past totals, the past, days to forecast) -> logarithms of their totals
Totals = Callable[[Numbers, Grid, Sequence[date]], Numbers]
RIDGE = 0.3  # penalty that shrinks calendar effects towards 0 while there is little data
HALF_LIFE_DAYS = 150
CATCH_UPS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7)  # candidate shares of a surprise that the level takes on
FADE = 0.8  # share of the level that is left a day later
FARTHEST = 1.0  # no total exceeds e times the largest so far: a bound for fits that diverge


@dataclass(frozen=True, slots=True)
class Daily:
    """A model of daily totals, in logarithms because effects multiply; the profile distributes them over the slots."""

    name: str
    plain: str
    totals: Totals

    def predict(self, past: Grid, days: Sequence[date]) -> Numbers:
        """See ``Model``."""
        logs = np.log1p(past.filled().sum(axis=1))
        if logs.max() == logs.min():  # some models cannot be fitted to a constant
            ahead = np.full(len(days), logs[0])
        else:
            ahead = np.minimum(self.totals(logs, past, days), logs.max() + FARTHEST)
        counts: Numbers = np.maximum(0.0, np.expm1(ahead))[:, None] * profiles(past, days)
        return counts


def regression(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Calendar effects by ridge regression, with more weight on newer days, and a level that follows surprises."""
    known, ahead = features(past, past.days), features(past, days)
    mean, effects = _ridge(known, logs)
    surprises = logs - mean - known @ effects
    # Surprises last if the level of the day before would have helped to forecast the next.
    errors = {
        share: float(np.square(surprises[1:] - FADE * _levels(surprises, share)[:-1]).sum()) for share in CATCH_UPS
    }
    level = _levels(surprises, min(CATCH_UPS, key=lambda share: errors[share]))[-1]
    totals: Numbers = mean + ahead @ effects + level * FADE ** (1 + np.arange(len(days)))
    return totals


def _levels(surprises: Numbers, catch_up: float) -> Numbers:
    """The level after each surprise."""
    level, levels = 0.0, []
    for surprise in surprises:
        level += catch_up * (surprise - level)
        levels.append(level)
    return np.array(levels)


def exponential_smoothing(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Level, damped trend and weekdays by exponential smoothing (Holt-Winters, in statsmodels)."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    week = len({day.weekday() for day in past.days})
    regular = _without_closures(logs, past.days)
    season = {"seasonal": "add", "seasonal_periods": week} if week > 1 else {}
    model = ExponentialSmoothing(regular, trend="add", damped_trend=True, initialization_method="estimated", **season)
    ahead = _open_days(past, days)  # closed days between count as steps too
    with _quiet():
        totals = model.fit(use_brute=False).forecast(len(ahead))
    return np.asarray(totals)[[ahead.index(day) for day in days]]


def arima(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Regression on the calendar whose errors are an ARMA(1, 1) process (statsmodels)."""
    from statsmodels.tsa.arima.model import ARIMA

    known, ahead = features(past, past.days), features(past, days)
    mean, effects = _ridge(known, logs)
    errors = logs - mean - known @ effects
    if np.ptp(errors) < 1e-9:
        return np.asarray(mean + ahead @ effects)
    with _quiet():
        errors_ahead = ARIMA(errors, order=(1, 0, 1), trend="n").fit().forecast(len(days))
    return np.asarray(mean + ahead @ effects + errors_ahead)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings of statsmodels: a fit that did not converge is judged by the backtest, like any other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="statsmodels")
        yield


def _ridge(known: Numbers, logs: Numbers) -> tuple[float, Numbers]:
    """The weighted mean and the effects relative to it (ridge regression, Hoerl and Kennard 1970)."""
    weights = 0.5 ** (np.arange(len(logs))[::-1] / HALF_LIFE_DAYS)
    mean = float(np.average(logs, weights=weights))
    square = known.T @ (known * weights[:, None]) + RIDGE * np.eye(known.shape[1])
    effects = np.linalg.solve(square, known.T @ (weights * (logs - mean)))
    return mean, np.asarray(effects, dtype=np.float64)


def _open_days(past: Grid, days: Sequence[date]) -> list[date]:
    """Every day after the past, up to the last of ``days``, whose weekday is an open one."""
    weekdays = {day.weekday() for day in (*past.days, *days)}
    ahead = (past.days[-1] + timedelta(days=step) for step in range(1, (days[-1] - past.days[-1]).days + 1))
    return [day for day in ahead if day.weekday() in weekdays]


def _without_closures(logs: Numbers, past: Sequence[date]) -> Numbers:
    """The totals with closed days filled from the week before, so that the weekly season keeps its period."""
    weekdays = {day.weekday() for day in past}
    totals = dict(zip(past, logs, strict=True))
    day, regular = past[0], []
    while day <= past[-1]:
        if day.weekday() in weekdays:
            totals.setdefault(day, totals.get(day - timedelta(days=7), float(np.mean(logs))))
            regular.append(totals[day])
        day += timedelta(days=1)
    return np.array(regular)


REGRESSION = Daily("regression", "calendar effects and a level that follows surprises", regression)
ETS = Daily("ETS", "exponential smoothing of level, trend and weekdays", exponential_smoothing)
ARIMA_MODEL = Daily("ARIMA", "calendar effects with autocorrelated errors", arima)
