"""Grid: a series of counts as a table of days and slots, which is what every model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtlib.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
COLUMNS = ("unique_id", "ds", "y")
DAY_MINUTES = 24 * 60
LEAST_DAYS = 14  # a model has to see every weekday twice


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

    A row that is not there is a value that is missing, not a 0. Slots that a series never has, and days without a
    single value, count as closed.

    Args:
        frame: Columns ``unique_id``, ``ds`` (the beginning of an interval, without a time zone or in UTC) and ``y``
            (0 or more).
        interval_minutes: How long an interval is; divides a day.
        holidays: For each ``unique_id`` the days that are unlike others of their weekday, past and to come, and which
            share of the series has them; a series that is not in it has none.

    Raises:
        ConfigError: A column is missing, two rows say something about the same interval, a value is negative or no
            number, a moment is no beginning of an interval, or a series is too short.
    """
    if interval_minutes <= 0 or DAY_MINUTES % interval_minutes:
        raise ConfigError(f"an interval of {interval_minutes} minutes", cure="give one that divides a day, as 30")
    lacking = [name for name in COLUMNS if name not in frame.columns]
    if lacking:
        raise ConfigError(f"the table has no column {lacking[0]!r}", cure=f"give the columns {', '.join(COLUMNS)}")
    if frame.empty:
        raise ConfigError("the table has no rows: there is nothing to forecast from", cure="rtlib backfill")
    told = _checked(frame, interval_minutes)
    made = (_grid(str(name), rows, interval_minutes) for name, rows in told.groupby("unique_id", sort=True))
    return tuple(replace(one, holidays=dict((holidays or {}).get(one.unique_id, {}))) for one in made)


def _checked(frame: pd.DataFrame, interval_minutes: int) -> pd.DataFrame:
    import pandas as pd

    told = pd.DataFrame({"unique_id": frame["unique_id"], "ds": _naive(frame["ds"]), "y": frame["y"].astype(float)})
    told = told[told["y"].notna()]
    _refuse(told, told.duplicated(["unique_id", "ds"]), "is there twice", "add the rows of an interval up first")
    _refuse(told, ~np.isfinite(told["y"]) | (told["y"] < 0), "is negative or infinite", "counts are 0 or more")
    minutes = (told["ds"] - told["ds"].dt.normalize()) / pd.Timedelta(minutes=1)
    off = minutes % interval_minutes != 0
    _refuse(told, off, f"does not begin an interval of {interval_minutes} minutes", "round ds down to its interval")
    return told.assign(day=told["ds"].dt.date, slot=minutes.astype(int))


def _naive(moments: pd.Series) -> pd.Series:
    import pandas as pd

    read = pd.to_datetime(moments)
    return read.dt.tz_convert("UTC").dt.tz_localize(None) if read.dt.tz is not None else read


def _refuse(told: pd.DataFrame, wrong: pd.Series, what: str, cure: str) -> None:
    if wrong.any():
        row = told[wrong].iloc[0]
        raise ConfigError(f"series {row['unique_id']!r}, {row['ds']}: y = {row['y']:g} {what}", cure=cure)


def _grid(name: str, rows: pd.DataFrame, interval_minutes: int) -> Grid:
    table = rows.pivot(index="day", columns="slot", values="y").sort_index()
    if len(table) < LEAST_DAYS:
        raise ConfigError(
            f"series {name!r} is too short: {len(table)} days, and {LEAST_DAYS} are needed",
            cure="rtlib backfill loads four weeks of history",
        )
    slots, days = tuple(int(one) for one in table.columns), tuple(table.index)
    return Grid(name, interval_minutes, slots, days, table.to_numpy(dtype=float))


def moments(days: Sequence[date], slots: Sequence[int]) -> pd.DatetimeIndex:
    """When each slot of each day begins, day by day."""
    import pandas as pd

    starts = np.array(days, dtype="datetime64[m]")[:, None] + np.array(slots)[None, :]
    return pd.DatetimeIndex(starts.ravel().astype("datetime64[us]"))
