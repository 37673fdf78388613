"""Recent load: the staffed events of a whole domain by interval, counted in RAW up to this minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rtlib.domains import ALL_SITES
from rtlib.warehouse.connection import query
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

STRETCH = timedelta(minutes=10)  # long enough for some dozens of events, short enough to notice a surge


@dataclass(frozen=True, slots=True)
class RecentLoad:
    """Events by begin of interval (UTC), and the time of the newest event of any kind; None without events.

    An interval in which only other kinds of events happened has 0, an interval without any event is missing.
    """

    events: Mapping[datetime, int]
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Load:
    """The events of a stretch of time, and the upper bound of its forecast."""

    begin: datetime
    events: int
    upper_80: float

    @property
    def percent(self) -> float:
        """The events in percent of the upper bound."""
        return 100.0 * self.events / self.upper_80


def recent_load(
    connection: SnowflakeConnection, domain: str, *, kinds: Sequence[str], since: datetime, interval_minutes: int
) -> RecentLoad:
    """Count the events of these kinds since a moment, raw or rolled up.

    It is counted in RAW, because a screen cannot wait for the next run of dbt. The interval of the newest event is not
    over.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    parameters = (*kinds, domain, moment_text(since))
    sql = _RECENT.format(minutes=int(interval_minutes), kinds=", ".join("?" * len(kinds)))
    rows = query(connection, sql, parameters * 2)
    moments = [row["newest"] for row in rows if row["newest"] is not None]
    events = {row["begin"].replace(tzinfo=UTC): int(row["events"]) for row in rows}
    return RecentLoad(events, max(moments).replace(tzinfo=UTC) if moments else None)


_RECENT = """
select begin, sum(n) as events, max(newest) as newest
from (
    select
        time_slice(occurred_at, {minutes}, 'MINUTE') as begin,
        count_if(kind in ({kinds})) as n,
        max(occurred_at) as newest
    from RAW.EVENTS
    where domain = ? and occurred_at >= cast(? as timestamp_ntz)
    group by time_slice(occurred_at, {minutes}, 'MINUTE')
    union all
    select
        interval_start as begin,
        sum(iff(kind in ({kinds}), events, 0)) as n,
        dateadd(minute, {minutes}, interval_start) as newest
    from RAW.ROLLUPS
    where domain = ? and interval_start >= cast(? as timestamp_ntz)
    group by interval_start
) parts
group by begin
order by begin
"""


def load_of_forecast(
    connection: SnowflakeConnection, domain: str, *, kinds: Sequence[str], now: datetime
) -> Load | None:
    """The load of the ten minutes before the newest event in RAW, and the upper bound of its forecast.

    Where the stretch touches two intervals, each contributes the share of its upper bound that lies in the stretch.

    Returns:
        None if the newest event is older than the stretch is long, or no forecast covers the stretch, so that neither
        an old forecast nor a stopped stream is compared.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    newest = query(connection, _NEWEST, (domain, moment_text(now - STRETCH), moment_text(now)))[0]["newest"]
    if newest is None:
        return None
    end = newest.replace(tzinfo=UTC)
    begin = end - STRETCH
    upper = _upper_bound(query(connection, _BOUNDS, (domain, moment_text(begin), moment_text(end))), begin, end)
    if not upper:
        return None
    marks = ", ".join("?" * len(kinds))
    sql = _STRETCH.format(kinds=marks)
    events = query(connection, sql, (domain, *kinds, moment_text(begin), moment_text(end)))[0]["n"]
    return Load(begin, int(events), upper)


def _upper_bound(bounds: Sequence[Mapping[str, Any]], begin: datetime, end: datetime) -> float | None:
    """The upper bound of [begin, end) from those of intervals; None unless they cover it."""
    total, covered = 0.0, timedelta()
    for row in bounds:
        first, last = (row[name].replace(tzinfo=UTC) for name in ("interval_start", "interval_end"))
        inside = min(last, end) - max(first, begin)
        total += row["upper_80"] * (inside / (last - first))
        covered += inside
    return total if covered >= end - begin else None


_NEWEST = """
select max(occurred_at) as newest
from RAW.EVENTS
where domain = ? and occurred_at >= cast(? as timestamp_ntz) and occurred_at <= cast(? as timestamp_ntz)
"""
_STRETCH = """
select count(*) as n
from RAW.EVENTS
where domain = ? and kind in ({kinds})
    and occurred_at >= cast(? as timestamp_ntz) and occurred_at < cast(? as timestamp_ntz)
"""
_BOUNDS = f"""
select interval_start, interval_end, upper_80
from (
    select interval_start, dateadd(minute, interval_minutes, interval_start) as interval_end, upper_80, made_at
    from ML.FORECASTS
    where domain = ? and site = '{ALL_SITES}' and is_champion
) ends
where interval_end > cast(? as timestamp_ntz) and interval_start < cast(? as timestamp_ntz)
qualify row_number() over (partition by interval_start order by made_at desc) = 1
"""
