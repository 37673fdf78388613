"""Rollups: RAW.ROLLUPS, the counts and aggregates of loaded history and of events that are no longer kept raw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rtlib.warehouse.connection import execute, query, transaction
from rtlib.warehouse.ingest import HISTORY
from rtlib.warehouse.staging import moment_text, selected, staged

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

COLUMNS = {
    "site": "varchar", "kind": "varchar", "interval_start": "timestamp_ntz", "events": "number(19, 0)",
    "values_counted": "number(19, 0)", "value_sum": "float", "value_min": "float", "value_max": "float",
}  # fmt: skip
# A transaction is open for a shorter time, so every event loaded before is readable by each statement of a run.
SETTLED = timedelta(minutes=10)
KPI_DAYS = 8  # windows of the speed layer that stay: a week to compare with, and a day


@dataclass(frozen=True, slots=True)
class RolledUp:
    """The result of a run: events moved to RAW.ROLLUPS, and the moment (UTC) before which all are there."""

    events: int
    until: datetime


def load_rollups(connection: SnowflakeConnection, rows: pd.DataFrame, *, domain: str) -> int:
    """Load history into RAW.ROLLUPS in one transaction, except intervals of which rollups are there already.

    Args:
        connection: An open connection.
        rows: The columns ``COLUMNS``; times in UTC.
        domain: The domain's name.

    Returns:
        How many rows were new.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing was written.
    """
    with staged(connection, rows, COLUMNS, kind="rollups") as table:
        if not len(rows):
            return 0
        with transaction(connection):
            return execute(
                connection,
                f"insert into RAW.ROLLUPS (domain, {', '.join(COLUMNS)}, live_events, loaded_at) "
                f"select ?, {selected(COLUMNS, 's')}, 0, current_timestamp()::timestamp_ntz from {table} s "
                "left join (select distinct interval_start from RAW.ROLLUPS where domain = ?) known "
                "on s.interval_start::timestamp_ntz = known.interval_start where known.interval_start is null",
                (domain, domain),
            )


def known_intervals(connection: SnowflakeConnection, domain: str, *, interval_minutes: int) -> set[datetime]:
    """The begins (UTC) of the intervals of which RAW holds any event or rollup."""
    sql = (
        f"select distinct time_slice(occurred_at, {int(interval_minutes)}, 'MINUTE') as begin from RAW.EVENTS "
        "where domain = ? union select distinct interval_start from RAW.ROLLUPS where domain = ?"
    )
    return {row["begin"].replace(tzinfo=UTC) for row in query(connection, sql, (domain, domain))}


def history_counts(
    connection: SnowflakeConnection, domain: str, at: datetime, *, interval_minutes: int
) -> dict[tuple[str, str], int]:
    """The events by (site, kind) of the interval around a moment (UTC), if it is loaded history; else empty.

    The rollup of live events is left out: the stack may have run in a part of the interval only.
    """
    begin = datetime.fromtimestamp(at.timestamp() // (60 * interval_minutes) * (60 * interval_minutes), UTC)
    sql = (
        "select site, kind, events, live_events from RAW.ROLLUPS "
        "where domain = ? and interval_start = cast(? as timestamp_ntz)"
    )
    rows = query(connection, sql, (domain, moment_text(begin)))
    if any(row["live_events"] for row in rows):
        return {}
    return {(row["site"], row["kind"]): int(row["events"]) for row in rows}


def live_period(connection: SnowflakeConnection, domain: str) -> tuple[datetime, datetime] | None:
    """When (UTC) Kafka received the first and the newest raw event; None without any."""
    sql = "select min(received_at) as first, max(received_at) as newest from RAW.EVENTS where domain = ? and topic <> ?"
    (row,) = query(connection, sql, (domain, HISTORY))
    if row["first"] is None:
        return None
    return row["first"].replace(tzinfo=UTC), row["newest"].replace(tzinfo=UTC)


def rolled_until(connection: SnowflakeConnection, domain: str) -> datetime | None:
    """The moment (UTC) before which events have been rolled up; None before the first run."""
    sql = "select rolled_until from RAW.RETENTION where domain = ? order by rolled_until desc limit 1"
    rows = query(connection, sql, (domain,))
    return rows[0]["rolled_until"].replace(tzinfo=UTC) if rows else None


def roll_up(connection: SnowflakeConnection, domain: str, *, days: int, interval_minutes: int) -> RolledUp | None:
    """Move events that happened more than ``days`` before Kafka received the newest to RAW.ROLLUPS, as aggregates.

    One transaction adds the aggregates, notes the sequences and deletes the events, so each event counts exactly once
    at any moment. An event that arrives later for an interval that was rolled up is added by the next run. Windows of
    the speed layer older than ``KPI_DAYS`` days are deleted as well.

    Args:
        connection: An open connection.
        domain: The domain's name.
        days: How long events stay raw.
        interval_minutes: The length of an interval; events are rolled up by whole intervals.

    Returns:
        None if there is nothing to roll up.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing was changed.
    """
    live = live_period(connection, domain)
    if live is None:
        return None
    now, length = datetime.now(UTC), 60 * interval_minutes
    end = datetime.fromtimestamp((live[1] - timedelta(days=days)).timestamp() // length * length, UTC)
    until, settled, stamp = (moment_text(moment) for moment in (end, now - SETTLED, now))
    chosen = (domain, until, settled)
    with transaction(connection):
        execute(connection, _add(interval_minutes), (HISTORY, stamp, *chosen))
        execute(connection, _NOTE, (domain, until, settled, HISTORY, domain, domain, stamp))
        execute(connection, _FORGET, (domain, stamp))
        events = execute(connection, f"delete from RAW.EVENTS where {_OLD}", chosen)
        _prune(connection, domain, end)
        if events:
            execute(connection, "insert into RAW.RETENTION select ?, ?, ?, ?", (domain, until, events, stamp))
    return RolledUp(events, end) if events else None


def _prune(connection: SnowflakeConnection, domain: str, until: datetime) -> None:
    """Delete old windows, and batches of the KPI query that no comparison needs."""
    kpis, batches = (moment_text(until - timedelta(days=days)) for days in (KPI_DAYS, 1))
    sql = "delete from SPEED.{} where domain = ? and {} < cast(? as timestamp_ntz)"
    execute(connection, sql.format("KPIS", "window_start"), (domain, kpis))
    execute(connection, sql.format("BATCHES", "began_at"), (domain, batches))


def _add(interval_minutes: int) -> str:
    columns = ("domain", *COLUMNS, "live_events", "loaded_at")
    names, values = ", ".join(columns), ", ".join(f"s.{name}" for name in columns)
    return _ADD.format(minutes=int(interval_minutes), columns=names, values=values)


_OLD = (
    "domain = ? and occurred_at < cast(? as timestamp_ntz) "
    "and coalesce(loaded_at, received_at) < cast(? as timestamp_ntz)"
)
_ADD = f"""
merge into RAW.ROLLUPS t using (
    select
        domain,
        site,
        kind,
        time_slice(occurred_at, {{minutes}}, 'MINUTE') as interval_start,
        count(*) as events,
        count_if(topic <> ?) as live_events,
        count(value) as values_counted,
        sum(value) as value_sum,
        min(value) as value_min,
        max(value) as value_max,
        cast(? as timestamp_ntz) as loaded_at
    from RAW.EVENTS
    where {_OLD}
    group by domain, site, kind, time_slice(occurred_at, {{minutes}}, 'MINUTE')
) s
on t.domain = s.domain and t.site = s.site and t.kind = s.kind and t.interval_start = s.interval_start
when matched then update set
    events = t.events + s.events,
    live_events = t.live_events + s.live_events,
    values_counted = t.values_counted + s.values_counted,
    value_sum = coalesce(t.value_sum + s.value_sum, t.value_sum, s.value_sum),
    value_min = least(coalesce(t.value_min, s.value_min), coalesce(s.value_min, t.value_min)),
    value_max = greatest(coalesce(t.value_max, s.value_max), coalesce(s.value_max, t.value_max)),
    loaded_at = s.loaded_at
when not matched then insert
    ({{columns}}) values ({{values}})
"""
# Ranges of sequences without a gap, old and new ones joined where they touch.
_NOTE = f"""
insert into RAW.ROLLED_SEQUENCES
with ranges as (
    select producer_id, sequence as first_sequence, sequence as last_sequence
    from RAW.EVENTS
    where {_OLD} and topic <> ?
    union all
    select producer_id, first_sequence, last_sequence from RAW.ROLLED_SEQUENCES where domain = ?
),
reached as (
    select
        *,
        max(last_sequence) over (
            partition by producer_id order by first_sequence, last_sequence
            rows between unbounded preceding and 1 preceding
        ) as reach
    from ranges
),
islands as (
    select
        *,
        sum(iff(reach is null or first_sequence > reach + 1, 1, 0)) over (
            partition by producer_id order by first_sequence, last_sequence rows unbounded preceding
        ) as island
    from reached
)
select ?, producer_id, min(first_sequence), max(last_sequence), cast(? as timestamp_ntz)
from islands
group by producer_id, island
"""
_FORGET = "delete from RAW.ROLLED_SEQUENCES where domain = ? and rolled_at < cast(? as timestamp_ntz)"
