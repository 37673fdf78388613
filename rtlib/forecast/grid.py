"""Grid: a series of counts as a table of days and slots, the input of every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtlib.errors import ConfigError
from rtlib.forecast.instants import Instants, instants
from rtlib.forecast.table import checked

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]
LEAST_DAYS = 14  # two of each weekday
LONGEST_GAP = 366  # days; data before a longer gap is irrelevant, or its year is mistyped
MOST_CELLS = 20_000_000  # days × slots of a series; 160 MB


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The past of one series, by the days and slots of its own clock.

    When the clock goes forward, the skipped slots of that day are missing. When it goes back, the cell of a repeated
    slot holds the mean of its two counts; the sum would look like a rush hour. So a row is a day of 24 hours, whatever
    the clock did, and ``instants`` returns to the moments.

    Attributes:
        unique_id: Name of the series.
        interval_minutes: Length of a slot.
        slots: Begin of each slot, in minutes after midnight; hours without any count are left out.
        days: Days with counts, oldest first; closed days are left out.
        values: Counts, one row for each day and one column for each slot; NaN if missing.
        holidays: Holidays on which the series is open, past and to come, with the share of the series that has the
            holiday: 1, or less for the sum of sites in several countries.
        time_zone: IANA name of the time zone of the days; None if the moments have none, which counts as UTC.
        phase: Minutes after a multiple of the interval at which intervals begin in UTC, for a series in even steps that
            the local clock does not show as multiples of the interval before and after a change; otherwise None.
    """

    unique_id: str
    interval_minutes: int
    slots: tuple[int, ...]
    days: tuple[date, ...]
    values: Numbers
    holidays: Mapping[date, float] = field(default_factory=dict)
    time_zone: str | None = None
    phase: int | None = None

    def until(self, days: int) -> Grid:
        """The grid as it was known after ``days`` days."""
        return replace(self, days=self.days[:days], values=self.values[:days])

    def instants(self, days: Sequence[date]) -> Instants:
        """The moments at which the slots of these days begin: past days, or those that are forecast."""
        return instants(
            days, self.slots, interval_minutes=self.interval_minutes, time_zone=self.time_zone, phase=self.phase
        )

    def filled(self) -> Numbers:
        """The values, with missing values estimated by the mean of the slot at the level of the day."""
        if not np.isnan(self.values).any():
            return self.values
        present = ~np.isnan(self.values)
        means = np.nansum(self.values, axis=0) / np.maximum(present.sum(axis=0), 1)  # 0 for a slot without values
        level = np.nansum(self.values, axis=1) / np.maximum((present * means).sum(axis=1), 1e-9)
        return np.where(present, self.values, level[:, None] * means)

    def next_days(self, count: int) -> tuple[date, ...]:
        """The next ``count`` open days: those whose weekday occurs in the past."""
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
    """Turn a table of series into grids, one for each ``unique_id``, sorted by it.

    A missing row or ``y`` is a missing value, not a 0. Slots and days without any value count as closed.

    Example:
        >>> import pandas as pd
        >>> ds = pd.date_range("2026-01-05", periods=14 * 24, freq="h")
        >>> (grid,) = grids(pd.DataFrame({"unique_id": "site", "ds": ds, "y": 1.0}), interval_minutes=60)
        >>> grid.values.shape
        (14, 24)

    Args:
        frame: Columns ``unique_id``, ``ds`` (begin of an interval on the clock of its time zone; a moment without a
            time zone counts as UTC; or text in ISO 8601) and ``y`` (0 or more). A series whose moments have several
            time zones is laid out in UTC.
        interval_minutes: Length of an interval; divides a day.
        holidays: Holidays by ``unique_id``, past and to come, each with the share of the series that has it.

    Raises:
        ConfigError: A column is missing, a row has no series, a series has no value, two rows describe the same
            interval, a value is negative or not a number, a moment does not begin an interval, has an impossible year
            or a time zone without a name, or a series is too short, too large or has a gap of more than a year.
    """
    rows = checked(frame, interval_minutes)
    made = (_grid(str(name), part, interval_minutes) for name, part in rows.groupby("unique_id", sort=True))
    return tuple(replace(grid, holidays=dict((holidays or {}).get(grid.unique_id, {}))) for grid in made)


def _grid(name: str, rows: pd.DataFrame, interval_minutes: int) -> Grid:
    _check_extent(name, sorted(rows["day"].unique()), rows["slot"].nunique())
    cells = rows.groupby(["day", "slot"], as_index=False)["y"].mean()
    table = cells.pivot(index="day", columns="slot", values="y").sort_index()
    slots, days = tuple(int(slot) for slot in table.columns), tuple(table.index)
    time_zone, phase = rows["time_zone"].iloc[0], rows["phase"].iloc[0]
    return Grid(
        name,
        interval_minutes,
        slots,
        days,
        table.to_numpy(dtype=float),
        time_zone=time_zone,
        phase=None if np.isnan(phase) else int(phase),
    )


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
            cure="correct the years, or leave out the rows before the gap",
        )
