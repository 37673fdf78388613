"""Windows: the event counts of SPEED.KPIS compared with RAW, window by window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rtlib.warehouse.connection import query
from rtlib.warehouse.ingest import HISTORY
from rtlib.warehouse.reads import utc
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass(frozen=True, slots=True)
class WindowDifference:
    """A window whose two counts differ.

    Attributes:
        site, window_start: Which window.
        raw_events: Its archived events.
        kpi_events: Its events according to SPEED.KPIS.
        may_be_late: Its archived events that arrived behind the watermark.
        unreached: Its archived events behind the newest offset that a batch of the KPI query has reported.
        unarchived: Its KPI may count events that are not archived yet: it was emitted since the newest batch of the KPI
            query began that the archive has read completely.
    """

    site: str
    window_start: datetime
    raw_events: int
    kpi_events: int
    may_be_late: int
    unreached: int = 0
    unarchived: bool = False

    @property
    def explained(self) -> bool:
        """True if no more events are missing than arrived behind the watermark, and none is counted twice."""
        return 0 <= self.raw_events - self.kpi_events <= self.may_be_late

    @property
    def in_flight(self) -> bool:
        """True if events that one of the layers has not passed yet may explain the difference; offsets decide."""
        return self.unarchived or 0 < self.raw_events - self.kpi_events <= self.may_be_late + self.unreached

    @property
    def measured(self) -> bool:
        """False if the speed layer has no events of the window."""
        return self.kpi_events > 0


@dataclass(frozen=True, slots=True)
class WindowComparison:
    """The number of windows compared, those that differ, and how far the KPI query has reported.

    ``reported`` maps a partition of the events topic to the offset after the last of the KPI query's newest batch.
    """

    windows: int
    different: tuple[WindowDifference, ...]
    reported: Mapping[int, int] = field(default_factory=dict)

    @property
    def unexplained(self) -> tuple[WindowDifference, ...]:
        """The differences that the watermark does not explain."""
        return tuple(window for window in self.different if not window.explained)


def compare_windows(
    connection: SnowflakeConnection, domain: str, *, window_seconds: int = 60, before: datetime | None = None
) -> WindowComparison:
    """Count the events of each site's windows in RAW and compare them with SPEED.KPIS.

    Windows whose events have been rolled up are left out.

    Where several operators keep state, Spark drops events by the watermark of the batch before: an event was dropped
    if it happened no later than that. The time at which Kafka received it does not decide: a query that catches up
    reads its partitions at different speeds, and its watermark follows the fastest. A batch that was not recorded
    (killed after its end) counts as part of the next recorded batch, whose own watermark is an upper bound. A record
    beyond all recorded batches is not late; it is counted as unreached.

    Args:
        connection: An open connection.
        domain: The domain's name.
        window_seconds: The length of a window.
        before: Compare only windows that start earlier; None compares all.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    # Queried first: a batch that ends in between makes fewer events unreached, and none of them late.
    reported = query(connection, _REPORTED, (domain,))
    end = moment_text(before or datetime.max.replace(tzinfo=UTC))
    rows = query(
        connection,
        _COMPARE.format(length=int(window_seconds)),
        (domain, HISTORY, domain, domain, domain, HISTORY, domain, HISTORY, domain, end, domain),
    )
    different = [
        WindowDifference(
            site=row["site"],
            window_start=utc(row["window_start"]) or datetime.min.replace(tzinfo=UTC),
            raw_events=int(row["raw_events"]),
            kpi_events=int(row["kpi_events"]),
            may_be_late=int(row["may_be_late"]),
            unreached=int(row["unreached"]),
            unarchived=bool(row["unarchived"]),
        )
        for row in rows
        if int(row["raw_events"]) != int(row["kpi_events"])
    ]
    offsets = {int(row["kafka_partition"]): int(row["offset_to"]) for row in reported}
    return WindowComparison(windows=len(rows), different=tuple(different), reported=offsets)


# The newest batch counts, not the one with the highest offset: after its checkpoint is lost, a query reads the topic
# again.
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
        coalesce(speed.events, 0) as kpi_events,
        speed.emitted_at
    from raw
    full outer join (select site, window_start, events, emitted_at from SPEED.KPIS where domain = ?) speed
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
),
archived as (
    select each.key as kafka_partition, max(each.value::int) as offset_to
    from
        (select parse_json(offsets_to) as offsets from RAW.BATCHES where domain = ? and query = 'archive') ledger,
        lateral flatten(input => ledger.offsets) each
    group by each.key
),
read_until as (
    select
        began_at,
        kafka_partition::varchar as kafka_partition,
        max(offset_to) over (
            partition by kafka_partition order by began_at, batch_id rows between unbounded preceding and current row
        ) as offset_to
    from batches
),
unarchived as (
    select min(read_until.began_at) as began_at
    from read_until
    left join archived on read_until.kafka_partition = archived.kafka_partition
    where read_until.offset_to > coalesce(archived.offset_to, 0)
),
archive_reach as (
    select max(batches.began_at) as archived_until
    from batches
    cross join unarchived
    where unarchived.began_at is null or batches.began_at < unarchived.began_at
)
select
    held.site,
    held.window_start,
    held.raw_events,
    held.kpi_events,
    coalesce(late.events, 0) as may_be_late,
    coalesce(ahead.events, 0) as unreached,
    coalesce(held.emitted_at >= archive_reach.archived_until, held.emitted_at is not null) as unarchived
from held
cross join archive_reach
left join late on held.site = late.site and held.window_start = late.window_start
left join ahead on held.site = ahead.site and held.window_start = ahead.window_start
where
    held.window_start < cast(? as timestamp_ntz)
    and held.window_start >= (
        select coalesce(max(rolled_until), '1970-01-01'::timestamp_ntz) from RAW.RETENTION where domain = ?
    )
order by 2, 1
"""
