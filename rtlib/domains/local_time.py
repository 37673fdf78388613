"""Local time: what the clocks of a time zone show, for whole arrays of instants.

Instants are seconds since 1970, UTC. The offsets of a zone change a few times a year, so they are found once and then
looked up; Python's datetimes would take a thousand times as long.
"""

from __future__ import annotations

from datetime import UTC, datetime
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


@cache
def _offsets(zone: str) -> tuple[Floats, Floats]:
    """The instants at which the offset of a zone changes, and the offsets before, between and after them."""
    clocks = ZoneInfo(zone)
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in YEARS)
    changes, offsets = [], [_offset(clocks, first)]
    for week in range(first, last, WEEK):  # no zone changes its clocks twice in a week
        if _offset(clocks, week + WEEK) != offsets[-1]:
            changes.append(_change(clocks, week, week + WEEK))
            offsets.append(_offset(clocks, week + WEEK))
    return np.array(changes, dtype=float), np.array(offsets, dtype=float)


def _change(clocks: ZoneInfo, before: int, after: int) -> int:
    """The first second with the new offset, which holds at ``after`` and not at ``before``; by bisection."""
    old = _offset(clocks, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(clocks, middle) == old else (before, middle)
    return after


def _offset(clocks: ZoneInfo, instant: int) -> float:
    offset = datetime.fromtimestamp(instant, clocks).utcoffset()
    assert offset is not None  # a ZoneInfo knows the offset of every instant
    return offset.total_seconds()
