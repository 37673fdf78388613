"""Profile: how a day's total spreads over its slots, learned from earlier days and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import product

import numpy as np

from rtlib.forecast.grid import Grid, Numbers
from rtlib.forecast.table import DAY_MINUTES

HALF_LIFE_DAYS = 30  # so old a day counts half
# What may be tried: minutes over which neighbours are averaged, and how much more a day of the same weekday counts.
SMOOTHINGS = (0.0, 10.0, 30.0, 90.0)
PREFERENCES = (1.0, 5.0, 30.0)


def profiles(past: Grid, days: Sequence[date]) -> Numbers:
    """The share of its total that each slot of each day gets; rows add up to 1.

    How much to smooth, and how much weekdays differ, is decided by history itself: what is learned from every other
    day must fit the days between.
    """
    filled = past.filled()
    smoothing, preference = _chosen(filled.tobytes(), filled.shape, past.days, past.slots, past.interval_minutes)
    return _learned(filled, past, past.days, days, smoothing, preference)


@lru_cache(maxsize=256)
def _chosen(
    values: bytes, shape: tuple[int, int], days: tuple[date, ...], slots: tuple[int, ...], interval_minutes: int
) -> tuple[float, float]:
    """The smoothing and the preference that fit best; several models ask for the same history."""
    filled = np.frombuffer(values).reshape(shape)
    past = Grid("", interval_minutes, slots, days, filled)
    learn, check = filled[::2], filled[1::2]

    def miss(choice: tuple[float, float]) -> float:
        shares = _learned(learn, past, days[::2], days[1::2], *choice)
        return float(((check - check.sum(axis=1, keepdims=True) * shares) ** 2).sum())

    return min(product(SMOOTHINGS, PREFERENCES), key=miss)


def _learned(
    filled: Numbers, past: Grid, known: Sequence[date], days: Sequence[date], smoothing: float, preference: float
) -> Numbers:
    ages = (known[-1].toordinal() - np.array([one.toordinal() for one in known])) * 1.0
    fresh = 0.5 ** (ages / HALF_LIFE_DAYS)
    weekdays = np.array([one.weekday() for one in known])
    alike = np.array([np.where(weekdays == day.weekday(), preference, 1.0) for day in days])
    summed = (alike * fresh) @ filled
    summed = _smooth(summed, past, smoothing) + 1e-9  # a series of zeros has a profile too
    shares: Numbers = summed / summed.sum(axis=1, keepdims=True)
    return shares


def _smooth(rows: Numbers, past: Grid, minutes: float) -> Numbers:
    """Average neighbours by a bell of this width; a day that is open round the clock goes on after midnight."""
    width = minutes / past.interval_minutes
    if width < 0.3:
        return rows
    reach = min(int(np.ceil(3 * width)), rows.shape[1] - 1)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    whole_day = len(past.slots) * past.interval_minutes == DAY_MINUTES
    padded = np.pad(rows, ((0, 0), (reach, reach)), mode="wrap" if whole_day else "reflect")
    return np.array([np.convolve(row, bell / bell.sum(), mode="valid") for row in padded])
