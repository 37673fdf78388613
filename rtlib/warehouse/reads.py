"""Reads: the queries of dashboards, probes and the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rtlib.records import Kpi
from rtlib.warehouse.connection import query
from rtlib.warehouse.ingest import HISTORY
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

_KPI_COLUMNS = (
    "domain, site, window_start, window_end, measures, events, late, first_event_at, last_event_at, emitted_at"
)


@dataclass(frozen=True, slots=True)
class Freshness:
    """Times of the newest data (UTC); None where there is none yet."""

    newest_event_at: datetime | None
    newest_received_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the warehouse holds of a domain.

    ``raw_events`` = ``live_events`` (through Kafka) + history, in RAW.EVENTS and RAW.ROLLUPS; ``duplicates`` are second
    copies that batches left out.
    """

    raw_events: int
    live_events: int
    duplicates: int
    rejected: int
    batches: int
    kpi_rows: int
    kpi_events: int
    kpi_late: int


def latest_kpis(connection: SnowflakeConnection, domain: str, *, minutes: int = 30) -> list[Kpi]:
    """The KPIs of the last minutes, oldest window first; ``minutes`` count back from the newest window."""
    rows = query(
        connection,
        f"select {_KPI_COLUMNS} from SPEED.KPIS where domain = ? and window_start > "
        "(select dateadd(minute, ?, max(window_start)) from SPEED.KPIS where domain = ?) "
        "order by window_start, site",
        (domain, -minutes, domain),
    )
    return [_kpi(row) for row in rows]


def kpis_of(connection: SnowflakeConnection, domain: str, window_start: datetime) -> list[Kpi]:
    """The KPIs of a window (its begin in UTC), a row for each site; empty if the speed layer does not hold it."""
    rows = query(
        connection,
        f"select {_KPI_COLUMNS} from SPEED.KPIS where domain = ? and window_start = cast(? as timestamp_ntz)",
        (domain, moment_text(window_start)),
    )
    return [_kpi(row) for row in rows]


def current(connection: SnowflakeConnection, domain: str) -> list[Kpi]:
    """The newest window of each site with data in the last day; the day ends at the newest window."""
    rows = query(
        connection,
        f"select {_KPI_COLUMNS} from SPEED.KPIS where domain = ? and window_start > "
        "(select dateadd(hour, -24, max(window_start)) from SPEED.KPIS where domain = ?) "
        "qualify row_number() over (partition by site order by window_start desc) = 1 order by site",
        (domain, domain),
    )
    return [_kpi(row) for row in rows]


def freshness(connection: SnowflakeConnection, domain: str) -> Freshness:
    """When the newest event of the speed layer happened, and when Kafka received the newest event of RAW."""
    row = query(
        connection,
        "select (select max(last_event_at) from SPEED.KPIS where domain = ?) as happened, "
        "(select max(received_at) from RAW.EVENTS where domain = ? and topic <> ?) as received",
        (domain, domain, HISTORY),
    )[0]
    return Freshness(utc(row["happened"]), utc(row["received"]))


def counts(connection: SnowflakeConnection, domain: str, *, since: datetime | None = None) -> Counts:
    """Count what the warehouse holds of a domain.

    Args:
        connection: An open connection.
        domain: The domain's name.
        since: Leave out records that Kafka received, batches that were applied, and windows and rolled up intervals
            that ended before this.
    """
    begin = moment_text(since or datetime(1, 1, 1, tzinfo=UTC))
    parameters = (HISTORY, domain, begin, domain, begin, domain, begin, domain, HISTORY, begin, domain, begin)
    row = query(connection, _COUNTS, parameters)[0]
    return Counts(**{name: int(row[name]) for name in Counts.__dataclass_fields__})


def pause(connection: SnowflakeConnection, domain: str, *, since: datetime) -> float:
    """The longest pause in seconds between two events of a domain that Kafka received; 0 for fewer than two events."""
    sql = (
        "select coalesce(max(datediff('millisecond', earlier, received_at)), 0) as n from ("
        "select received_at, lag(received_at) over (order by received_at) as earlier from RAW.EVENTS "
        "where domain = ? and topic <> ? and received_at >= cast(? as timestamp_ntz))"
    )
    return int(query(connection, sql, (domain, HISTORY, moment_text(since)))[0]["n"]) / 1000


def rejected_reasons(connection: SnowflakeConnection, domain: str) -> dict[str, int]:
    """How many records were rejected for each reason, the most frequent first."""
    sql = "select reason, count(*) as n from RAW.REJECTED where domain = ? group by reason order by n desc, reason"
    return {row["reason"]: int(row["n"]) for row in query(connection, sql, (domain,))}


def utc(moment: datetime | None) -> datetime | None:
    """A time of the warehouse as an aware one: they carry no zone and are UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)


_COUNTS = """
select raw.*, refused.*, ledger.*, speed.*
from (
    select coalesce(sum(raw_events), 0) as raw_events, coalesce(sum(live_events), 0) as live_events
    from (
        select count(*) as raw_events, count_if(topic <> ?) as live_events
        from RAW.EVENTS where domain = ? and received_at >= cast(? as timestamp_ntz)
        union all
        select sum(events), sum(live_events)
        from RAW.ROLLUPS where domain = ? and interval_start >= cast(? as timestamp_ntz)
    ) both
) raw, (
    select count(*) as rejected
    from RAW.REJECTED where domain = ? and received_at >= cast(? as timestamp_ntz)
) refused, (
    select count(*) as batches, coalesce(sum(rows_duplicate), 0) as duplicates
    from RAW.BATCHES where domain = ? and query <> ? and applied_at >= cast(? as timestamp_ntz)
) ledger, (
    select count(*) as kpi_rows, coalesce(sum(events), 0) as kpi_events,
        coalesce(sum(late), 0) as kpi_late
    from SPEED.KPIS where domain = ? and window_end >= cast(? as timestamp_ntz)
) speed
"""
_MOMENTS = ("window_start", "window_end", "first_event_at", "last_event_at", "emitted_at")


def _kpi(row: Mapping[str, Any]) -> Kpi:
    moments = {name: utc(row[name]) for name in _MOMENTS}
    measures = json.loads(row["measures"]) if isinstance(row["measures"], str) else dict(row["measures"] or {})
    return Kpi(
        domain=row["domain"],
        site=row["site"],
        measures=measures,
        events=int(row["events"]),
        late=int(row["late"]),
        **moments,  # type: ignore[arg-type]
    )
