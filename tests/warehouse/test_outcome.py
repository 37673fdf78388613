"""What the alerting service asks of forecast and plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rtlib.warehouse.connection import execute
from rtlib.warehouse.ingest import HISTORY
from rtlib.warehouse.plan_status import Shortage, load_of_forecast, shortage
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


def forecast(connection: SnowflakeConnection, at: datetime, upper: float) -> None:
    execute(
        connection,
        "insert into ML.FORECASTS select 'curbside', 'all', 'ETS', cast(? as timestamp_ntz), "
        "cast(? as timestamp_ntz), 30, 1, 0, ?, null, true",
        (moment_text(at), moment_text(at), upper),
    )


def load_percent(connection: SnowflakeConnection) -> float | None:
    load = load_of_forecast(connection, "curbside", kinds=["customer_arrived"], now=NOON + HALF + timedelta(minutes=5))
    return load.percent if load else None


def test_the_last_ended_interval_is_compared_with_the_upper_bound_of_its_forecast(connection: Any) -> None:
    forecast(connection, NOON, 8.0)
    happened(connection, NOON - timedelta(days=2), 1)
    happened(connection, NOON, 12)
    assert load_percent(connection) == 150.0


def test_an_interval_without_a_forecast_has_no_load_of_forecast(connection: Any) -> None:
    forecast(connection, NOON - timedelta(hours=3), 8.0)
    happened(connection, NOON - timedelta(days=2), 1)
    happened(connection, NOON, 12)
    assert load_percent(connection) is None


def test_a_forecast_from_loaded_history_only_has_no_load_of_forecast(connection: Any) -> None:
    forecast(connection, NOON, 8.0)
    happened(connection, NOON - timedelta(days=2), 1, topic=HISTORY)
    happened(connection, NOON, 12)
    assert load_percent(connection) is None


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
