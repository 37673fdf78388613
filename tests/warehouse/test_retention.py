"""Retention: old events become rollups, and nothing is counted twice or lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.domains import load_domain
from rtlib.simulator import rollups
from rtlib.warehouse import audit
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import Batch, apply_batch
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.reads import counts
from rtlib.warehouse.rollups import RolledUp, load_rollups, roll_up
from rtlib.warehouse.windows import compare_windows
from support.live_rows import Stream, stream
from support.saved_tables import SavedTables
from support.warehouse_server import WarehouseServer

DOMAIN = load_domain("iot")
NOON = (datetime.now(UTC) - timedelta(days=5)).replace(hour=12, minute=0, second=0, microsecond=0)
KINDS = (
    "select site, kind, time_slice(occurred_at, 30, 'minute') as interval_start, count(*) as events, "
    "count_if(topic <> 'history') as live_events, count(value) as values_counted, sum(value) as value_sum, "
    "min(value) as value_min, max(value) as value_max from RAW.EVENTS where occurred_at < ? group by 1, 2, 3 "
    "order by 1, 2, 3"
)
ROLLED = (
    "select site, kind, interval_start, events, live_events, values_counted, value_sum, value_min, value_max "
    "from RAW.ROLLUPS order by 1, 2, 3"
)


@pytest.fixture(scope="module")
def saved(warehouse_server: WarehouseServer) -> Iterator[SavedTables]:
    tables = SavedTables()
    yield tables
    tables.drop(warehouse_server)


@pytest.fixture(scope="module")
def made() -> Stream:
    return stream(DOMAIN, start=NOON, minutes=40)


@pytest.fixture
def old(warehouse: SnowflakeConnection, saved: SavedTables, made: Stream) -> Stream:
    """A stretch of the stream of five days ago, and events of a day ago."""

    def write() -> None:
        apply_batch(warehouse, made.batch)
        merge_kpis(warehouse, made.kpis)
        apply_batch(warehouse, of_another_run(stream(DOMAIN, start=NOON + timedelta(days=4), minutes=2, seed=8)))
        execute(warehouse, "update RAW.EVENTS set loaded_at = received_at")

    saved.fill(warehouse, write)
    return made


def of_another_run(made: Stream) -> Batch:
    events = made.batch.events
    return replace(made.batch, events=events.assign(producer_id="another-" + events["producer_id"]))


def keep(warehouse: SnowflakeConnection, days: int = 2) -> RolledUp | None:
    return roll_up(warehouse, "iot", days=days, interval_minutes=30)


def test_rollups_have_the_counts_and_aggregates_of_the_events_they_replace(
    warehouse: SnowflakeConnection, old: Stream
) -> None:
    expected = query(warehouse, KINDS, [NOON + timedelta(days=1)])
    rolled = keep(warehouse)
    assert rolled is not None
    assert rolled.events == sum(row["events"] for row in expected) > 0
    assert [dict(row) for row in query(warehouse, ROLLED)] == [
        {**row, "value_sum": None if row["value_sum"] is None else pytest.approx(row["value_sum"])} for row in expected
    ]
    assert query(warehouse, KINDS, [NOON + timedelta(days=1)]) == []


def test_a_second_run_changes_nothing(warehouse: SnowflakeConnection, old: Stream) -> None:
    keep(warehouse)
    tables = ("RAW.ROLLUPS", "RAW.ROLLED_SEQUENCES", "RAW.RETENTION", "RAW.EVENTS")
    before = {table: query(warehouse, f"select count(*) as n from {table}") for table in tables}
    rolled = query(warehouse, ROLLED)
    assert keep(warehouse) is None
    assert {table: query(warehouse, f"select count(*) as n from {table}") for table in tables} == before
    assert query(warehouse, ROLLED) == rolled


def test_an_event_that_was_rolled_up_is_recognised_when_the_archive_reads_it_again(
    warehouse: SnowflakeConnection, old: Stream
) -> None:
    keep(warehouse)
    again = Batch("archive", "iot", 77, old.batch.events, old.batch.rejected, {"0": 0}, {"0": 1})
    result = apply_batch(warehouse, again)
    assert (result.new, result.duplicates) == (0, len(old.batch.events))


def test_an_event_that_arrives_later_joins_its_rollup(warehouse: SnowflakeConnection, old: Stream) -> None:
    keep(warehouse)
    before = sum(row["events"] for row in query(warehouse, ROLLED))
    late = of_another_run(stream(DOMAIN, start=NOON, minutes=2, seed=9))
    apply_batch(warehouse, late)
    execute(warehouse, "update RAW.EVENTS set loaded_at = received_at")
    rolled = keep(warehouse)
    assert rolled is not None
    assert rolled.events == late.events["event_id"].nunique()
    rows = query(warehouse, ROLLED)
    assert sum(row["events"] for row in rows) == before + rolled.events
    assert len({(row["site"], row["kind"], row["interval_start"]) for row in rows}) == len(rows)


def test_an_event_whose_transaction_may_be_recent_stays_raw(warehouse: SnowflakeConnection, old: Stream) -> None:
    execute(warehouse, "update RAW.EVENTS set loaded_at = current_timestamp()::timestamp_ntz")
    assert keep(warehouse) is None
    assert query(warehouse, ROLLED) == []


def test_the_ledger_still_counts_each_producer_and_each_event(warehouse: SnowflakeConnection, old: Stream) -> None:
    producers, total = audit.producer_counts(warehouse, "iot"), counts(warehouse, "iot")
    sequences = audit.sequences(warehouse, "iot", producers)
    keep(warehouse)
    assert audit.producer_counts(warehouse, "iot") == producers
    assert audit.sequences(warehouse, "iot", producers) == sequences
    after = counts(warehouse, "iot")
    assert (after.raw_events, after.live_events) == (total.raw_events, total.live_events)


def test_sequences_are_kept_as_ranges_without_a_gap(warehouse: SnowflakeConnection, old: Stream) -> None:
    keep(warehouse)
    (ranges,) = query(
        warehouse, "select count(*) as n, count(distinct producer_id) as producers from RAW.ROLLED_SEQUENCES"
    )
    assert ranges["n"] == ranges["producers"] > 1


def test_windows_of_rolled_up_events_are_not_compared(warehouse: SnowflakeConnection, old: Stream) -> None:
    assert compare_windows(warehouse, "iot").windows > 40
    keep(warehouse)
    left = compare_windows(warehouse, "iot")
    assert all(window.window_start >= NOON + timedelta(days=1) for window in left.different)
    assert 0 < left.windows < 40


def test_without_live_events_nothing_is_rolled_up(warehouse: SnowflakeConnection) -> None:
    drawn = rollups(DOMAIN, seed=7, rate=1, start=NOON, end=NOON + timedelta(hours=1))
    assert load_rollups(warehouse, drawn, domain="iot") == len(drawn)
    assert load_rollups(warehouse, drawn, domain="iot") == 0
    assert keep(warehouse) is None
