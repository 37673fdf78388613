"""The nodes of dbt, forecast and staffing show the results of their last runs, or that there was none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from snowflake.connector import SnowflakeConnection

from rtlib.config import DOMAINS
from rtlib.domains import load_domain
from rtlib.pipeline.monitoring.probes.batch import forecast, report, staffing
from rtlib.pipeline.planning.today import Today
from rtlib.records import Observation, Status
from rtlib.warehouse.connection import execute
from rtlib.warehouse.plan_status import outcome
from rtlib.warehouse.plan_store import write_forecasts, write_staffing

CLOCK = datetime.now(UTC)
NOW = CLOCK.replace(tzinfo=None, minute=0, second=0, microsecond=0)
A_WHILE_AGO = timedelta(minutes=10)
ZONE = "Asia/Kolkata"  # five and a half hours ahead of UTC


def forecast_row(site: str, hour: int, mean: float = 10.0) -> dict[str, Any]:
    begin = NOW + timedelta(hours=hour)
    return {
        "site": site, "model": "seasonal", "made_at": NOW, "interval_start": begin, "interval_minutes": 60,
        "mean": mean, "lower_80": 8.0, "upper_80": 12.0, "quantiles": None, "is_champion": True,
    }  # fmt: skip


def backtest_row(site: str, wape: float) -> dict[str, Any]:
    return {
        "site": site, "model": "seasonal", "made_at": NOW, "origins": 3, "horizon_days": 7, "mae": 1.0, "wape": wape,
        "mase": 1.0, "bias": 0.0, "coverage_80": 0.8, "pinball": 1.0, "is_champion": True, "why": "it was best",
    }  # fmt: skip


def staffing_row(site: str, hour: int, required: int, planned: int, needed: int | None = None) -> dict[str, Any]:
    begin = CLOCK.replace(tzinfo=None, second=0, microsecond=0) - A_WHILE_AGO + timedelta(hours=hour)
    return {
        "site": site, "interval_start": begin, "interval_minutes": 60, "role": "Runner",
        "quantile": 0.7, "contacts": 10.0, "required": required, "planned": planned, "service_level": 0.8,
        "cost": 1.0, "currency": "USD", "made_at": NOW, "needed": required if needed is None else needed,
        "assumptions": None,
    }  # fmt: skip


def forecast_node(warehouse: SnowflakeConnection, *, days_later: int = 0) -> Observation:
    now = CLOCK + timedelta(days=days_later)
    return forecast(outcome(warehouse, "curbside", now=now), Today(CLOCK, 4, 3, 1.0, 1.0), now=now, zone=ZONE)


def staffing_node(warehouse: SnowflakeConnection, *, days_later: int = 0, zone: str = ZONE) -> Observation:
    now = CLOCK + timedelta(days=days_later)
    return staffing(outcome(warehouse, "curbside", now=now), now=now, zone=zone)


def numbers(node: Observation) -> dict[str, float | None]:
    return {reading.name: None if reading.value is None else round(reading.value, 6) for reading in node.readings}


def test_before_the_first_run_the_nodes_are_idle_and_have_no_numbers(warehouse: SnowflakeConnection) -> None:
    for table in ("ML.FORECASTS", "ML.BACKTESTS", "OPS.STAFFING"):
        execute(warehouse, f"delete from {table}")
    result = outcome(warehouse, "gaming", now=CLOCK)
    nodes = (
        forecast(result, None, now=CLOCK, zone=ZONE),
        staffing(result, now=CLOCK, zone=ZONE),
        report(None, now=CLOCK),
    )
    assert [(node.status, node.reason, node.readings) for node in nodes] == [
        (Status.IDLE, "no forecast was made yet", ()),
        (Status.IDLE, "no plan was made yet", ()),
        (Status.IDLE, "no rows were exported yet", ()),
    ]


def test_the_forecast_shows_its_error_its_interval_and_its_champions(warehouse: SnowflakeConnection) -> None:
    ahead = [forecast_row(site, hour) for site in ("a", "b", "all") for hour in range(30)]
    write_forecasts(warehouse, "curbside", ahead, [backtest_row("a", 0.1), backtest_row("b", 0.2)])
    node = forecast_node(warehouse)
    assert node.status is Status.HEALTHY
    assert numbers(node) == {"error (WAPE)": 15.0, "interval held": 80.0, "today inside": 75.0, "next day": 480.0}
    assert "seasonal (2)" in node.reason


def test_the_next_day_lies_ahead_although_older_forecasts_are_kept(
    warehouse: SnowflakeConnection,
) -> None:
    write_forecasts(warehouse, "curbside", [forecast_row("a", hour, 99.0) for hour in range(-72, 1)], [])
    write_forecasts(warehouse, "curbside", [forecast_row("a", hour) for hour in range(60)], [])
    assert numbers(forecast_node(warehouse))["next day"] == 240.0
    assert numbers(forecast_node(warehouse, days_later=2))["next day"] == 120.0  # the rest of the forecast


def test_a_forecast_that_has_ended_is_degraded_and_gives_its_end(warehouse: SnowflakeConnection) -> None:
    write_forecasts(warehouse, "curbside", [forecast_row("a", hour) for hour in range(30)], [backtest_row("a", 0.1)])
    node = forecast_node(warehouse, days_later=3)
    assert (node.status, numbers(node)["next day"]) == (Status.DEGRADED, None)
    assert f"ended at {NOW + timedelta(hours=30, minutes=330):%a %d %b %H:%M} in Kolkata" in node.reason
    assert "rtlib staffing forecast" in node.reason


def test_the_plan_shows_the_staff_needed_now_and_at_the_peak_and_the_need_beyond_it(
    warehouse: SnowflakeConnection,
) -> None:
    rows = [
        staffing_row("a", 0, 3, 3),
        staffing_row("b", 0, 2, 4),
        staffing_row("a", 5, 6, 4, needed=7),
        staffing_row("b", 5, 5, 4, needed=7),
        staffing_row("a", -9, 50, 50, needed=99),
    ]
    write_staffing(warehouse, "curbside", rows)
    node = staffing_node(warehouse)
    assert numbers(node) == {"needed now": 5, "next peak": 14, "accepted gap": 3, "beyond plan": 3}
    assert node.status is Status.DEGRADED
    when = CLOCK - A_WHILE_AGO + timedelta(hours=5, minutes=330)
    assert node.reason == f"3 more needed than planned, {when:%a %d %b %H:%M} in Kolkata; cure: rtlib staffing plan"


def test_the_longest_sentence_of_the_plan_fits_into_the_banner(warehouse: SnowflakeConnection) -> None:
    write_staffing(warehouse, "curbside", [staffing_row("a", 5, 1, 1, needed=120)])
    longest = max((load_domain(name).time_zone for name in DOMAINS), key=len)
    assert len(staffing_node(warehouse, zone=longest).reason) <= 90


def test_a_gap_that_the_plan_accepted_to_save_cost_is_healthy(warehouse: SnowflakeConnection) -> None:
    write_staffing(warehouse, "curbside", [staffing_row("a", 5, 6, 4), staffing_row("b", 5, 5, 4, needed=2)])
    node = staffing_node(warehouse)
    assert (node.status, numbers(node)["accepted gap"], numbers(node)["beyond plan"]) == (Status.HEALTHY, 3, 0)
    assert node.reason == "the plan holds; to save cost it accepts a gap of 3 at most"


def test_a_shortage_that_is_over_is_no_gap(warehouse: SnowflakeConnection) -> None:
    write_staffing(warehouse, "curbside", [staffing_row("a", -9, 50, 4, needed=60), staffing_row("a", 5, 6, 6)])
    node = staffing_node(warehouse)
    assert (node.status, numbers(node)["accepted gap"], numbers(node)["beyond plan"]) == (Status.HEALTHY, 0, 0)
    assert node.reason == "the plan covers the need as now forecast"


def test_a_plan_that_has_ended_is_degraded_and_gives_its_end(warehouse: SnowflakeConnection) -> None:
    write_staffing(warehouse, "curbside", [staffing_row("a", 0, 6, 4)])
    node = staffing_node(warehouse, days_later=2)
    assert node.status is Status.DEGRADED
    assert numbers(node) == {
        "needed now": None, "next peak": None, "accepted gap": None, "beyond plan": None,
    }  # fmt: skip
    assert f"ended at {CLOCK - A_WHILE_AGO + timedelta(hours=1, minutes=330):%a %d %b %H:%M} in Kolkata" in node.reason
    assert "rtlib staffing plan" in node.reason
