"""Grid: a series of counts as a table of days and slots, which is what every model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtlib.errors import ConfigError
from rtlib.forecast.table import checked

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
LEAST_DAYS = 14  # a model has to see every weekday twice
LONGEST_GAP = 366  # days; what lies before a longer silence says nothing of what is to come, or its year is mistyped
MOST_CELLS = 20_000_000  # days times slots of one series; 160 MB


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The past of one series.

    Attributes:
        unique_id: Its name.
        interval_minutes: How long a slot is.
        slots: Minutes after midnight at which a slot of the day begins; hours in which it never counts are left out.
        days: The days on which it counted, oldest first; days on which it was closed are left out.
        values: What it counted, one row for each day, one column for each slot; NaN where it is missing.
        holidays: Days on which it is open although they are holidays, past and to come, each with the share of the
            series that has it: 1, or less where the series adds up sites of several countries.
    """

    unique_id: str
    interval_minutes: int
    slots: tuple[int, ...]
    days: tuple[date, ...]
    values: Numbers
    holidays: Mapping[date, float] = field(default_factory=dict)

    def until(self, days: int) -> Grid:
        """What was known after so many days."""
        return replace(self, days=self.days[:days], values=self.values[:days])

    def filled(self) -> Numbers:
        """The values with estimates where they are missing: that slot's mean, at the level of that day."""
        if not np.isnan(self.values).any():
            return self.values
        there = ~np.isnan(self.values)
        usual = np.nansum(self.values, axis=0) / np.maximum(there.sum(axis=0), 1)  # 0 where there never is one
        level = np.nansum(self.values, axis=1) / np.maximum((there * usual).sum(axis=1), 1e-9)
        return np.where(there, self.values, level[:, None] * usual)

    def next_days(self, count: int) -> tuple[date, ...]:
        """The next days on which it is open: those of a weekday on which it ever was."""
        weekdays = {day.weekday() for day in self.days}
        ahead: list[date] = []
        day = self.days[-1]
        while len(ahead) < count:
            day += timedelta(days=1)
            if day.weekday() in weekdays:
                ahead.append(day)
        return tuple(ahead)


def grids(
    frame: pd.DataFrame, *, interval_minutes: int, holidays: Mapping[str, Mapping[date, float]] | None = None
) -> tuple[Grid, ...]:
    """Bring a table of series into grids, one for each ``unique_id``, in their order.

    A row that is not there, or whose ``y`` is missing, is a value that is missing, not a 0. Slots that a series never
    has, and days without a single value, count as closed.

    Args:
        frame: Columns ``unique_id``, ``ds`` (the beginning of an interval: moments without a time zone, or with one
            and then taken to UTC; text in ISO 8601) and ``y`` (0 or more).
        interval_minutes: How long an interval is; divides a day.
        holidays: For each ``unique_id`` the days that are unlike others of their weekday, past and to come, and which
            share of the series has them; a series that is not in it has none.

    Raises:
        ConfigError: A column is missing, a row has no series, a series has no value, two rows say something about the
            same interval, a value is negative or no number, a moment is no beginning of an interval or of a year that
            cannot be, or a series is too short, too large or silent for more than a year.
    """
    told = checked(frame, interval_minutes)
    made = (_grid(str(name), rows, interval_minutes) for name, rows in told.groupby("unique_id", sort=True))
    return tuple(replace(one, holidays=dict((holidays or {}).get(one.unique_id, {}))) for one in made)


def _grid(name: str, rows: pd.DataFrame, interval_minutes: int) -> Grid:
    _check_extent(name, sorted(rows["day"].unique()), rows["slot"].nunique())
    table = rows.pivot(index="day", columns="slot", values="y").sort_index()
    slots, days = tuple(int(one) for one in table.columns), tuple(table.index)
    return Grid(name, interval_minutes, slots, days, table.to_numpy(dtype=float))


def _check_extent(name: str, days: Sequence[date], slots: int) -> None:
    if len(days) < LEAST_DAYS:
        raise ConfigError(
            f"series {name!r} is too short: {len(days)} days, and {LEAST_DAYS} are needed",
            cure="rtlib backfill loads four weeks of history",
        )
    if len(days) * slots > MOST_CELLS:
        raise ConfigError(
            f"series {name!r} is too large: {len(days):,} days of {slots:,} intervals",
            cure="give fewer days, or longer intervals",
        )
    before, after = max(zip(days, days[1:], strict=False), key=lambda pair: pair[1] - pair[0])
    if (after - before).days > LONGEST_GAP:
        raise ConfigError(
            f"series {name!r} has no value between {before} and {after}",
            cure="mend the years, or leave out what lies before the gap",
        )


def moments(days: Sequence[date], slots: Sequence[int]) -> pd.DatetimeIndex:
    """When each slot of each day begins, day by day."""
    import pandas as pd

    starts = np.array(days, dtype="datetime64[m]")[:, None] + np.array(slots)[None, :]
    return pd.DatetimeIndex(starts.ravel().astype("datetime64[us]"))
