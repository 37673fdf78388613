"""History: it ends where the live stream begins, and an interval that the warehouse holds is never loaded again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.domains.law import DemandLaw
from rtlib.pipeline import backfill, batch_log
from rtlib.pipeline.planning.demand import INTERVAL
from rtlib.simulator import history, rollups
from rtlib.warehouse import ingest
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import apply_batch
from rtlib.warehouse.rollups import roll_up
from support.live_rows import stream
from support.warehouse_server import WarehouseServer

DOMAIN = load_domain("curbside")
RATE = 4.0
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
START = MIDNIGHT - timedelta(hours=5, minutes=-10)  # of the live stream: ten minutes after the boundary of an interval


@pytest.fixture
def settings(
    warehouse_server: WarehouseServer, warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A warehouse without events; neither a broker nor a registry is needed to load history."""
    monkeypatch.setattr(backfill, "provision", lambda settings: None)
    monkeypatch.setattr(backfill, "end_offsets", lambda settings, topic: {0: 0})
    (warehouse_server.settings.home / batch_log.FILE).unlink(missing_ok=True)
    return warehouse_server.settings.model_copy(update={"rate": RATE})


def by_day(connection: SnowflakeConnection, domain: str = "curbside") -> dict[date, int]:
    sql = (
        "select day, sum(n) as n from (select to_date(interval_start) as day, sum(events) as n from RAW.ROLLUPS "
        "where domain = ? group by 1 union all "
        "select to_date(occurred_at), count(*) from RAW.EVENTS where domain = ? group by 1) held group by 1 order by 1"
    )
    return {row["day"]: int(row["n"]) for row in query(connection, sql, [domain, domain])}


def held(connection: SnowflakeConnection) -> list[dict[str, object]]:
    sql = "select site, kind, interval_start, events, value_sum from RAW.ROLLUPS order by 3, 1, 2"
    return query(connection, sql)


live_stream = cache(stream)


def go_live(connection: SnowflakeConnection, start: datetime = START, **more: float) -> None:
    apply_batch(connection, live_stream(DOMAIN, start=start, rate=RATE, **more).batch)


def test_history_loaded_twice_adds_nothing(settings: Settings, warehouse: SnowflakeConnection) -> None:
    first = backfill.backfill(settings, days=2)
    assert first.events > 0
    again = backfill.backfill(settings, days=2)
    assert again.events == 0 or again.intervals == 1  # a half-hour may end between the two
    assert sum(by_day(warehouse).values()) == first.events + again.events


def test_a_day_has_the_events_that_were_drawn_for_it(settings: Settings, warehouse: SnowflakeConnection) -> None:
    backfill.backfill(settings, days=2)
    day = MIDNIGHT - timedelta(days=1)
    drawn = rollups(DOMAIN, seed=settings.seed, rate=RATE, start=day, end=MIDNIGHT)
    assert by_day(warehouse)[day.date()] == drawn["events"].sum()
    # and the draw follows the law, within five standard deviations of a Poisson number
    expected = DemandLaw(DOMAIN, RATE, settings.seed).expected(day, MIDNIGHT)
    assert abs(drawn["events"].sum() - expected) < 5 * expected**0.5


def test_history_ends_where_the_live_stream_begins(settings: Settings, warehouse: SnowflakeConnection) -> None:
    go_live(warehouse)
    (live,) = query(warehouse, "select min(received_at) as first from RAW.EVENTS")
    loaded = backfill.backfill(settings, days=1)
    (seam,) = query(
        warehouse,
        "select min(occurred_at) as first, max(occurred_at) as last, count(*) as n from RAW.EVENTS "
        "where topic = 'history'",
    )
    boundary = START - timedelta(minutes=10)
    assert seam["last"] < live["first"]
    assert loaded.raw_events == seam["n"]
    begin = seam["first"].replace(tzinfo=UTC)
    assert boundary <= begin < boundary + timedelta(minutes=1)
    (last,) = query(
        warehouse, "select max(interval_start) as last from RAW.ROLLUPS where interval_start < ?", [live["first"]]
    )
    assert last["last"].replace(tzinfo=UTC) == boundary - INTERVAL


def test_history_waits_until_the_first_event_of_a_running_stream_is_archived(
    settings: Settings, warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def archived(look: Callable[[], object], **_: float) -> object:
        assert not look()
        go_live(warehouse)
        return look()

    monkeypatch.setattr(backfill, "end_offsets", lambda settings, topic: {0: 3, 1: 0})
    monkeypatch.setattr(backfill, "wait_until", archived)
    assert backfill.backfill(settings, days=1).raw_events > 0


def test_no_interval_is_missing_and_none_is_there_twice(settings: Settings, warehouse: SnowflakeConnection) -> None:
    go_live(warehouse)
    backfill.backfill(settings, days=1)
    sql = (
        "select distinct interval_start as begin from RAW.ROLLUPS union all "
        "select distinct time_slice(occurred_at, 30, 'minute') from RAW.EVENTS order by 1"
    )
    begins = [row["begin"].replace(tzinfo=UTC) for row in query(warehouse, sql)]
    first = MIDNIGHT - timedelta(days=1)
    assert begins == [first + number * INTERVAL for number in range(len(begins))]
    assert begins[-1] == START - timedelta(minutes=10)


def test_the_same_history_tomorrow_fills_the_time_in_which_the_stack_was_down(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    go_live(warehouse)
    backfill.backfill(settings, days=1)
    before = held(warehouse)
    go_live(warehouse, START + timedelta(hours=4), seed=8)
    loaded = backfill.backfill(settings, days=1)
    begins = {row["interval_start"].replace(tzinfo=UTC) for row in held(warehouse)}  # type: ignore[attr-defined]
    down = {START - timedelta(minutes=10) + number * INTERVAL for number in range(1, 8)}
    assert down < begins
    assert loaded.intervals == len(down)
    assert loaded.raw_events == 0
    assert [row for row in held(warehouse) if row in before] == before


def test_each_domain_has_a_history_of_its_own(settings: Settings, warehouse: SnowflakeConnection) -> None:
    backfill.backfill(settings, days=1)
    assert backfill.backfill(settings.model_copy(update={"domain": "iot"}), days=1).events > 0
    assert by_day(warehouse).keys() == by_day(warehouse, "iot").keys()


def test_history_is_noted_so_that_the_same_rows_can_be_loaded_again(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    go_live(warehouse)
    backfill.backfill(settings.model_copy(update={"seed": 3}), days=1)
    backfill.backfill(settings.model_copy(update={"seed": 4, "rate": 2.0}), days=2)
    parts = batch_log.history_parts(settings)
    assert {(part.seed, part.rate, part.raw) for part in parts} >= {(3, 4.0, False), (3, 4.0, True), (4, 2.0, False)}
    before, events = held(warehouse), identifiers(warehouse)
    for table in ("RAW.EVENTS", "RAW.BATCHES", "RAW.ROLLUPS"):
        execute(warehouse, f"delete from {table}")
    go_live(warehouse)
    backfill.load_parts(settings, parts)
    assert held(warehouse) == before
    assert identifiers(warehouse) == events


def test_history_of_the_old_scale_is_replaced(settings: Settings, warehouse: SnowflakeConnection) -> None:
    ingest.backfill(warehouse, history(DOMAIN, seed=7, until=MIDNIGHT, days=1, per_day=50), domain="curbside")
    (settings.home / batch_log.FILE).write_text('{"history": {"curbside": {"2026-01-01": [50, 7]}}}')
    assert batch_log.has_old_history(settings)
    backfill.backfill(settings, days=1)
    assert not batch_log.has_old_history(settings)
    assert query(warehouse, "select count(*) as n from RAW.EVENTS")[0]["n"] == 0
    assert by_day(warehouse)[(MIDNIGHT - timedelta(days=1)).date()] > 100_000


def test_history_is_not_loaded_again_where_live_events_were_rolled_up(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    go_live(warehouse, START - timedelta(days=3))
    go_live(warehouse, seed=8)
    execute(warehouse, "update RAW.EVENTS set loaded_at = received_at")
    rolled = roll_up(warehouse, "curbside", days=2, interval_minutes=30)
    assert rolled is not None
    before = held(warehouse)
    backfill.backfill(settings, days=5)
    first = before[0]["interval_start"]
    assert [row for row in held(warehouse) if row["interval_start"] == first] == before


def identifiers(connection: SnowflakeConnection) -> set[str]:
    return {row["event_id"] for row in query(connection, "select event_id from RAW.EVENTS")}
