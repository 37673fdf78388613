"""Clock: the local time of a time zone, with the changes at which an hour is skipped or repeated.

All times are whole seconds since 1970: of UTC, or of the wall clock, as if it showed UTC. The rules are those of the
IANA time zone database, by ``zoneinfo``. The conversion of pandas knows no change after 2037, and takes every skipped
time for a whole hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from rtlib.domains.local_time import offset_changes
from rtlib.errors import ConfigError

Seconds = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """The clock of a time zone over some years.

    Attributes:
        changes: Moments at which the offset changes, in UTC, rising.
        offsets: Offset from UTC before the first change, and after each change, in seconds.
    """

    changes: Seconds
    offsets: Seconds

    def wall(self, utc: Seconds) -> Seconds:
        """What the clock shows at these moments."""
        return np.asarray(utc + self.offsets[np.searchsorted(self.changes, utc, side="right")], dtype=np.int64)

    def first(self, wall: Seconds) -> Seconds:
        """The first moment (UTC) at which the clock shows this time; for a skipped time, the moment of the change."""
        period = np.searchsorted(self.changes + self.offsets[:-1], wall, side="right")
        begins = np.concatenate([[np.iinfo(np.int64).min], self.changes])
        return np.asarray(np.maximum(wall - self.offsets[period], begins[period]), dtype=np.int64)

    def last(self, wall: Seconds) -> Seconds:
        """The last moment (UTC) at which the clock shows this time: later than ``first`` if it is repeated."""
        period = np.searchsorted(self.changes + self.offsets[1:], wall, side="right")
        ends = np.append(self.changes, np.iinfo(np.int64).max)
        moment = wall - self.offsets[period]
        return np.where(moment < ends[period], moment, self.first(wall))


def clock(time_zone: str, years: tuple[int, int]) -> Clock:
    """The clock of a time zone in these years, first and last, and a year before and after.

    Example:
        >>> clock("Europe/Berlin", (2026, 2026)).offsets.max()
        np.int64(7200)

    Raises:
        ConfigError: There is no such time zone.
    """
    return _clock(time_zone, years[0] - 1, years[1] + 1)


@lru_cache(maxsize=64)
def _clock(time_zone: str, first: int, last: int) -> Clock:
    changes, offsets = offset_changes(zone(time_zone), (first, last + 1))
    return Clock(np.array(changes, dtype=np.int64), np.array(offsets, dtype=np.int64))


def zone(time_zone: str) -> tzinfo:
    """The time zone with this name: one of the IANA database, or a fixed offset as ``UTC+05:30``.

    Raises:
        ConfigError: There is no such time zone.
    """
    try:
        if time_zone.startswith(("UTC+", "UTC-")):
            return timezone(datetime.strptime(time_zone[3:], "%z").utcoffset() or timedelta())
        return ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"there is no time zone {time_zone!r}", cure="give a name of the IANA database, as Europe/Berlin"
        ) from None


def zone_name(place: tzinfo | None) -> str | None:
    """The name by which ``zone`` finds a time zone again; None without a time zone.

    Raises:
        ConfigError: The time zone has neither a name in the IANA database nor a fixed offset.
    """
    if place is None:
        return None
    fixed = place.utcoffset(None)
    if fixed is not None:
        return str(timezone(fixed))
    # Those of zoneinfo, pytz and dateutil, in this order.
    names = (getattr(place, attribute, None) for attribute in ("key", "zone", "_filename"))
    name = str(next((name for name in names if name), "")).rpartition("zoneinfo/")[2]
    try:
        zone(name)
    except ConfigError:
        raise ConfigError(
            f"the time zone {place} has no name in the IANA database",
            cure="convert ds: .dt.tz_convert('Europe/Berlin')",
        ) from None
    return name
