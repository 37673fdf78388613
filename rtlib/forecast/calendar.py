"""Calendar: features of a day that are known in advance: weekday, day of the month, holiday, day after a closure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from rtlib.forecast.grid import Grid, Numbers

MONTH_DAYS = 30.44
MONTH_WAVES = 2  # Fourier order of the month
MONTHLY_FROM = 40  # days of history needed to separate the effect of the month from that of the week


def features(past: Grid, days: Sequence[date]) -> Numbers:
    """Calendar features, with one row for each day and one column for each effect.

    Closures are known in advance, as holidays are, so the row of a day may depend on the days before it.

    Args:
        past: The past of the series: its open weekdays, its holidays, and whether it is long enough for the month.
        days: The days of the past, or the days that follow it, without gaps.

    Returns:
        Columns: one for each open weekday, day after a closure, share of a holiday, and the month as sines and cosines.
    """
    weekdays = sorted({day.weekday() for day in past.days})
    open_days = set(past.days) | set(days)
    columns = [[float(day.weekday() == weekday) for day in days] for weekday in weekdays]
    columns.append([float(_after_closure(day, open_days, set(weekdays))) for day in days])
    columns.append([past.holidays.get(day, 0.0) for day in days])
    if len(past.days) >= MONTHLY_FROM:
        angle = 2 * np.pi * np.array([day.day for day in days]) / MONTH_DAYS
        columns += [list(wave(angle * order)) for order in range(1, MONTH_WAVES + 1) for wave in (np.sin, np.cos)]
    return np.array(columns, dtype=float).T.reshape(len(days), len(columns))


def _after_closure(day: date, open_days: set[date], weekdays: set[int]) -> bool:
    """True if the series was closed on the last regular day before this one, so that work has piled up."""
    before = day - timedelta(days=1)
    while before.weekday() not in weekdays:
        before -= timedelta(days=1)
    return before >= min(open_days) and before not in open_days
