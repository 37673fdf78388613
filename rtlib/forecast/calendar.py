"""Calendar: what is known about a day before it comes: weekday, place in the month, the day after a closure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from rtlib.forecast.grid import Grid, Numbers

MONTH_DAYS = 30.44
MONTH_WAVES = 2  # how finely the month is resolved
MONTHLY_FROM = 40  # days of history from which a month's shape can be told from a week's


def features(past: Grid, days: Sequence[date]) -> Numbers:
    """What the calendar says of each day, one row for each, one column for each effect.

    Closures are known beforehand, as holidays are, so a day's row may look at the days before it.

    Args:
        past: History. It says which weekdays are open, which days are holidays, and whether a month can be seen.
        days: The days that are asked about; those of history, or those that follow it, none left out.
    """
    weekdays = sorted({day.weekday() for day in past.days})
    known = set(past.days) | set(days)
    columns = [[float(day.weekday() == one) for day in days] for one in weekdays]
    columns.append([float(_after_closure(day, known, set(weekdays))) for day in days])
    columns.append([past.holidays.get(day, 0.0) for day in days])
    if len(past.days) >= MONTHLY_FROM:
        turn = 2 * np.pi * np.array([day.day for day in days]) / MONTH_DAYS
        columns += [list(wave(turn * order)) for order in range(1, MONTH_WAVES + 1) for wave in (np.sin, np.cos)]
    return np.array(columns, dtype=float).T.reshape(len(days), len(columns))


def _after_closure(day: date, known: set[date], weekdays: set[int]) -> bool:
    """True when the last day it should have been open before this one, it was not: work has piled up."""
    before = day - timedelta(days=1)
    while before.weekday() not in weekdays:
        before -= timedelta(days=1)
    return before >= min(known) and before not in known
