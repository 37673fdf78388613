"""dbt over a real local warehouse: four domains, built once, and what later runs do to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas
import pytest
from typer.testing import CliRunner

from rtlib import cli, private, transform
from rtlib.bi import PAGES, TABLES, Visual
from rtlib.config import DOMAINS, Settings, inherited_environment
from rtlib.domains import load_domain, measures
from rtlib.errors import ConfigError, WarehouseError
from rtlib.pipeline import dbt, power_bi
from rtlib.pipeline.monitoring.probes.batch import report
from rtlib.pipeline.planning.demand import INTERVAL_MINUTES
from rtlib.records import Status
from rtlib.simulator import history
from rtlib.transform import BuildReport, last_report
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import apply_batch, backfill
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.load_mart import interval_load, mart_coverage
from rtlib.warehouse.migrations import migrate
from rtlib.warehouse.query_batches import note_batches
from rtlib.warehouse.staging import EVENT_COLUMNS
from rtlib.warehouse.windows import compare_windows
from support.layer_rows import Layers
from support.live_rows import Stream, stream
from support.warehouse_server import WarehouseServer

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

DBT = Path(sys.executable).with_name("dbt")
DAYS, PER_DAY = 3, 400
LIVE = "curbside"
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
BEGAN = MIDNIGHT - timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """A warehouse with history of every domain and a live stretch of one, and the first build over it."""

    settings: Settings
    connection: SnowflakeConnection
    live: Stream
    first: BuildReport

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        return query(self.connection, sql, values)

    def run(self, sql: str, *values: object) -> None:
        execute(self.connection, sql, values)

    def build(self, *select: str, **more: Any) -> BuildReport:
        """Models and their data tests, without the migrations and the freshness that come before a user's build."""
        return transform.build(self.settings, select=select, unit_tests=False, **more)


@pytest.fixture(scope="module")
def world(dbt_server: WarehouseServer) -> Iterator[World]:
    connection = dbt_server.connect()
    migrate(connection)
    live = stream(load_domain(LIVE), start=BEGAN)
    for name in DOMAINS:
        past = history(load_domain(name), seed=7, until=BEGAN, days=DAYS, per_day=PER_DAY)
        backfill(connection, past, domain=name)
    apply_batch(connection, live.batch)
    merge_kpis(connection, live.kpis)
    note_batches(connection, LIVE, live.batches)
    yield World(dbt_server.settings, connection, live, dbt.build(dbt_server.settings))
    connection.close()


@pytest.fixture
def planted(world: World) -> Iterator[Callable[[str, str], None]]:
    """Runs a statement, and another one after the test that undoes it."""
    undo: list[str] = []

    def plant(sql: str, undone_by: str) -> None:
        undo.append(undone_by)
        world.run(sql)

    yield plant
    for sql in undo:
        world.run(sql)


# --- the first build ------------------------------------------------------------------------------------------------


def test_every_model_is_built_and_every_test_passes(world: World) -> None:
    assert [check.summary for check in world.first.failed] == []
    assert [(node.name, node.message) for node in world.first.broken] == []
    assert world.first.ok
    assert {check.kind for check in world.first.checks} == {"test", "unit_test"}
    assert world.first.passed == len(world.first.checks)


def test_what_dbt_writes_is_private(world: World) -> None:
    assert list(private.exposed(world.settings.home / "dbt")) == []


def test_the_report_has_rows_seconds_and_tests_of_each_model(world: World) -> None:
    load = world.first.node("interval_load")
    assert (load.layer, load.materialized, load.status) == ("MARTS", "table", "success")
    assert load.rows == world.rows("select count(*) as n from MARTS.INTERVAL_LOAD")[0]["n"] > 0
    assert load.seconds > 0
    assert load.tests == load.tests_passed > 0
    assert all(node.rows is not None and node.touched is not None for node in world.first.nodes)


def test_there_is_load_of_all_four_domains(world: World) -> None:
    rows = world.rows(
        "select domain, count(distinct site) as sites, sum(events) as n from MARTS.INTERVAL_LOAD group by 1"
    )
    assert {row["domain"]: row["sites"] for row in rows} == {name: len(load_domain(name).sites) for name in DOMAINS}
    assert all(row["n"] > 0 for row in rows)


def test_interval_load_counts_staffed_kinds_alone(world: World) -> None:
    # The last interval is not over until an event comes after it.
    over = "time_slice(occurred_at, 30, 'minute') in (select interval_start from MARTS.INTERVAL_LOAD where domain = ?)"
    for name in DOMAINS:
        kinds = load_domain(name).staffing.kinds
        chosen = f"kind in ({', '.join('?' for _ in kinds)}) and {over}"
        sql = f"select count(*) as n from RAW.EVENTS where domain = ? and {chosen}"
        in_raw = world.rows(sql, name, *kinds, name)[0]["n"]
        assert world.rows("select sum(events) as n from MARTS.INTERVAL_LOAD where domain = ?", name)[0]["n"] == in_raw


def test_forecasts_read_the_load_of_their_domain_with_zeros_for_quiet_sites(world: World) -> None:
    for name in DOMAINS:
        domain = load_domain(name)
        sites = {site.id for site in domain.sites}
        kinds = ", ".join(f"'{kind}'" for kind in domain.staffing.kinds)
        counted = world.rows(
            "select site, time_slice(occurred_at, 30, 'minute') as interval_start, "
            f"count_if(kind in ({kinds})) as events from RAW.EVENTS where domain = ? group by 1, 2",
            name,
        )
        in_raw = {(row["site"], row["interval_start"]): int(row["events"]) for row in counted}
        load = interval_load(world.connection, name)
        starts = {row["interval_start"] for row in load}
        assert len(load) == len(sites) * len(starts)
        assert all(int(row["events"]) == in_raw.get((row["site"], row["interval_start"]), 0) for row in load)
        assert 0 in {int(row["events"]) for row in load}
        # What the mart leaves out is the interval that is not over.
        assert {start for _, start in in_raw} - starts == {max(start for _, start in in_raw)}
        assert mart_coverage(world.connection, name, interval_minutes=INTERVAL_MINUTES).missing == 0


def test_kpis_of_a_business_day_equal_those_computed_in_python_with_the_clocks_of_each_site(world: World) -> None:
    for name in DOMAINS:
        domain = load_domain(name)
        past = list(history(domain, seed=7, until=BEGAN, days=DAYS, per_day=PER_DAY))
        for site in domain.sites:
            clocks = ZoneInfo(site.time_zone)
            day = BEGAN.astimezone(clocks).date() - timedelta(days=1)  # loaded as a whole
            ours = [
                event for event in past if event.site == site.id and event.occurred_at.astimezone(clocks).date() == day
            ]
            sql = "select * from MARTS.DAILY_KPIS where domain = ? and site = ? and business_day = ?"
            rows = world.rows(sql, name, site.id, day.isoformat())
            expected = measures(domain, ours).items() if ours else ()
            assert {row["measure"]: row["measured_value"] for row in rows} == {
                measure: pytest.approx(value) for measure, value in expected
            }
            begin, end = (datetime.combine(day + timedelta(days=n), time(), clocks).astimezone(UTC) for n in (0, 1))
            assert {row["hours_in_day"] for row in rows} <= {(end - begin).total_seconds() / 3600}
            assert {row["day_start"] for row in rows} <= {begin.replace(tzinfo=None)}


def test_an_hour_of_the_marts_is_that_of_the_site_with_the_instant_beside_it(world: World) -> None:
    rows = world.rows("select distinct hour_start, local_hour_start, business_day, weekday, local_hour, time_zone "
                      "from MARTS.HOURLY_KPIS")  # fmt: skip
    assert {"Asia/Kolkata", "America/Los_Angeles", "Europe/Berlin"} <= {row["time_zone"] for row in rows}
    for row in rows:
        local = row["hour_start"].replace(tzinfo=UTC).astimezone(ZoneInfo(row["time_zone"]))
        assert row["local_hour_start"] == local.replace(tzinfo=None)
        assert (row["business_day"], row["local_hour"]) == (local.date(), local.hour)
        assert (row["weekday"], local.minute) == (local.isoweekday(), 0)


def test_an_interval_that_is_counted_on_no_day_fails_the_build(
    world: World, planted: Callable[[str, str], None]
) -> None:
    change = "update INTERMEDIATE.INT_LOCAL_TIMES set site = '{}' where site = '{}'"
    restored = change.format("shop-india", "nowhere")
    planted(change.format("nowhere", "shop-india"), restored)
    (failed,) = world.build("daily_kpis").failed
    assert "adds_up_to_the_intervals" in failed.name
    world.run(restored)
    assert world.build("daily_kpis").ok


def test_every_record_has_an_outcome(world: World) -> None:
    sql = "select outcome, sum(records) as n from MARTS.LATE_AND_REJECTED where domain = ? group by outcome"
    outcomes = {row["outcome"]: row["n"] for row in world.rows(sql, LIVE)}
    batch = world.live.batch
    assert outcomes["rejected"] == len(batch.rejected) > 0
    assert outcomes["duplicate"] == len(batch.events) - batch.events["event_id"].nunique() > 0
    in_time = outcomes["on time"] + outcomes["late"] + outcomes["behind the watermark"]
    assert in_time == batch.events["event_id"].nunique()
    assert outcomes["behind the watermark"] == world.live.dropped > 0
    (why,) = world.rows("select distinct reason from MARTS.LATE_AND_REJECTED where outcome = 'rejected'")
    assert why["reason"] == "value: does not fit"


def test_the_calendar_knows_holidays(world: World) -> None:
    (day,) = world.rows("select * from MARTS.CALENDAR where country = 'US' and calendar_date = '2026-07-04'")
    assert (day["weekday"], day["is_weekend"], day["is_holiday"]) == (6, True, True)
    assert day["holiday"] == "Independence Day"


# --- the two layers -------------------------------------------------------------------------------------------------


def reconciled(world: World) -> list[dict[str, Any]]:
    return world.rows("select * from MARTS.SPEED_BATCH_RECONCILIATION where domain = ?", LIVE)


def test_every_difference_between_the_layers_is_explained(world: World) -> None:
    rows = reconciled(world)
    assert {row["explanation"] for row in rows} == {"equal", "late", "open window"}
    # A window is open until both layers have seen events three minutes after its beginning.
    newest = max(kpi.window_start for kpi in world.live.kpis).replace(tzinfo=None)
    assert all(
        row["window_start"] > newest - timedelta(minutes=3) for row in rows if row["explanation"] == "open window"
    )
    # What the stream dropped is all that is missing.
    assert world.live.dropped > 0
    assert sum(-row["difference"] for row in rows if row["measure"] == "events") == world.live.dropped


def test_the_batch_side_is_exact(world: World) -> None:
    domain = load_domain(LIVE)
    exact = {(row["site"], row["window_start"].replace(tzinfo=UTC), row["measure"]): row["batch_value"]
            for row in reconciled(world)}  # fmt: skip
    for (site, begin), events in world.live.windows.items():
        for measure, value in {**measures(domain, events), "events": len(events)}.items():
            assert exact[site, begin, measure] == (None if value is None else pytest.approx(value)), (
                site,
                begin,
                measure,
            )


def test_the_reconciliation_agrees_with_the_count_that_the_demo_makes(world: World) -> None:
    counted = compare_windows(world.connection, LIVE)
    assert counted.unexplained == ()
    ours = [row for row in reconciled(world) if row["measure"] == "events"]
    assert counted.windows == len(ours)
    assert {(window.site, window.window_start.replace(tzinfo=None)) for window in counted.different} == {
        (row["site"], row["window_start"]) for row in ours if row["explanation"] != "equal"
    }


def test_an_unexplained_difference_fails_the_build_and_is_named(
    world: World, planted: Callable[[str, str], None]
) -> None:
    first = min(world.live.kpis, key=lambda kpi: (kpi.window_start, kpi.site))
    where = f"where site = '{first.site}' and window_start = '{first.window_start:%Y-%m-%d %H:%M:%S}'"
    planted(
        f"update SPEED.KPIS set events = events + 99 {where}", f"update SPEED.KPIS set events = events - 99 {where}"
    )
    report = world.build("speed_batch_reconciliation")
    assert [check.summary for check in report.failed] == [
        "always_explained on speed_batch_reconciliation.explanation: 1 row"
    ]
    assert not report.ok
    assert dbt.observation(world.settings).status is Status.DEGRADED


# --- in flight ------------------------------------------------------------------------------------------------------
# A site is named after its state. All sites have events in the same window, which is ten minutes old in both layers.

RECONCILIATION = ("int_archive_reach", "int_kind_windows", "int_window_measures", "speed_batch_reconciliation")
LOST = {"lost", "doubled", "uncounted"}  # both layers have passed the events of these sites


def lagging_partition(layers: Layers) -> None:
    """The archive has read partition 1 up to offset 25, while the KPI query has read both up to 30 and goes on."""
    for number in range(3):
        layers.report(number, began=15 * (number + 1), reach={"0": 10 * (number + 1), "1": 10 * (number + 1)})
    layers.count(20, {"same": [(0, 1), (1, 2)], "unreported": [(0, 4)], "lost": [(0, 5), (0, 6)]})
    layers.count(21, {"doubled": [(0, 7), (0, 7)], "uncounted": [(0, 8)]})
    layers.count(50, {"lagging": [(1, 3), (1, 26)], "lost later": [(0, 22), (0, 23)]})
    layers.count(62, {"new": [(0, 36)]})
    events = {"same": [(0, 1), (1, 2)], "lagging": [(1, 3)], "unreported": [(0, 4), (0, 32)], "lost": [(0, 5)]}
    more = {"doubled": [(0, 7)], "uncounted": [(0, 8), (0, 9)], "lost later": [(0, 22)]}
    layers.archive(0, {**events, **more}, reach={"0": 35, "1": 25})
    layers.close()


def reading_again(layers: Layers) -> None:
    """The KPI query has lost its checkpoint and counts from the beginning; it has not reported a batch since."""
    layers.report(0, began=15, reach={"0": 10})
    layers.report(1, began=30, reach={"0": 20})
    layers.count(65, {"again": [(0, 1)]})
    layers.archive(0, {"again": [(0, 1), (0, 15)]}, reach={"0": 20})
    layers.close()


def fresh_stack(layers: Layers) -> None:
    """Neither an archived nor a reported batch, and a KPI."""
    layers.count(16, {"first": [(0, 1)]})


def caught_up(lagging: Layers, again: Layers, fresh: Layers) -> None:
    """Both layers have passed all events; an event of the site "lost later" never came to RAW."""
    lagging.count(62, {"unreported": [(0, 4), (0, 32)]})
    lagging.report(3, began=60, reach={"0": 40, "1": 40})
    lagging.report(4, began=75, reach={"0": 40, "1": 40})
    lagging.archive(1, {"lagging": [(1, 26)], "new": [(0, 36)]}, reach={"0": 40, "1": 40})
    again.count(80, {"again": [(0, 1), (0, 15)]})
    for number, offset in enumerate((5, 20, 20)):
        again.report(number, began=60 + 15 * number, reach={"0": offset})
    fresh.report(0, began=15, reach={"0": 10})
    fresh.report(1, began=30, reach={"0": 10})
    fresh.archive(0, {"first": [(0, 1)]}, reach={"0": 10})


def explanations(world: World) -> dict[str, set[str]]:
    """Explanation to the sites with a measure that has it; a site without a difference is only under "equal"."""
    sql = (
        "select distinct site, explanation from MARTS.SPEED_BATCH_RECONCILIATION where domain <> ? and site <> 'clock'"
    )
    sites: dict[str, set[str]] = defaultdict(set)
    for row in world.rows(sql, LIVE):
        sites[row["explanation"]].add(row["site"])
    sites["equal"] -= set().union(*(others for why, others in sites.items() if why != "equal"))
    return dict(sites)


@dataclass(frozen=True)
class Builds:
    """The sites by explanation: early, with events in flight; of the last model alone, over newer KPIs; and later."""

    early: dict[str, set[str]]
    mart_alone: dict[str, set[str]]
    later: dict[str, set[str]]
    failed: tuple[str, ...]


@pytest.fixture(scope="module")
def builds(world: World) -> Builds:
    start = BEGAN + timedelta(minutes=2)
    lagging, again, fresh = (Layers(world.connection, load_domain(name), start) for name in DOMAINS if name != LIVE)
    lagging_partition(lagging)
    reading_again(again)
    fresh_stack(fresh)
    failed = world.build(*RECONCILIATION).failed
    early = explanations(world)
    caught_up(lagging, again, fresh)
    world.build("speed_batch_reconciliation")
    mart_alone = explanations(world)
    world.build(*RECONCILIATION)
    later = explanations(world)
    world.run("delete from RAW.EVENTS where domain <> ? and topic <> 'history'", LIVE)
    world.run("delete from RAW.BATCHES where domain <> ? and query = 'archive'", LIVE)
    for table in ("SPEED.KPIS", "SPEED.BATCHES"):
        world.run(f"delete from {table} where domain <> ?", LIVE)
    return Builds(early, mart_alone, later, tuple(check.summary for check in failed))


def test_events_that_a_layer_has_not_passed_are_in_flight_and_a_loss_before_is_unexplained(builds: Builds) -> None:
    in_flight = {"lagging", "unreported", "lost later", "new", "again", "first"}
    assert builds.early == {"equal": {"same"}, "in flight": in_flight, "unexplained": LOST}
    assert [summary.partition(": ")[0] for summary in builds.failed] == [
        "always_explained on speed_batch_reconciliation.explanation"
    ]


def test_events_are_in_flight_as_well_when_the_speed_layer_is_read_later_than_raw(builds: Builds) -> None:
    in_flight = {"lagging", "lost later", "new", "first"}
    equal = {"same", "unreported", "again"}
    assert builds.mart_alone == {"equal": equal, "in flight": in_flight, "unexplained": LOST}


def test_once_both_layers_have_passed_the_events_they_agree_or_the_loss_is_named(builds: Builds) -> None:
    equal = {"same", "lagging", "unreported", "new", "again", "first"}
    assert builds.later == {"equal": equal, "unexplained": {*LOST, "lost later"}}


# --- bad rows -------------------------------------------------------------------------------------------------------


def copy_of_an_event(**changed: str) -> str:
    """The statement that adds the oldest event once more, with these expressions in place of its columns."""
    columns = {name: name for name in (*EVENT_COLUMNS, "batch_id", "loaded_at")}
    values = {**columns, "producer_id": "'planted'", **changed}
    return (
        f"insert into RAW.EVENTS ({', '.join(columns)}) select {', '.join(values.values())} from RAW.EVENTS "
        "where producer_id <> 'planted' qualify row_number() over (order by event_id) = 1"
    )


def test_a_bad_row_fails_the_test_written_for_it(world: World, planted: Callable[[str, str], None]) -> None:
    undo = "delete from RAW.EVENTS where producer_id = 'planted'"
    planted(copy_of_an_event(), undo)
    planted(copy_of_an_event(event_id="'other-1'", kind="'order_lost'"), undo)
    planted(copy_of_an_event(event_id="'other-2'", site="'atlantis'"), undo)
    report = world.build("stg_events")
    assert sorted(check.summary for check in report.failed) == [
        "known_with_domain on stg_events.kind: 1 row",
        "known_with_domain on stg_events.site: 1 row",
        "unique on stg_events.event_id: 1 row",
    ]
    assert not report.ok


@pytest.fixture
def built_again(world: World) -> Iterator[None]:
    """Named before ``planted``, it is undone after it: then the mart is made of what is right again."""
    yield
    assert world.build("interval_load").ok


@pytest.mark.usefixtures("built_again")
def test_an_interval_that_misses_events_fails_the_build(world: World, planted: Callable[[str, str], None]) -> None:
    # What became readable in the last minutes may have been in an open transaction: here none of it did.
    planted(
        "update RAW.EVENTS set loaded_at = dateadd(hour, -1, loaded_at)",
        "update RAW.EVENTS set loaded_at = dateadd(hour, 1, loaded_at)",
    )
    (busy, *_) = world.rows(
        "select domain, site, interval_start from MARTS.INTERVAL_LOAD where events > 0 order by domain, site, events"
    )
    where = (
        f"where domain = '{busy['domain']}' and site = '{busy['site']}' "
        f"and interval_start = '{busy['interval_start']:%Y-%m-%d %H:%M:%S}'"
    )
    planted(
        f"update INTERMEDIATE.INT_KIND_INTERVALS set domain = '-' || domain {where}",
        "update INTERMEDIATE.INT_KIND_INTERVALS set domain = substr(domain, 2) where domain like '-%'",
    )
    assert [check.summary for check in world.build("interval_load").failed] == [
        "every_staffed_event_counts on interval_load: 1 row"
    ]


# --- later runs -----------------------------------------------------------------------------------------------------


def table(world: World, name: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(_text(value) for value in row.values()) for row in world.rows(f"select * from {name}"))


def _text(value: object) -> str:
    """A sum of floats depends in its last digit on the order of its rows, which no query promises."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def test_a_second_run_touches_nothing_and_changes_nothing(world: World) -> None:
    names = ("MARTS.INTERVAL_LOAD", "MARTS.HOURLY_KPIS", "SNAPSHOTS.THRESHOLDS")
    before = {name: table(world, name) for name in names}
    # What keeps rows from one run to the next, and all that is made of it; the rest is made anew in each run.
    report = world.build("int_kind_intervals+", "config.materialized:snapshot")
    assert report.ok
    assert {"interval_load", "hourly_kpis", "daily_kpis", "staffing_gap"} <= {node.name for node in report.nodes}
    assert report.node("int_kind_intervals").rows == world.first.node("int_kind_intervals").touched
    assert (report.node("int_kind_intervals").touched, report.node("thresholds").touched) == (0, 0)
    assert {name: table(world, name) for name in names} == before


def test_only_intervals_with_new_events_are_touched_and_the_result_equals_a_full_run(world: World) -> None:
    domain = load_domain("iot")
    # Another hour of another history: late by days, and in intervals that are there already.
    late = list(history(domain, seed=8, until=MIDNIGHT - timedelta(days=2), days=1, per_day=50, run="late"))
    backfill(world.connection, late, domain="iot")
    changed = {
        (
            event.site,
            event.kind,
            event.occurred_at.replace(minute=event.occurred_at.minute // 30 * 30, second=0, microsecond=0),
        )
        for event in late
    }
    report = world.build("int_kind_intervals", "interval_load")
    assert report.ok
    assert report.node("int_kind_intervals").touched == len(changed)
    after = table(world, "MARTS.INTERVAL_LOAD"), table(world, "INTERMEDIATE.INT_KIND_INTERVALS")
    assert world.build("int_kind_intervals", "interval_load", full_refresh=True).ok
    now = table(world, "MARTS.INTERVAL_LOAD"), table(world, "INTERMEDIATE.INT_KIND_INTERVALS")
    assert [set(rows) ^ set(others) for rows, others in zip(now, after, strict=True)] == [set(), set()]
    assert now == after


def test_a_threshold_that_changes_becomes_another_version(world: World) -> None:
    world.run("update SEEDS.MEASURES set warn = 6 where domain = 'curbside' and measure = 'wait_minutes'")
    assert world.build("thresholds").node("thresholds").touched == 2  # one closed, one opened
    sql = (
        "select warn, dbt_valid_to is null as holds from SNAPSHOTS.THRESHOLDS where measure = 'wait_minutes' order by 2"
    )
    assert [(row["warn"], row["holds"]) for row in world.rows(sql)] == [(7.0, False), (6.0, True)]
    assert world.build("measures", "thresholds").ok


# --- what others read -----------------------------------------------------------------------------------------------


def test_the_node_of_dbt_shows_its_last_run_from_disk_only(world: World) -> None:
    report = dbt.build(world.settings, select=["interval_load"], unit_tests=False)
    node = dbt.observation(world.settings)
    assert (node.status, node.at) == (Status.HEALTHY, report.at)
    assert {reading.name: reading.value for reading in node.readings}["in the marts"] == report.node(
        "interval_load"
    ).rows
    ages = {reading.name: reading.value for reading in dbt.source_readings(world.settings)}
    assert set(ages) == {"newest of raw.events", "newest of speed.kpis"}
    assert all(age is not None and 0 <= age < 600 for age in ages.values())


def test_the_node_of_a_state_folder_without_a_run_is_idle_and_has_no_numbers(tmp_path: Path) -> None:
    node = dbt.observation(Settings(home=tmp_path))
    assert (node.status, node.reason, node.readings) == (Status.IDLE, "it has not run yet", ())
    assert dbt.source_readings(Settings(home=tmp_path)) == ()


def test_the_lineage_is_that_of_the_manifest(world: World) -> None:
    lineage = dbt.lineage(world.settings)
    assert "raw.events" in lineage.upstream_of("interval_load")
    assert {"power_bi", "forecast_accuracy", "staffing_gap"} <= set(lineage.downstream_of("interval_load"))
    assert "forecasts" in lineage.downstream_of("raw.events")
    assert lineage.find("raw.events").depth == 0
    depths = {node.id: node.depth for node in lineage.nodes}
    assert all(depths[edge.upstream] < depths[edge.downstream] for edge in lineage.edges)
    assert lineage.find("interval_load").about.startswith("One row for each domain, site and interval")
    with pytest.raises(ConfigError, match="no node called 'interval_lode'"):
        lineage.find("interval_lode")


def test_the_documentation_is_one_page_and_leaves_the_last_run_alone(world: World) -> None:
    before = last_report(world.settings)
    page = dbt.docs(world.settings)
    assert "interval_load" in page.read_text(encoding="utf-8")
    assert last_report(world.settings) == before


def test_the_commands_print_text_and_json(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(world.settings.home))
    monkeypatch.setenv("RTLIB_PART", world.settings.part)
    built = CliRunner().invoke(cli.app, ["dbt", "build", "calendar", "--no-unit-tests"])
    assert built.exit_code == 0
    assert "1 models built, 2 of 2 tests passed" in built.stdout
    output = json.loads(CliRunner().invoke(cli.app, ["dbt", "lineage", "calendar", "--json"]).stdout)
    assert output["upstream"] == ["holidays", "sites"]
    whole = json.loads(CliRunner().invoke(cli.app, ["dbt", "lineage", "--json"]).stdout)
    assert len(whole["nodes"]) > 20 < len(whole["edges"])
    exported = CliRunner().invoke(cli.app, ["dbt", "env"]).stdout
    assert f"export RTLIB_WAREHOUSE_PORT={world.settings.ports['warehouse']}" in exported
    secret = world.settings.local_secret("warehouse").get_secret_value()
    assert f"export DBT_ENV_SECRET_RTLIB_WAREHOUSE={secret}" in exported
    variables = json.loads(CliRunner().invoke(cli.app, ["dbt", "env", "--json"]).stdout)["variables"]
    assert variables["DBT_ENV_SECRET_RTLIB_WAREHOUSE"] == secret


def test_an_empty_selection_is_an_error_with_the_place_of_the_names(world: World) -> None:
    with pytest.raises(ConfigError, match="nothing to build by interval_lode"):
        world.build("interval_lode")


def test_a_warehouse_that_does_not_answer_is_an_error_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"warehouse": 9}')
    with pytest.raises(WarehouseError, match="Cure: rtlib status"):
        dbt.build(Settings(home=tmp_path, part="loader"))


# --- what reports make of it ----------------------------------------------------------------------------------------


def test_every_column_that_the_power_bi_model_names_is_in_the_warehouse(world: World) -> None:
    assert power_bi.exists(world.settings) == []


@pytest.mark.parametrize(
    "visual", [visual for page in PAGES for visual in page.visuals], ids=lambda visual: visual.name
)
def test_every_visual_can_be_queried_with_its_measures(world: World, visual: Visual) -> None:
    frame = power_bi.rows(world.settings, visual)
    wanted = [*filter(None, (visual.category, visual.series)), *visual.columns, *visual.measures]
    assert frame.empty or list(frame.columns) == wanted


def test_the_forecast_page_shows_a_single_domain_with_its_actual_load(
    world: World, planted: Callable[[str, str], None]
) -> None:
    (busy, *_) = world.rows(
        "select interval_start, sum(events) as n from MARTS.INTERVAL_LOAD where domain = 'curbside' "
        "group by interval_start order by n desc limit 1"
    )
    at = f"'{busy['interval_start']:%Y-%m-%d %H:%M:%S}'::timestamp_ntz"
    series = [("all", "ets", 60.0, True), ("all", "arima", 99.0, False), ("oakland", "ets", 60.0, True)]
    for site, model, mean, best in series:
        planted(
            f"insert into ML.FORECASTS select 'curbside', '{site}', '{model}', {at}, {at}, 30, {mean}, {mean - 9}, "
            f"{mean + 9}, null, {best}",
            "delete from ML.FORECASTS",
        )
    visual = next(visual for page in PAGES for visual in page.visuals if visual.name == "ahead")
    (row,) = power_bi.rows(world.settings, visual).to_dict("records")
    shown = (row["Forecast"], row["Lower bound"], row["Upper bound"], int(row["Actual load"]))
    assert shown == (60.0, 51.0, 69.0, int(busy["n"]))


def test_the_trend_page_shows_one_measure_at_a_time(world: World) -> None:
    visual = next(visual for page in PAGES for visual in page.visuals if visual.name == "by_day")
    frame = power_bi.rows(world.settings, visual)
    days = world.rows(
        "select count(*) as n from MARTS.DAILY_KPIS where measure = (select min(measure) from MARTS.DAILY_KPIS)"
    )
    assert len(frame) == int(days[0]["n"]) and frame["KPI by day"].notna().any()


def test_the_rows_of_the_report_are_exported_to_files_that_can_be_read(world: World, tmp_path: Path) -> None:
    exported = dict(power_bi.export(world.settings, to=tmp_path))
    assert set(exported) == {table.name for table in TABLES}
    assert {name: len(pandas.read_parquet(tmp_path / f"{name}.parquet")) for name in exported} == exported
    assert exported["hourly_kpis"] > 0
    assert (tmp_path / "rtlib-files.pbip").is_file()
    assert power_bi.validate(world.settings, of=tmp_path) == []
    node = report(power_bi.last_export(world.settings), now=datetime.now(UTC))
    assert (node.status, node.readings[0].value) == (Status.HEALTHY, sum(exported.values()))


# --- the command line -----------------------------------------------------------------------------------------------
# Last, because each kind of run reads the project anew when the other one has been there.


def test_the_stock_command_line_does_the_same(world: World) -> None:
    ours = world.build("interval_load")
    variables = dbt.exports(world.settings)[0]
    done = subprocess.run(
        [str(DBT), "--no-use-colors", "build", "--select", "interval_load", "--exclude-resource-type", "unit_test"],
        env={**inherited_environment(), **variables},
        cwd=world.settings.home,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    theirs = last_report(world.settings)
    assert theirs and theirs.invocation_id != ours.invocation_id
    assert {node.name: (node.rows, node.touched, node.tests_passed) for node in theirs.nodes} == {
        node.name: (node.rows, node.touched, node.tests_passed) for node in ours.nodes
    }
