"""Serve: the reads that dashboards, probes and the reconciliation make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """How new the newest is: None where there is nothing yet."""

    newest_event_at: datetime | None
    newest_received_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the warehouse holds of a domain.

    ``raw_events`` = ``live_events`` (by Kafka) + history; ``duplicates`` are second copies that batches left out.
    """

    raw_events: int
    live_events: int
    duplicates: int
    rejected: int
    batches: int
    kpi_rows: int
    kpi_events: int
    kpi_late: int


@dataclass(frozen=True, slots=True)
class WindowDifference:
    """A window whose two counts differ.

    Attributes:
        site, window_start: Which window.
        raw_events: Its archived events.
        kpi_events: Its events by SPEED.KPIS.
        may_be_late: Its archived events that arrived behind the watermark.
        unreached: Its archived events behind the newest offset that a batch of the KPI query has reported.
    """

    site: str
    window_start: datetime
    raw_events: int
    kpi_events: int
    may_be_late: int
    unreached: int = 0

    @property
    def explained(self) -> bool:
        """True when no more are missing than arrived behind the watermark, and none is counted twice."""
        return 0 <= self.raw_events - self.kpi_events <= self.may_be_late

    @property
    def measured(self) -> bool:
        """False when the speed layer was told nothing of it."""
        return self.kpi_events > 0


@dataclass(frozen=True, slots=True)
class WindowComparison:
    """How many windows were compared, those that differ, and how far the KPI query has reported.

    ``reported`` maps a partition of the events topic to the offset after the last of the KPI query's newest batch.
    """

    windows: int
    different: tuple[WindowDifference, ...]
    reported: Mapping[int, int] = field(default_factory=dict)

    @property
    def unexplained(self) -> tuple[WindowDifference, ...]:
        """The differences that the watermark does not explain."""
        return tuple(one for one in self.different if not one.explained)


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


def current(connection: SnowflakeConnection, domain: str) -> list[Kpi]:
    """The newest window of each site that was heard of in the last day; the day ends at the newest window."""
    rows = query(
        connection,
        f"select {_KPI_COLUMNS} from SPEED.KPIS where domain = ? and window_start > "
        "(select dateadd(hour, -24, max(window_start)) from SPEED.KPIS where domain = ?) "
        "qualify row_number() over (partition by site order by window_start desc) = 1 order by site",
        (domain, domain),
    )
    return [_kpi(row) for row in rows]


def freshness(connection: SnowflakeConnection, domain: str) -> Freshness:
    """When the newest event of the speed layer happened, and when Kafka received the newest of RAW."""
    row = query(
        connection,
        "select (select max(last_event_at) from SPEED.KPIS where domain = ?) as happened, "
        "(select max(received_at) from RAW.EVENTS where domain = ? and topic <> ?) as received",
        (domain, domain, HISTORY),
    )[0]
    return Freshness(_utc(row["happened"]), _utc(row["received"]))


def counts(connection: SnowflakeConnection, domain: str, *, since: datetime | None = None) -> Counts:
    """Count what the warehouse holds of a domain.

    Args:
        connection: An open connection.
        domain: Whose.
        since: Leave out what Kafka received, batches that were applied, and windows that ended before this.
    """
    begin = moment_text(since or datetime(1, 1, 1, tzinfo=UTC))
    row = query(connection, _COUNTS, (HISTORY, domain, begin, domain, begin, domain, HISTORY, begin, domain, begin))[0]
    return Counts(**{name: int(row[name]) for name in Counts.__dataclass_fields__})


def pause(connection: SnowflakeConnection, domain: str, *, since: datetime) -> float:
    """The longest time in seconds since a moment in which Kafka received no event of a domain; 0 for fewer than two."""
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


def compare_windows(
    connection: SnowflakeConnection, domain: str, *, window_seconds: int = 60, before: datetime | None = None
) -> WindowComparison:
    """Count each site's windows again from RAW, and hold them against SPEED.KPIS.

    With ``before`` only the windows that begin earlier are compared.

    Where several operators keep state Spark drops by the watermark of the batch before, so an event was dropped if it
    happened no later than that. By when Kafka received it one cannot tell: a query that catches up reads its
    partitions at different paces, and its watermark follows the fastest. A batch that nobody recorded (killed after
    its end) counts to the next that was, whose own watermark is an upper bound; a record that no batch has told of
    yet is not late: it is counted as unreached.
    """
    # Asked first: a batch that ends in between makes fewer events unreached, and none of them late.
    reported = query(connection, _REPORTED, (domain,))
    end = moment_text(before or datetime.max.replace(tzinfo=UTC))
    rows = query(
        connection,
        _COMPARE.format(length=int(window_seconds)),
        (domain, HISTORY, domain, domain, domain, HISTORY, domain, HISTORY, end),
    )
    different = [
        WindowDifference(
            site=row["site"],
            window_start=_utc(row["window_start"]) or datetime.min.replace(tzinfo=UTC),
            raw_events=int(row["raw_events"]),
            kpi_events=int(row["kpi_events"]),
            may_be_late=int(row["may_be_late"]),
            unreached=int(row["unreached"]),
        )
        for row in rows
        if int(row["raw_events"]) != int(row["kpi_events"])
    ]
    reach = {int(row["kafka_partition"]): int(row["offset_to"]) for row in reported}
    return WindowComparison(windows=len(rows), different=tuple(different), reported=reach)


_COUNTS = """
select raw.*, refused.*, ledger.*, speed.*
from (
    select count(*) as raw_events, coalesce(count_if(topic <> ?), 0) as live_events
    from RAW.EVENTS where domain = ? and received_at >= cast(? as timestamp_ntz)
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

# The newest batch counts, not the furthest: a query whose checkpoint was deleted reads everything again.
_REPORTED = (
    "select kafka_partition, offset_to from SPEED.BATCHES where domain = ? "
    "qualify row_number() over (partition by kafka_partition order by began_at desc, batch_id desc) = 1"
)

_COMPARE = """
with raw as (
    select site, time_slice(occurred_at, {length}, 'second') as window_start, count(*) as events
    from RAW.EVENTS
    where domain = ? and topic <> ?
    group by site, time_slice(occurred_at, {length}, 'second')
),
held as (
    select
        coalesce(raw.site, speed.site) as site,
        coalesce(raw.window_start, speed.window_start) as window_start,
        coalesce(raw.events, 0) as raw_events,
        coalesce(speed.events, 0) as kpi_events
    from raw
    full outer join (select site, window_start, events from SPEED.KPIS where domain = ?) speed
        on raw.site = speed.site and raw.window_start = speed.window_start
),
batches as (
    select
        *,
        lag(offset_to) over (partition by kafka_partition order by began_at, batch_id) as reached,
        lag(batch_id) over (partition by kafka_partition order by began_at, batch_id) as batch_before,
        lag(watermark) over (partition by kafka_partition order by began_at, batch_id) as watermark_before
    from SPEED.BATCHES
    where domain = ?
),
reach as (
    select
        kafka_partition,
        least(offset_from, coalesce(reached, 0)) as offset_from,
        offset_to,
        case when batch_id = batch_before + 1 then watermark_before else watermark end as watermark
    from batches
),
late as (
    select held.site, held.window_start, count(distinct events.event_id) as events
    from held
    inner join RAW.EVENTS events
        on events.site = held.site and time_slice(events.occurred_at, {length}, 'second') = held.window_start
    inner join reach
        on events.kafka_partition = reach.kafka_partition
        and events.kafka_offset >= reach.offset_from and events.kafka_offset < reach.offset_to
    where
        held.raw_events <> held.kpi_events
        and events.domain = ? and events.topic <> ? and events.occurred_at <= reach.watermark
    group by held.site, held.window_start
),
newest as (
    select kafka_partition, offset_to
    from batches
    qualify row_number() over (partition by kafka_partition order by began_at desc, batch_id desc) = 1
),
ahead as (
    select held.site, held.window_start, count(*) as events
    from held
    inner join RAW.EVENTS events
        on events.site = held.site and time_slice(events.occurred_at, {length}, 'second') = held.window_start
    left join newest on events.kafka_partition = newest.kafka_partition
    where
        held.raw_events <> held.kpi_events
        and events.domain = ? and events.topic <> ? and events.kafka_offset >= coalesce(newest.offset_to, 0)
    group by held.site, held.window_start
)
select
    held.site,
    held.window_start,
    held.raw_events,
    held.kpi_events,
    coalesce(late.events, 0) as may_be_late,
    coalesce(ahead.events, 0) as unreached
from held
left join late on held.site = late.site and held.window_start = late.window_start
left join ahead on held.site = ahead.site and held.window_start = ahead.window_start
where held.window_start < cast(? as timestamp_ntz)
order by 2, 1
"""


def _kpi(row: Mapping[str, Any]) -> Kpi:
    moments = {name: _utc(row[name]) for name in _MOMENTS}
    measures = json.loads(row["measures"]) if isinstance(row["measures"], str) else dict(row["measures"] or {})
    return Kpi(
        domain=row["domain"],
        site=row["site"],
        measures=measures,
        events=int(row["events"]),
        late=int(row["late"]),
        **moments,  # type: ignore[arg-type]
    )


_MOMENTS = ("window_start", "window_end", "first_event_at", "last_event_at", "emitted_at")


def _utc(moment: datetime | None) -> datetime | None:
    """The warehouse's times carry no zone and are UTC."""
    return None if moment is None else moment.replace(tzinfo=UTC)
