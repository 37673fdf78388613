"""What the nodes of dbt, forecast and staffing show: what their last runs left, or that there was none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from snowflake.connector import SnowflakeConnection

from rtlib.pipeline.batch_probes import forecast, staffing
from rtlib.records import Status
from rtlib.warehouse.connection import execute
from rtlib.warehouse.outcome import outcome
from rtlib.warehouse.outlook import write_forecasts, write_staffing

NOW = datetime.now(UTC).replace(tzinfo=None, minute=0, second=0, microsecond=0)
A_WHILE_AGO = timedelta(minutes=10)


def forecast_row(site: str, hour: int) -> dict[str, Any]:
    begin = NOW + timedelta(hours=hour)
    return {
        "site": site, "model": "seasonal", "made_at": NOW, "interval_start": begin, "interval_minutes": 60,
        "mean": 10.0, "lower_80": 8.0, "upper_80": 12.0, "quantiles": None, "is_champion": True,
    }  # fmt: skip


def backtest_row(site: str, wape: float) -> dict[str, Any]:
    return {
        "site": site, "model": "seasonal", "made_at": NOW, "origins": 3, "horizon_days": 7, "mae": 1.0, "wape": wape,
        "mase": 1.0, "bias": 0.0, "coverage_80": 0.8, "pinball": 1.0, "is_champion": True, "why": "it was best",
    }  # fmt: skip


def staffing_row(site: str, hour: int, required: int, planned: int) -> dict[str, Any]:
    begin = datetime.now(UTC).replace(tzinfo=None, second=0, microsecond=0) - A_WHILE_AGO + timedelta(hours=hour)
    return {
        "site": site, "interval_start": begin, "interval_minutes": 60, "role": "Runner",
        "quantile": 0.7, "contacts": 10.0, "required": required, "planned": planned, "service_level": 0.8,
        "cost": 1.0, "currency": "USD", "made_at": NOW,
    }  # fmt: skip


def test_before_anything_was_made_the_nodes_are_idle_and_say_what_to_do(warehouse: SnowflakeConnection) -> None:
    for table in ("ML.FORECASTS", "ML.BACKTESTS", "OPS.STAFFING"):
        execute(warehouse, f"delete from {table}")
    told = outcome(warehouse, "gaming")
    for seen, verb in ((forecast(told), "rtlib staffing forecast"), (staffing(told), "rtlib staffing plan")):
        assert seen.status is Status.IDLE
        assert verb in seen.reason
        assert seen.readings == ()


def test_the_forecast_shows_its_error_its_interval_and_its_champions(warehouse: SnowflakeConnection) -> None:
    ahead = [forecast_row(site, hour) for site in ("a", "b", "all") for hour in range(30)]
    write_forecasts(warehouse, "curbside", ahead, [backtest_row("a", 0.1), backtest_row("b", 0.2)])
    seen = forecast(outcome(warehouse, "curbside"))
    numbers = {one.name: round(one.value or 0, 6) for one in seen.readings}
    assert seen.status is Status.HEALTHY
    assert numbers == {"error (WAPE)": 15.0, "interval held": 80.0, "sites": 2, "next day": 480.0}
    assert "seasonal (2)" in seen.reason


def test_the_plan_shows_who_is_needed_now_at_the_peak_and_where_it_falls_short(warehouse: SnowflakeConnection) -> None:
    rows = [
        staffing_row("a", 0, 3, 3),
        staffing_row("b", 0, 2, 4),
        staffing_row("a", 5, 6, 4),
        staffing_row("b", 5, 5, 4),
        staffing_row("a", -9, 50, 50),
    ]
    write_staffing(warehouse, "curbside", rows)
    seen = staffing(outcome(warehouse, "curbside"))
    assert {one.name: one.value for one in seen.readings} == {"needed now": 5, "next peak": 11, "largest gap": 3}
