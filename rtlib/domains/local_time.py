"""Local time: what the clocks of a time zone show, for whole arrays of instants.

Instants are seconds since 1970, UTC. The offsets of a zone change a few times a year, so they are found once and then
looked up; Python's datetimes would take a thousand times as long.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WEEK = 7 * 86_400
YEARS = (2000, 2100)  # those of an event, by the schemas; before and after, the first and the last offset hold


def local_seconds(zone: str, instants: Floats) -> Floats:
    """The date and time on the clocks of a zone, as seconds since 1970-01-01 00:00 on these clocks."""
    return instants + utc_offsets(zone, instants)


def utc_offsets(zone: str, instants: Floats) -> Floats:
    """How far the clocks of a zone (IANA) are ahead of UTC at each instant, in seconds."""
    changes, offsets = _offsets(zone)
    found: Floats = offsets[np.searchsorted(changes, instants, side="right")]
    return found


def offset_changes(clocks: tzinfo, years: tuple[int, int]) -> tuple[list[int], list[int]]:
    """When a zone's offset from UTC changes, and the offsets before, between and after the changes, in seconds.

    Args:
        clocks: The time zone.
        years: The first year, and the first year after; before and after, the first and the last offset hold.
    """
    first, last = (round(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in years)
    changes, offsets = [], [_offset(clocks, first)]
    for week in range(first, last, WEEK):  # no zone changes its clocks twice in a week
        if _offset(clocks, week + WEEK) != offsets[-1]:
            changes.append(_change(clocks, week, week + WEEK))
            offsets.append(_offset(clocks, week + WEEK))
    return changes, offsets


@cache
def _offsets(zone: str) -> tuple[Floats, Floats]:
    changes, offsets = offset_changes(ZoneInfo(zone), YEARS)
    return np.array(changes, dtype=float), np.array(offsets, dtype=float)


def _change(clocks: tzinfo, before: int, after: int) -> int:
    """The first second with the new offset, which holds at ``after`` and not at ``before``; by bisection."""
    new = _offset(clocks, after)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset(clocks, middle) == new else (middle, after)
    return after


def _offset(clocks: tzinfo, instant: int) -> int:
    return round((datetime.fromtimestamp(instant, clocks).utcoffset() or timedelta()).total_seconds())
