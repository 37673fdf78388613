"""What the alerting service asks of forecast and plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rtlib.warehouse.connection import execute
from rtlib.warehouse.ingest import HISTORY
from rtlib.warehouse.plan_status import Shortage, shortage
from rtlib.warehouse.recent_load import load_of_forecast, recent_load
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HALF = timedelta(minutes=30)


@pytest.fixture
def connection(warehouse: SnowflakeConnection) -> SnowflakeConnection:
    for table in ("ML.FORECASTS", "OPS.STAFFING"):
        execute(warehouse, f"delete from {table}")
    return warehouse


def happened(
    connection: SnowflakeConnection, at: datetime, count: int, *, topic: str = "rtlib.curbside.events"
) -> None:
    for number in range(count):
        moment = moment_text(at + timedelta(seconds=number))
        execute(
            connection,
            "insert into RAW.EVENTS (event_id, domain, site, kind, occurred_at, producer_id, sequence, unit, topic, "
            "kafka_partition, kafka_offset, received_at, batch_id) select ?, 'curbside', 'north', 'customer_arrived', "
            "cast(? as timestamp_ntz), 'p', ?, 'event', ?, 0, ?, cast(? as timestamp_ntz), 1",
            (f"{topic}-{moment}", moment, number, topic, number, moment),
        )


def forecast(connection: SnowflakeConnection, at: datetime, upper: float, *, made_at: datetime | None = None) -> None:
    execute(
        connection,
        "insert into ML.FORECASTS select 'curbside', 'all', 'ETS', cast(? as timestamp_ntz), "
        "cast(? as timestamp_ntz), 30, 1, 0, ?, null, true",
        (moment_text(made_at or NOON), moment_text(at), upper),
    )


def load_percent(connection: SnowflakeConnection, now: datetime = NOON + timedelta(minutes=20)) -> float | None:
    load = load_of_forecast(connection, "curbside", kinds=["customer_arrived"], now=now)
    return load.percent if load else None


def test_the_last_ten_minutes_are_compared_with_their_share_of_the_upper_bound(connection: Any) -> None:
    forecast(connection, NOON, 24.0)
    happened(connection, NOON + timedelta(minutes=15), 12)
    assert load_percent(connection) == pytest.approx(100 * 11 / 8, rel=0.01)  # the newest event ends the stretch


def test_a_stretch_over_two_intervals_has_a_share_of_both_upper_bounds(connection: Any) -> None:
    forecast(connection, NOON - HALF, 60.0)
    forecast(connection, NOON, 24.0)
    happened(connection, NOON - timedelta(minutes=2), 11)
    happened(connection, NOON + timedelta(minutes=5), 1)
    soon = NOON + timedelta(minutes=6)
    assert load_percent(connection, soon) == pytest.approx(100 * 11 / (60 / 6 + 24 / 6))


def test_of_two_forecasts_the_newer_counts(connection: Any) -> None:
    forecast(connection, NOON, 99.0, made_at=NOON - HALF)
    forecast(connection, NOON, 24.0)
    happened(connection, NOON + timedelta(minutes=15), 9)
    assert load_percent(connection) == pytest.approx(100.0, rel=0.01)


def test_a_stretch_without_a_forecast_has_no_load_of_forecast(connection: Any) -> None:
    forecast(connection, NOON - timedelta(hours=3), 8.0)
    forecast(connection, NOON, 8.0)
    happened(connection, NOON + timedelta(minutes=5), 12)  # half of the stretch lies before the forecast
    assert load_percent(connection) is None


def test_a_paused_stream_has_no_load_of_forecast(connection: Any) -> None:
    forecast(connection, NOON, 8.0)
    happened(connection, NOON + timedelta(minutes=12), 12)
    assert load_percent(connection, now=NOON + timedelta(minutes=25)) is None


def test_recent_load_counts_raw_and_rolled_up_events_of_the_kinds(connection: Any) -> None:
    happened(connection, NOON, 3)
    happened(connection, NOON + HALF, 2, topic=HISTORY)
    execute(connection, "delete from RAW.ROLLUPS")
    for kind in ("customer_arrived", "order_placed"):
        execute(
            connection,
            "insert into RAW.ROLLUPS (domain, site, kind, interval_start, events, live_events, values_counted, "
            "loaded_at) select 'curbside', 'north', ?, cast(? as timestamp_ntz), 7, 0, 0, cast(? as timestamp_ntz)",
            (kind, moment_text(NOON - HALF), moment_text(NOON)),
        )
    load = recent_load(connection, "curbside", kinds=["customer_arrived"], since=NOON - HALF, interval_minutes=30)
    assert load.events == {NOON - HALF: 7, NOON: 3, NOON + HALF: 2}
    assert load.newest == NOON + HALF + timedelta(seconds=1)
    later = recent_load(connection, "curbside", kinds=["customer_arrived"], since=NOON, interval_minutes=30)
    assert later.events == {NOON: 3, NOON + HALF: 2}
    others = recent_load(connection, "curbside", kinds=["order_ready"], since=NOON, interval_minutes=30)
    assert others.events == {NOON: 0, NOON + HALF: 0}
    nothing = recent_load(connection, "iot", kinds=["fault_raised"], since=NOON, interval_minutes=30)
    assert (nothing.events, nothing.newest) == ({}, None)


def planned(
    connection: SnowflakeConnection, at: datetime, site: str, required: int, there: int, needed: int | None
) -> None:
    execute(
        connection,
        "insert into OPS.STAFFING (domain, site, interval_start, interval_minutes, role, quantile, contacts, required, "
        "planned, service_level, cost, currency, made_at, needed) select 'curbside', ?, cast(? as timestamp_ntz), 30, "
        "'runner', 0.7, 1, ?, ?, 0.8, 1, 'USD', cast(? as timestamp_ntz), ?",
        (site, moment_text(at), required, there, moment_text(at), needed),
    )


def test_the_worst_interval_of_the_next_two_hours_counts_over_all_sites(connection: Any) -> None:
    assert shortage(connection, "curbside", now=NOON) == Shortage(None, None)
    planned(connection, NOON, "north", 5, 5, 5)
    planned(connection, NOON + HALF, "north", 4, 4, 6)
    planned(connection, NOON + HALF, "south", 2, 2, 3)
    planned(connection, NOON + HALF, "east", 1, 9, 1)  # who stands idle at another site does not help
    planned(connection, NOON + timedelta(hours=5), "north", 0, 0, 99)
    assert shortage(connection, "curbside", now=NOON) == Shortage(3.0, NOON + HALF)


@pytest.mark.parametrize(
    ("required", "there", "needed", "short"),
    [
        (6, 4, 6, 0.0),  # the plan accepted a gap of 2
        (6, 4, 5, 0.0),
        (6, 4, 7, 1.0),  # the need grew by 1 beyond what the plan accepted
        (4, 6, 6, 0.0),  # spare people on the plan cover a need that grew
        (4, 6, 8, 2.0),
        (6, 4, None, 0.0),  # a plan from before the newer forecasts were stored
    ],
)
def test_only_a_need_beyond_the_plan_and_its_accepted_gap_is_a_shortage(
    connection: Any, required: int, there: int, needed: int | None, short: float
) -> None:
    planned(connection, NOON, "north", required, there, needed)
    assert shortage(connection, "curbside", now=NOON).people == short
