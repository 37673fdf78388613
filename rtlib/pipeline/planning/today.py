"""Today: what came until now beside its forecast, for the whole domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rtlib.domains import ALL_SITES, Domain
from rtlib.pipeline.planning.demand import INTERVAL, INTERVAL_MINUTES
from rtlib.warehouse.plan_store import read_forecasts
from rtlib.warehouse.recent_load import RecentLoad, recent_load

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass(frozen=True, slots=True)
class Today:
    """The comparison since midnight by the domain's clock.

    Attributes:
        until: Time of the newest event (UTC).
        intervals: Closed intervals that have a forecast.
        inside: Those of them whose load lies inside the 80 % interval.
        events: Events in these intervals and in the running one.
        expected: Their forecast; of the running interval, the share that is over.
    """

    until: datetime
    intervals: int
    inside: int
    events: float
    expected: float

    @property
    def inside_share(self) -> float | None:
        """The share of closed intervals inside the 80 % interval; None before the first."""
        return self.inside / self.intervals if self.intervals else None

    @property
    def excess(self) -> float | None:
        """Events beyond the forecast, as a share of the forecast; None without a forecast."""
        return self.events / self.expected - 1 if self.expected else None


def midnight(now: datetime, time_zone: str) -> datetime:
    """The last midnight (UTC) by the clock of a time zone."""
    local = now.astimezone(ZoneInfo(time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def of_today(connection: SnowflakeConnection, domain: Domain, *, now: datetime) -> Today | None:
    """Compare today's load with its forecast.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    since = midnight(now, domain.time_zone)
    forecasts = read_forecasts(connection, domain.name, site=ALL_SITES, since=since)
    if not forecasts:
        return None
    kinds = domain.staffing.kinds
    load = recent_load(connection, domain.name, kinds=kinds, since=since, interval_minutes=INTERVAL_MINUTES)
    return compare(forecasts, load, since=since)


def compare(forecasts: Sequence[Mapping[str, Any]], load: RecentLoad, *, since: datetime) -> Today | None:
    """Compare the load with its forecast.

    Args:
        forecasts: Rows of the whole domain with ``interval_start`` (UTC, without a time zone), ``mean``, ``lower_80``
            and ``upper_80``.
        load: Counts since ``since`` or earlier.
        since: A midnight.

    Returns:
        None if no interval since then has both a forecast and events.
    """
    if load.newest is None:
        return None
    intervals, inside, events, expected = 0, 0, 0.0, 0.0
    for row in forecasts:
        begin = row["interval_start"].replace(tzinfo=UTC)
        passed = min((load.newest - begin) / INTERVAL, 1.0)
        if begin < since or passed <= 0:
            continue
        came = load.events.get(begin, 0)
        events, expected = events + came, expected + passed * row["mean"]
        if passed == 1.0:
            intervals, inside = intervals + 1, inside + (row["lower_80"] <= came <= row["upper_80"])
    return Today(load.newest, intervals, inside, events, expected) if expected else None
