"""Profile: the distribution of a day's total over its slots, learned from earlier days and smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import product

import numpy as np

from rtlib.forecast.grid import Grid, Numbers
from rtlib.forecast.table import DAY_MINUTES

HALF_LIFE_DAYS = 30  # a day of this age has half the weight
# Candidates: minutes over which neighbouring slots are averaged, and the extra weight of days of the same weekday.
SMOOTHINGS = (0.0, 10.0, 30.0, 90.0)
PREFERENCES = (1.0, 5.0, 30.0)


def profiles(past: Grid, days: Sequence[date]) -> Numbers:
    """The share of each slot in the total of each day; rows sum to 1.

    The smoothing and the weight of the weekday are chosen by cross-validation: every second day is predicted from the
    others.
    """
    filled = past.filled()
    smoothing, preference = _chosen(filled.tobytes(), filled.shape, past.days, past.slots, past.interval_minutes)
    return _learned(filled, past, past.days, days, smoothing, preference)


@lru_cache(maxsize=256)
def _chosen(
    values: bytes, shape: tuple[int, int], days: tuple[date, ...], slots: tuple[int, ...], interval_minutes: int
) -> tuple[float, float]:
    """The best smoothing and preference, cached because several models use the same history."""
    filled = np.frombuffer(values).reshape(shape)
    past = Grid("", interval_minutes, slots, days, filled)
    learn, check = filled[::2], filled[1::2]

    def error(choice: tuple[float, float]) -> float:
        shares = _learned(learn, past, days[::2], days[1::2], *choice)
        return float(((check - check.sum(axis=1, keepdims=True) * shares) ** 2).sum())

    return min(product(SMOOTHINGS, PREFERENCES), key=error)


def _learned(
    filled: Numbers, past: Grid, known: Sequence[date], days: Sequence[date], smoothing: float, preference: float
) -> Numbers:
    ages = (known[-1].toordinal() - np.array([day.toordinal() for day in known])) * 1.0
    recency = 0.5 ** (ages / HALF_LIFE_DAYS)
    weekdays = np.array([day.weekday() for day in known])
    similarity = np.array([np.where(weekdays == day.weekday(), preference, 1.0) for day in days])
    summed = (similarity * recency) @ filled
    summed = _smooth(summed, past, smoothing) + 1e-9  # a series of zeros has a profile too
    shares: Numbers = summed / summed.sum(axis=1, keepdims=True)
    return shares


def _smooth(rows: Numbers, past: Grid, minutes: float) -> Numbers:
    """Smooth by a Gaussian kernel of this width; a series open round the clock wraps around midnight."""
    width = minutes / past.interval_minutes
    if width < 0.3:
        return rows
    reach = min(int(np.ceil(3 * width)), rows.shape[1] - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    whole_day = len(past.slots) * past.interval_minutes == DAY_MINUTES
    padded = np.pad(rows, ((0, 0), (reach, reach)), mode="wrap" if whole_day else "reflect")
    return np.array([np.convolve(row, kernel / kernel.sum(), mode="valid") for row in padded])
