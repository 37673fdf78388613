"""Forecasts and plans in the warehouse: written once, replaced when written again, read as they were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from typer.testing import CliRunner

from rtlib import cli
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ConfigError, WarehouseError
from rtlib.pipeline import outlook as pipeline
from rtlib.pipeline.load import simulated_load
from rtlib.simulator import history
from rtlib.warehouse import outlook
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.load import apply_batch, backfill
from support.warehouse_rows import NOON, batch, event_row
from support.warehouse_server import WarehouseServer

START = datetime(2026, 3, 2)
MADE = datetime(2026, 3, 1, 20, tzinfo=UTC)


@pytest.fixture
def empty(warehouse: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    """A session in a warehouse without forecasts and plans."""
    for table in ("ML.FORECASTS", "ML.BACKTESTS", "OPS.STAFFING"):
        execute(warehouse, f"delete from {table}")
    yield warehouse


def a_forecast(hours: float = 0, **changed: Any) -> dict[str, Any]:
    row = {
        "site": "a", "model": "ETS", "made_at": MADE, "interval_start": START + timedelta(hours=hours),
        "interval_minutes": 30, "mean": 0.1 + 0.2, "lower_80": 0.0, "upper_80": 1e-9,
        "quantiles": {"0.05": 0.1, "0.95": 7.25}, "is_champion": True,
    }  # fmt: skip
    return {**row, **changed}


def a_backtest(**changed: Any) -> dict[str, Any]:
    row = {
        "site": "a", "model": "ETS", "made_at": MADE, "origins": 4, "horizon_days": 7, "mae": 1.5, "wape": float("nan"),
        "mase": 0.7, "bias": -0.01, "coverage_80": 0.8, "pinball": 0.4, "is_champion": True, "why": 'it "won"; a\nlot',
    }  # fmt: skip
    return {**row, **changed}


def a_plan(hours: float = 0, **changed: Any) -> dict[str, Any]:
    row = {
        "site": "a", "interval_start": START + timedelta(hours=hours), "interval_minutes": 30, "role": "Runner",
        "quantile": 0.6, "contacts": 3.5, "required": 3, "planned": 4, "service_level": 0.9, "cost": 52.0,
        "currency": "USD", "made_at": MADE,
    }  # fmt: skip
    return {**row, **changed}


def test_forecasts_and_backtests_come_back_as_they_were_written(empty: SnowflakeConnection) -> None:
    outlook.write_forecasts(empty, "iot", [a_forecast()], [a_backtest(), a_backtest(model="x", mae=1.0, why=None)])
    (told,) = outlook.read_forecasts(empty, "iot")
    assert (told["mean"], told["upper_80"], told["quantiles"]) == (0.1 + 0.2, 1e-9, {0.05: 0.1, 0.95: 7.25})
    assert (told["interval_start"], told["made_at"]) == (START, MADE.replace(tzinfo=None))
    best, other = outlook.read_backtests(empty, "iot")
    assert (best["model"], best["why"]) == ("x", None)
    assert (other["wape"], other["why"], other["is_champion"]) == (None, 'it "won"; a\nlot', True)


def test_writing_again_replaces_what_lies_ahead_and_keeps_what_is_past(empty: SnowflakeConnection) -> None:
    later = MADE + timedelta(hours=1)
    outlook.write_forecasts(empty, "iot", [a_forecast(hour) for hour in range(4)], [a_backtest()])
    outlook.write_forecasts(empty, "gaming", [a_forecast()], [a_backtest()])
    for _ in range(2):
        again = [a_forecast(hour, made_at=later) for hour in range(2, 4)]
        outlook.write_forecasts(empty, "iot", again, [a_backtest(made_at=later)])
    assert query(empty, "select domain, made_at, count(*) as n from ML.FORECASTS group by 1, 2 order by 1, 2") == [
        {"domain": "gaming", "made_at": MADE.replace(tzinfo=None), "n": 1},
        {"domain": "iot", "made_at": MADE.replace(tzinfo=None), "n": 2},
        {"domain": "iot", "made_at": later.replace(tzinfo=None), "n": 2},
    ]
    assert len(outlook.read_forecasts(empty, "iot")) == 2
    assert len(outlook.read_backtests(empty, "iot")) == 1


def test_a_forecast_that_cannot_be_stored_changes_nothing(empty: SnowflakeConnection) -> None:
    outlook.write_forecasts(empty, "iot", [a_forecast()], [a_backtest()])
    with pytest.raises(WarehouseError):
        outlook.write_forecasts(empty, "iot", [a_forecast(mean="much")], [])
    assert len(outlook.read_forecasts(empty, "iot")) == len(outlook.read_backtests(empty, "iot")) == 1


def test_a_plan_is_replaced_from_its_first_interval_on(empty: SnowflakeConnection) -> None:
    outlook.write_staffing(empty, "iot", [a_plan(hour) for hour in range(4)])
    outlook.write_staffing(empty, "iot", [a_plan(hour, planned=9) for hour in (2, 3)])
    assert [row["planned"] for row in outlook.read_staffing(empty, "iot")] == [4, 4, 9, 9]


def test_load_counts_the_staffed_kinds_in_intervals_that_are_over(empty: SnowflakeConnection) -> None:
    kinds = {0: "handover", 60: "handover", 61: "order_placed", 1900: "order_placed", 3700: "handover"}
    apply_batch(empty, batch(*(event_row(second, kind=kind) for second, kind in kinds.items())))
    told = outlook.interval_load(empty, "curbside", kinds=["handover"], interval_minutes=30)
    begin = NOON.replace(tzinfo=None)
    assert {(row["interval_start"], int(row["events"])) for row in told if row["events"]} == {(begin, 2)}
    assert {row["interval_start"] for row in told} == {begin, begin + timedelta(minutes=30)}


@pytest.fixture
def settings(warehouse_server: WarehouseServer) -> Settings:
    return warehouse_server.settings


def test_without_history_a_forecast_says_how_to_get_some(empty: SnowflakeConnection, settings: Settings) -> None:
    with pytest.raises(ConfigError, match="no events of the domain curbside") as caught:
        pipeline.forecast(settings)
    assert caught.value.cure == "rtlib backfill"
    with pytest.raises(ConfigError, match="no forecast of the domain curbside") as caught:
        pipeline.plan(settings)
    assert caught.value.cure == "rtlib staffing forecast"


def test_from_raw_events_to_forecasts_to_a_plan_and_again(
    empty: SnowflakeConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = load_domain("curbside")
    until = datetime(2026, 3, 2, tzinfo=UTC)
    backfill(empty, history(domain, seed=7, until=until, days=18, per_day=500), domain="curbside")
    monkeypatch.setenv("RTLIB_HOME", str(settings.home))
    monkeypatch.setenv("RTLIB_PART", settings.part)
    shown = CliRunner().invoke(cli.app, ["staffing", "forecast", "--days", "1"])
    assert shown.exit_code == 0, shown.output
    assert "oakland-3rd-st: " in shown.output and "is taken" in shown.output
    counted = query(empty, "select count(*) as n, count(distinct site) as sites from ML.FORECASTS")[0]
    assert (counted["n"], counted["sites"]) == (9 * 7 * 48, 9)  # eight sites and all, seven models
    told = outlook.read_forecasts(empty, "curbside")
    assert told[0]["interval_start"] == START
    assert all(row["lower_80"] <= row["upper_80"] for row in told)
    assert sum(row["is_champion"] for row in outlook.read_backtests(empty, "curbside")) == 9
    for _ in range(2):  # the second time changes nothing
        planned = pipeline.plan(settings)
        rows = outlook.read_staffing(empty, "curbside")
        assert len(rows) == len(planned) * len(planned[0].roster.opens) == 8 * 36
        assert all(row["required"] >= 1 for row in rows)
    assert sum(row["cost"] for row in rows) == pytest.approx(sum(one.roster.wages for one in planned))


def test_simulated_counts_follow_the_law_of_simulated_events() -> None:
    domain, until = load_domain("curbside"), datetime(2026, 3, 2, tzinfo=UTC)
    drawn = simulated_load(domain, seed=3, until=until, days=14, per_day=5000)
    made = [
        one for one in history(domain, seed=3, until=until, days=14, per_day=5000) if one.kind == "customer_arrived"
    ]
    assert sum(row["events"] for row in drawn) == pytest.approx(len(made), rel=0.08)
    assert len(drawn) == 14 * 48 * 8
    assert drawn[0]["interval_start"] == datetime(2026, 2, 16)
    for site in (domain.sites[0].id, domain.sites[-1].id):
        here = sum(row["events"] for row in drawn if row["site"] == site)
        assert here == pytest.approx(sum(one.site == site for one in made), rel=0.2)
    evening = sum(row["events"] for row in drawn if row["interval_start"].hour == 18)
    assert evening == pytest.approx(sum(one.occurred_at.hour == 18 for one in made), rel=0.15)
    assert drawn == simulated_load(domain, seed=3, until=until, days=14, per_day=5000)
