"""Instants: the moments at which the slots of local days begin; a slot may be skipped or begin twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtlib.forecast.clock import Clock, Seconds, clock

if TYPE_CHECKING:
    import pandas as pd

MINUTE = 60  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class Instants:
    """The moments at which the slots of some days begin.

    A slot that the clock skips has no moment. A slot that the clock repeats has two, and both refer to one cell.

    Attributes:
        moments: Moments in UTC, without a time zone, rising; none occurs twice.
        cells: Index of each moment's cell in the table of days × slots, row by row.
    """

    moments: pd.DatetimeIndex
    cells: NDArray[np.intp]

    def of(self, table: NDArray[Any]) -> NDArray[Any]:
        """The values of a table of days × slots (× any further axes), one for each moment."""
        return table.reshape(-1, *table.shape[2:])[self.cells]


def instants(
    days: Sequence[date],
    slots: Sequence[int],
    *,
    interval_minutes: int,
    time_zone: str | None = None,
    phase: int | None = None,
) -> Instants:
    """The moments at which each slot of each day begins.

    A slot that begins within a skipped hour and lasts beyond it begins at the change of the clock. A slot that is
    longer than a repeated hour begins once.

    Example:
        >>> len(instants([date(2026, 3, 29)], range(0, 1440, 60), interval_minutes=60, time_zone="Europe/Berlin").cells)
        23

    Args:
        days: Days in local time, rising.
        slots: Begin of each slot on the local clock, in minutes after midnight, rising.
        interval_minutes: Length of a slot.
        time_zone: IANA name of the time zone; None for days in UTC.
        phase: As in ``Grid``.

    Raises:
        ConfigError: There is no such time zone.
    """
    wall = (np.array(days, dtype="datetime64[m]")[:, None] + np.array(slots)[None, :]).ravel()
    if time_zone is None:
        return Instants(_index(wall), np.arange(wall.size))
    local = clock(time_zone, (min(days).year, max(days).year))
    starts = wall.astype("datetime64[s]").astype(np.int64)
    length = interval_minutes * MINUTE
    begins, exists = _by_clock(local, starts, length) if phase is None else _by_steps(local, starts, length, phase)
    cells = np.broadcast_to(np.arange(starts.size), begins.shape)[exists]
    moments, kept = np.unique(begins[exists], return_index=True)
    return Instants(_index(moments.astype("datetime64[s]")), cells[kept])


def _by_clock(local: Clock, starts: Seconds, length: int) -> tuple[Seconds, NDArray[np.bool_]]:
    """Begins by the clock: where a slot exists once, twice or not; of shape 2 × slots, with a mask."""
    first, last = local.first(starts), local.last(starts)
    return np.stack([first, last]), np.stack([local.wall(first) - starts < length, last - first >= length])


def _by_steps(local: Clock, starts: Seconds, length: int, phase: int) -> tuple[Seconds, NDArray[np.bool_]]:
    """Begins in even steps of UTC, each in the slot in which the clock shows it, with a mask."""
    found = np.stack([local.first(starts), local.last(starts)])
    steps = found + (phase * MINUTE - found) % length
    begins = np.concatenate([steps, steps + length])  # a change may leave room for two steps in a slot
    into = local.wall(begins) - starts
    return begins, (into >= 0) & (into < length)


def _index(moments: NDArray[np.datetime64]) -> pd.DatetimeIndex:
    import pandas as pd

    return pd.DatetimeIndex(moments.astype("datetime64[us]"))
