"""Forecasts and plans in the warehouse: written once, replaced when written again, read as they were."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from snowflake.connector import SnowflakeConnection
from typer.testing import CliRunner

from rtlib import cli
from rtlib.config import Settings
from rtlib.domains import ALL_SITES, Staffing, load_domain
from rtlib.errors import ConfigError, WarehouseError
from rtlib.forecast import LEVELS, forecast_all
from rtlib.forecast.baseline import FOUR_WEEK_MEAN
from rtlib.pipeline import dbt
from rtlib.pipeline.page_data import PageData
from rtlib.pipeline.planning import demand, forecasting, staff_plan
from rtlib.pipeline.planning.plan_needs import needs
from rtlib.pipeline.planning.staff_plan import PlannedDay
from rtlib.simulator import history
from rtlib.simulator.interval_counts import simulated_load
from rtlib.warehouse import load_mart, plan_store
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import apply_batch, backfill
from support.warehouse_rows import NOON, batch, event_row
from support.warehouse_server import WarehouseServer

START = datetime(2026, 3, 2)
MIDNIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)  # in California
MADE = datetime(2026, 3, 1, 20, tzinfo=UTC)


@pytest.fixture
def empty(warehouse: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    """A session in a warehouse without marts, forecasts and plans."""
    for table in ("ML.FORECASTS", "ML.BACKTESTS", "OPS.STAFFING"):
        execute(warehouse, f"delete from {table}")
    for schema in ("STAGING", "INTERMEDIATE", "MARTS"):
        execute(warehouse, f"drop schema if exists {schema} cascade")
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
        "currency": "USD", "made_at": MADE, "needed": 3, "assumptions": None,
    }  # fmt: skip
    return {**row, **changed}


def test_forecasts_and_backtests_come_back_as_they_were_written(empty: SnowflakeConnection) -> None:
    plan_store.write_forecasts(empty, "iot", [a_forecast()], [a_backtest(), a_backtest(model="x", mae=1.0, why=None)])
    (forecast,) = plan_store.read_forecasts(empty, "iot")
    assert (forecast["mean"], forecast["upper_80"], forecast["quantiles"]) == (0.1 + 0.2, 1e-9, {0.05: 0.1, 0.95: 7.25})
    assert (forecast["interval_start"], forecast["made_at"]) == (START, MADE.replace(tzinfo=None))
    best, other = plan_store.read_backtests(empty, "iot")
    assert (best["model"], best["why"]) == ("x", None)
    assert (other["wape"], other["why"], other["is_champion"]) == (None, 'it "won"; a\nlot', True)


def test_writing_again_replaces_what_lies_ahead_and_keeps_what_is_past(empty: SnowflakeConnection) -> None:
    later = MADE + timedelta(hours=1)
    plan_store.write_forecasts(empty, "iot", [a_forecast(hour) for hour in range(4)], [a_backtest()])
    plan_store.write_forecasts(empty, "gaming", [a_forecast()], [a_backtest()])
    for _ in range(2):
        again = [a_forecast(hour, made_at=later) for hour in range(2, 4)]
        plan_store.write_forecasts(empty, "iot", again, [a_backtest(made_at=later)])
    assert query(empty, "select domain, made_at, count(*) as n from ML.FORECASTS group by 1, 2 order by 1, 2") == [
        {"domain": "gaming", "made_at": MADE.replace(tzinfo=None), "n": 1},
        {"domain": "iot", "made_at": MADE.replace(tzinfo=None), "n": 2},
        {"domain": "iot", "made_at": later.replace(tzinfo=None), "n": 2},
    ]
    assert len(plan_store.read_forecasts(empty, "iot")) == 2
    assert len(plan_store.read_backtests(empty, "iot")) == 1


def test_a_forecast_that_cannot_be_stored_changes_nothing(empty: SnowflakeConnection) -> None:
    plan_store.write_forecasts(empty, "iot", [a_forecast()], [a_backtest()])
    with pytest.raises(WarehouseError):
        plan_store.write_forecasts(empty, "iot", [a_forecast(mean="much")], [])
    assert len(plan_store.read_forecasts(empty, "iot")) == len(plan_store.read_backtests(empty, "iot")) == 1


def test_a_plan_is_replaced_from_its_first_interval_on(empty: SnowflakeConnection) -> None:
    plan_store.write_staffing(empty, "iot", [a_plan(hour) for hour in range(4)])
    plan_store.write_staffing(empty, "iot", [a_plan(hour, planned=9) for hour in (2, 3)])
    assert [row["planned"] for row in plan_store.read_staffing(empty, "iot")] == [4, 4, 9, 9]


def test_a_new_forecast_changes_the_need_beside_the_plan_and_nothing_else_of_it(empty: SnowflakeConnection) -> None:
    plan_store.write_staffing(empty, "iot", [a_plan(hour, assumptions={"least": 2}) for hour in range(3)])
    plan_store.write_staffing(empty, "gaming", [a_plan(1)])
    before = plan_store.read_staffing(empty, "iot")
    renewed = [{"site": "a", "interval_start": START + timedelta(hours=1), "needed": 9}]
    plan_store.write_forecasts(empty, "iot", [a_forecast()], [a_backtest()], renewed)
    after = plan_store.read_staffing(empty, "iot")
    assert [row["needed"] for row in after] == [3, 9, 3]
    assert [{**row, "needed": 0} for row in after] == [{**row, "needed": 0} for row in before]
    assert [row["needed"] for row in plan_store.read_staffing(empty, "gaming")] == [3]


def made(plan: list[PlannedDay], role: Staffing, **changes: float) -> list[dict[str, Any]]:
    """The rows of a plan, as they come back from the warehouse."""
    rows = [row for day in plan for row in staff_plan.rows_of(role, day, MADE, changes)]
    return [{**row, "assumptions": json.dumps(row["assumptions"]) if row["assumptions"] else None} for row in rows]


@pytest.mark.parametrize("changes", [{}, {"service_level": 0.5, "least": 2}])
def test_the_need_of_an_unchanged_forecast_is_what_the_plan_required(changes: dict[str, Any]) -> None:
    role = load_domain("curbside").staffing
    levels = LEVELS.tolist()
    # A single busy half-hour, for which a whole shift costs more than the gap.
    counts = {level: [round((2 + 6 * level) * (10 if slot == 25 else 1), 4) for slot in range(48)] for level in levels}
    changed = dataclasses.replace(role, **changes)
    day = staff_plan.planned_day(changed, "a", START.date(), expected=counts[levels[9]], quantiles=counts)
    plan = made([day], changed, **changes)
    assert any(row["required"] > row["planned"] for row in plan), "without an accepted gap, this test shows nothing"

    def forecast_of(factor: float) -> list[dict[str, Any]]:
        quantiles = [{f"{level:.2f}": factor * counts[level][slot] for level in levels} for slot in range(48)]
        return [a_forecast(slot / 2, quantiles=at) for slot, at in enumerate(quantiles)]

    required = [row["required"] for row in plan]
    assert [row["needed"] for row in needs(role, plan, forecast_of(1))] == required
    doubled = [row["needed"] for row in needs(role, plan, forecast_of(2))]
    assert doubled > required and all(new >= old for new, old in zip(doubled, required, strict=True))
    assert needs(role, plan, [a_forecast(100)]) == []
    unknown = {f"{level:.2f}": float("nan") for level in levels}
    assert needs(role, plan, [a_forecast(slot / 2, quantiles=unknown) for slot in range(48)]) == []


@pytest.fixture
def settings(warehouse_server: WarehouseServer) -> Settings:
    return warehouse_server.settings


def put_mart(connection: SnowflakeConnection, counts: Mapping[tuple[str, datetime], int]) -> None:
    """Put the mart into the warehouse as dbt would, from events by site and begin of the interval."""
    execute(connection, "create schema if not exists MARTS")
    execute(
        connection,
        "create or replace table MARTS.INTERVAL_LOAD "
        "(domain varchar, site varchar, interval_start timestamp_ntz, events number(19, 0))",
    )
    rows = [f"('curbside', '{site}', '{start}', {events})" for (site, start), events in counts.items()]
    for first in range(0, len(rows), 500):  # a statement of thousands of rows takes too long to parse
        execute(connection, f"insert into MARTS.INTERVAL_LOAD values {', '.join(rows[first : first + 500])}")


def test_without_history_the_error_of_a_forecast_says_how_to_load_some(
    empty: SnowflakeConnection, settings: Settings
) -> None:
    with pytest.raises(ConfigError, match="no events of the domain curbside") as caught:
        forecasting.forecast(settings)
    assert caught.value.cure == "rtlib backfill && rtlib dbt build"
    with pytest.raises(ConfigError, match="no forecast of the domain curbside") as caught:
        staff_plan.plan(settings)
    assert caught.value.cure == "rtlib staffing forecast"


def test_a_mart_that_is_not_built_is_named_with_the_cure(empty: SnowflakeConnection, settings: Settings) -> None:
    apply_batch(empty, batch(event_row(0, kind="handover")))
    with pytest.raises(ConfigError, match="interval_load, which forecasts read, is not built") as caught:
        forecasting.forecast(settings)
    assert caught.value.cure == "rtlib dbt build"
    assert load_mart.interval_load(empty, "curbside") == []
    assert PageData(settings).plan().load == ()


def test_the_mart_is_compared_with_raw_over_finished_days(empty: SnowflakeConnection, settings: Settings) -> None:
    noon, day = NOON.replace(tzinfo=None), 24 * 3600
    apply_batch(empty, batch(*(event_row(second) for second in (0, 60, 1900, day))))
    put_mart(empty, {("site-0", noon): 1, ("site-0", noon + timedelta(minutes=30)): 1})
    coverage = load_mart.mart_coverage(empty, "curbside", interval_minutes=demand.INTERVAL_MINUTES)
    assert coverage == load_mart.MartCoverage(is_built=True, intervals=3, finished=2, missing=0)

    # RAW may be ahead of the mart by an unfinished day, and not by a finished one.
    apply_batch(empty, batch(event_row(day + 7200), number=1))
    assert load_mart.mart_coverage(empty, "curbside", interval_minutes=30).missing == 0
    apply_batch(empty, batch(event_row(2 * day), number=2))
    assert load_mart.mart_coverage(empty, "curbside", interval_minutes=30).missing == 2
    with pytest.raises(ConfigError, match="lacks 2 of the 4 half-hours of curbside in finished days") as caught:
        forecasting.forecast(settings)
    assert caught.value.cure == "rtlib dbt build"


def test_from_raw_events_through_the_mart_to_forecasts_to_a_plan_and_again(
    empty: SnowflakeConnection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = load_domain("curbside")
    backfill(empty, history(domain, seed=7, until=MIDNIGHT, days=18, per_day=500), domain="curbside")
    assert dbt.build(settings, select=["+interval_load"], unit_tests=False).broken == ()
    monkeypatch.setenv("RTLIB_HOME", str(settings.home))
    monkeypatch.setenv("RTLIB_PART", settings.part)
    shown = CliRunner().invoke(cli.app, ["staffing", "forecast", "--days", "1"])
    assert shown.exit_code == 0, shown.output
    assert "oakland-3rd-st: " in shown.output and "is chosen" in shown.output
    counted = query(empty, "select count(*) as n, count(distinct site) as sites from ML.FORECASTS")[0]
    assert (counted["n"], counted["sites"]) == (9 * 7 * 48, 9)  # eight sites and all, seven models
    forecasts = plan_store.read_forecasts(empty, "curbside")
    assert forecasts[0]["interval_start"] == MIDNIGHT.replace(tzinfo=None)
    assert all(row["lower_80"] <= row["upper_80"] for row in forecasts)
    assert sum(row["is_champion"] for row in plan_store.read_backtests(empty, "curbside")) == 9
    for _ in range(2):  # the second time changes nothing
        planned = staff_plan.plan(settings)
        rows = plan_store.read_staffing(empty, "curbside")
        assert len(rows) == len(planned) * len(planned[0].roster.opens) == 8 * 36
        assert all(row["required"] >= 1 for row in rows)
    assert sum(row["cost"] for row in rows) == pytest.approx(sum(day.roster.wages for day in planned))
    assert [row["needed"] for row in rows] == [row["required"] for row in rows]
    page = PageData(settings).plan()
    # The two days before the forecast, the last half-hour scaled because no later event has closed it; and its day.
    assert (len(page.load), len(page.forecast)) == (96, 48)
    assert page.today is None  # no event of the day that is forecast


def test_a_forecast_follows_the_mart_and_not_raw(empty: SnowflakeConnection) -> None:
    domain, until = load_domain("curbside"), MIDNIGHT.astimezone(ZoneInfo("America/Los_Angeles"))
    backfill(empty, history(domain, seed=7, until=MIDNIGHT, days=16, per_day=500), domain="curbside")
    counts = simulated_load(domain, seed=7, until=until, days=16, per_day=20_000)
    put_mart(empty, {(row["site"], row["interval_start"]): row["events"] for row in counts})

    def mean() -> float:
        series = demand.series_of(demand.measured_load(empty, domain), domain)
        whole = next(grid for grid in series if grid.unique_id == ALL_SITES)
        (result,) = forecast_all([whole], models=[FOUR_WEEK_MEAN], origins=1, workers=1)
        return float(result.points[FOUR_WEEK_MEAN.name].sum())

    before = mean()
    execute(empty, "delete from RAW.EVENTS where site <> ?", (domain.sites[0].id,))
    assert mean() == before
    execute(empty, "update MARTS.INTERVAL_LOAD set events = 3 * events")
    assert mean() == pytest.approx(3 * before)


def test_simulated_counts_follow_the_distribution_of_simulated_events() -> None:
    domain, until = load_domain("curbside"), datetime(2026, 3, 2, tzinfo=UTC)
    drawn = simulated_load(domain, seed=3, until=until, days=14, per_day=5000)
    events = history(domain, seed=3, until=until, days=14, per_day=5000)
    arrivals = [event for event in events if event.kind == "customer_arrived"]
    assert sum(row["events"] for row in drawn) == pytest.approx(len(arrivals), rel=0.08)
    assert len(drawn) == 14 * 48 * 8
    assert drawn[0]["interval_start"] == datetime(2026, 2, 16)
    for site in (domain.sites[0].id, domain.sites[-1].id):
        here = sum(row["events"] for row in drawn if row["site"] == site)
        assert here == pytest.approx(sum(event.site == site for event in arrivals), rel=0.2)
    evening = sum(row["events"] for row in drawn if row["interval_start"].hour == 18)
    assert evening == pytest.approx(sum(event.occurred_at.hour == 18 for event in arrivals), rel=0.15)
    assert drawn == simulated_load(domain, seed=3, until=until, days=14, per_day=5000)
