"""Each fault states its expected effect, its seed chooses the details, and it hurts only this stack."""

from __future__ import annotations

import json
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rtlib import cli
from rtlib.alerts.rules import rules_of
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.config import Settings
from rtlib.domains import domain_names, load_domain
from rtlib.domains.measures import measures
from rtlib.errors import ConfigError, ServiceError
from rtlib.faults import MENU, plan, soak_table
from rtlib.faults.effects import Effect
from rtlib.faults.inject import inject
from rtlib.faults.runner import difference
from rtlib.faults.soak import account, schedule
from rtlib.faults.soak_result import GROWTH, Sample, Soak, growth
from rtlib.pipeline.audit.tallies import Run, write_run
from rtlib.pipeline.recovery.readiness import _replaying, archive_seconds, lag
from rtlib.pipeline.recovery.snapshot import Snapshot
from rtlib.records import QueryProgress, Tally
from rtlib.services.parts import PART_NAMES
from rtlib.simulator import Simulator
from rtlib.warehouse.reads import Counts
from support.ledgers import good_ledger

CURBSIDE = load_domain("curbside")


@pytest.mark.parametrize("name", MENU)
def test_a_fault_names_a_node_a_part_and_what_to_expect(name: str) -> None:
    fault = MENU[name]
    assert fault.component in {component.id for component in ARCHITECTURE_COMPONENTS_LIST}
    assert (fault.method == "burst") == (fault.part is None)
    assert fault.part is None or fault.part in PART_NAMES
    assert len(fault.expect) > 100
    assert fault.expect.endswith(".")


@pytest.mark.parametrize("name", MENU)
def test_the_same_seed_makes_the_same_fault(name: str) -> None:
    assert plan(name, seed=4, domain=CURBSIDE) == plan(name, seed=4, domain=CURBSIDE)


@pytest.mark.parametrize("name", ["pause-broker", "slow-sink", "duplicate-storm", "hot-partition", "kill-spark"])
def test_other_seeds_make_other_faults(name: str) -> None:
    assert len({repr(plan(name, seed=seed, domain=CURBSIDE).details) for seed in range(20)}) > 1


@pytest.mark.parametrize("domain", domain_names())
@pytest.mark.parametrize("name", [fault.name for fault in MENU.values() if fault.method == "burst"])
def test_the_simulator_can_generate_every_burst(name: str, domain: str) -> None:
    options = dict(plan(name, seed=2, domain=load_domain(domain)).details)
    seconds = options.pop("seconds")
    simulator = Simulator(load_domain(domain), seed=2, start=datetime(2026, 1, 5, tzinfo=UTC), shaped=False, **options)
    assert next(simulator.records()).key in {site.id for site in load_domain(domain).sites}
    assert seconds <= 130
    assert options["rate"] * seconds <= 20_000


@pytest.mark.parametrize("domain", domain_names())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_surge_breaks_one_rule_of_its_domain_at_one_site_and_no_other(domain: str, seed: int) -> None:
    spec = load_domain(domain)
    details = dict(plan("surge", seed=seed, domain=spec).details)
    details.pop("seconds")
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    events = [
        sent.event for sent in islice(Simulator(spec, seed=seed, start=start, shaped=False, **details).records(), 9_000)
    ]
    broken = set()
    for site in spec.sites:
        values = measures(spec, [event for event in events if event is not None and event.site == site.id])
        measured = [(rule.name, rule, values.get(rule.measure)) for rule in rules_of(spec)]
        broken |= {(site.id, name) for name, rule, value in measured if value is not None and rule.is_bad(value)}
    assert [site for site, _ in broken] == [details["hot_site"]]


def test_a_misspelt_fault_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean kill-broker"):
        plan("kill-brokr", seed=1, domain=CURBSIDE)


def test_a_part_that_does_not_run_cannot_be_hurt(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for name in ("kill-broker", "pause-broker", "slow-sink"):
        with pytest.raises(ServiceError, match="is not running here"):
            inject(settings, plan(name, seed=1, domain=CURBSIDE), stop=threading.Event())


def test_a_soak_has_different_faults_in_order_and_none_near_its_end(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    moments = schedule(settings, seed=3, seconds=100, faults=6)
    assert moments == schedule(settings, seed=3, seconds=100, faults=6)
    assert moments != schedule(settings, seed=4, seconds=100, faults=6)
    assert [at for at, _ in moments] == sorted(at for at, _ in moments)
    assert all(5 <= at <= 80 for at, _ in moments)
    assert len({chosen.fault.name for _, chosen in moments}) == 6


def test_a_number_that_doubles_between_middle_and_end_has_grown() -> None:
    assert growth([1, 1, 1, 10, 10, 10, 20, 20, 20]) == 2.0 > GROWTH
    assert growth([0, 0, 0, 10, 10, 10, 10, 11, 10]) == 1.0


def held(*samples: Sample, events: int = 1_000, bound: int = 300) -> Soak:
    """A soak without other differences."""
    return Soak(1, 300, (), samples, events, bound, good_ledger())


GROWING = tuple(Sample(float(at), 100.0, 10 * at, at) for at in range(1, 31))


def test_a_soak_whose_state_exceeds_its_limit_does_not_hold() -> None:
    assert held(*GROWING).holds
    assert not held(*GROWING, bound=299).holds


def test_a_query_that_reads_its_topic_again_is_judged_once_it_drops_state() -> None:
    again = (Sample(31.0, 100.0, 900, 0), Sample(32.0, 100.0, 900, 1), Sample(33.0, 100.0, 200, 2))
    assert held(*GROWING, *again).holds
    assert held(*GROWING, *again).state_rows == 300
    assert not held(*GROWING, *again, Sample(34.0, 100.0, 301, 3)).holds


def test_a_soak_too_short_to_judge_its_state_says_so() -> None:
    short = held(*GROWING, events=290)
    assert short.holds and not short.judges_state
    assert "not judged, since 290 events are too few" in short.bounds()[0]
    assert short.bounds()[1] == "memory: x1 from the middle third of the run to its last, x1.5 allowed"


def test_a_long_soak_without_a_steady_batch_does_not_hold() -> None:
    assert not held(Sample(1.0, 100.0, 10, 0)).holds


def test_a_soak_whose_memory_grows_does_not_hold() -> None:
    samples = tuple(Sample(float(at), 100.0 * at, 10, at) for at in range(1, 31))
    assert not held(*samples).holds


def test_a_soak_counts_the_events_sent_during_it_and_none_before(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    def write(name: str, events: int) -> None:
        simulator = Simulator(CURBSIDE, seed=1, start=datetime(2026, 1, 5, tzinfo=UTC), rate=1, run=name)
        write_run(settings, Run(simulator, Tally(events=events)))

    write("a", 90_000)
    before = {"a": 90_000}
    write("a", 91_000)
    write("b", 2_000)
    write("fault-late-burst-1", 500)
    now = time.time()
    assert account(settings, before, since=now, seconds=300) == (3_500, round(1.2 * (10 * 150 + 500)))
    long_after = account(settings, before, since=now + 600, seconds=300)
    assert long_after == (3_500, 1_800)  # the events of a fault ten minutes earlier have left the state


def test_a_soak_that_does_not_hold_gives_the_reasons_in_its_row() -> None:
    apart = ("RAW has 8 events, and 9 were sent",)
    lost = replace(good_ledger(), lost=1, lost_events=("sim-1-0 #7",), differences=apart)
    bad = soak_table.row(4, replace(held(*GROWING, bound=299), ledger=lost))
    assert not bad.holds
    assert bad.differences[:2] == ("lost sim-1-0 #7", *apart)
    assert bad.differences[2].startswith("state: at most 300 rows, 299 allowed")
    text = soak_table.table([soak_table.row(3, held(*GROWING)), bad])
    assert "    yes" in text and "     NO" in text and "     lost sim-1-0 #7" in text


def test_soaks_continue_after_a_failed_soak_and_keep_the_earlier_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def soaked(settings: Settings, *, seed: int, **_: Any) -> Soak:
        if seed == 2:
            raise ServiceError("the broker did not come back", cure="rtlib status")
        return held(*GROWING)

    monkeypatch.setattr("rtlib.faults.soak.soak", soaked)
    monkeypatch.setattr("rtlib.app.lifecycle.scratch_folder", lambda settings, name: nullcontext(settings))
    monkeypatch.setattr("rtlib.app.lifecycle.running_stack", lambda settings, chosen, notify: nullcontext(settings))
    result = CliRunner().invoke(cli.app, ["soak", "--runs", "3", "--json"])
    report = json.loads(result.stdout)
    assert (result.exit_code, report["holds"]) == (1, False)
    assert [(run["seed"], run["holds"]) for run in report["runs"]] == [(1, True), (2, False), (3, True)]
    assert report["runs"][1]["failed"].startswith("the broker did not come back")
    assert {"state_rows", "memory_growth", "differences"} <= report["runs"][0].keys()
    assert "the broker did not come back" in CliRunner().invoke(cli.app, ["soak", "--runs", "3"]).output


SENT = Tally(events=1_000, duplicates=900, malformed=400, late=950, too_late=500)
ENOUGH = Effect(
    SENT, {0: 2_000, 1: 40, 2: 30, 3: 20}, held=5_000, archived=1_200, removed=4_900, rejected=400, late=300,
    dropped=480, raised=1, restarted=frozenset({"broker", "stream", "loader", "registry", "warehouse"}),
    seconds=30, pause_seconds=0.8,
)  # fmt: skip
TOO_LITTLE = {
    "kill-broker": replace(ENOUGH, restarted=frozenset()),
    "kill-spark": replace(ENOUGH, restarted=frozenset({"broker"})),
    "kill-loader": replace(ENOUGH, restarted=frozenset()),
    "kill-registry": replace(ENOUGH, pause_seconds=9.0),
    "kill-warehouse": replace(ENOUGH, restarted=frozenset()),
    "pause-broker": ENOUGH,
    "slow-sink": ENOUGH,
    "disk-full": replace(ENOUGH, restarted=frozenset()),
    "checkpoint-deleted": replace(ENOUGH, removed=40),
    "duplicate-storm": replace(ENOUGH, removed=850),
    "late-burst": replace(ENOUGH, late=20),
    "out-of-order": replace(ENOUGH, dropped=2),
    "malformed": replace(ENOUGH, rejected=399),
    "schema-break": replace(ENOUGH, rejected=0),
    "clock-skew": replace(ENOUGH, archived=990),
    "hot-partition": replace(ENOUGH, taken={0: 600, 1: 500, 2: 500, 3: 490}),
    "surge": replace(ENOUGH, raised=0),
}


@pytest.mark.parametrize("name", MENU)
def test_a_fault_with_its_effect_is_as_expected_and_a_fault_without_it_is_not(name: str) -> None:
    stays = MENU[name].method in ("pause", "slow")  # a frozen part keeps its process
    assert MENU[name].check(replace(ENOUGH, restarted=frozenset()) if stays else ENOUGH) is None
    missing = MENU[name].check(TOO_LITTLE[name])
    assert missing and len(missing) > 10


def test_at_a_low_rate_the_time_between_two_events_is_not_a_pause() -> None:
    few = replace(ENOUGH, archived=20, seconds=100, pause_seconds=9.0)
    assert MENU["kill-registry"].check(few) is None
    assert MENU["kill-registry"].check(replace(few, archived=0, pause_seconds=100.0)) is None


def test_half_of_out_of_order_is_behind_the_watermark_and_the_other_half_late() -> None:
    details = plan("out-of-order", seed=1, domain=CURBSIDE).details
    assert (details["too_late_share"], details["late_share"]) == (0.5, 0.5)


@pytest.mark.parametrize(("unseen", "code"), [(None, 0), ("events dropped by the watermark: 2", 1)])
def test_a_fault_without_its_effect_is_reported_by_text_json_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, unseen: str | None, code: int
) -> None:
    begin = Snapshot(datetime(2026, 1, 5, tzinfo=UTC), {0: 10}, Counts(*[0] * 8))
    monkeypatch.setattr("rtlib.faults.runner.take_snapshot", lambda settings: begin)
    monkeypatch.setattr("rtlib.faults.runner.inject", lambda settings, plan, stop: "it was done")
    monkeypatch.setattr("rtlib.faults.runner._recovery", lambda settings, **_: (3.0, {0: 20}, None))
    monkeypatch.setattr("rtlib.faults.runner._effect", lambda settings, chosen, before, **_: (begin, unseen))
    result = CliRunner().invoke(cli.app, ["fault", "out-of-order", "--json"])
    report = json.loads(result.stdout)
    outcome = (result.exit_code, report["recovered"], report["as_expected"], report["unseen"])
    assert outcome == (code, True, not code, unseen)
    text = CliRunner().invoke(cli.app, ["fault", "out-of-order"]).stdout
    assert ("It did what was expected" in text) is (unseen is None) and (unseen is None or unseen in text)


def test_a_pipeline_that_does_not_recover_is_reported_with_the_last_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Snapshot(datetime(2026, 1, 5, tzinfo=UTC), {0: 10}, Counts(*[0] * 8))
    monkeypatch.setattr("rtlib.faults.runner.PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr("rtlib.faults.runner.LOOK_SECONDS", 0.001)
    monkeypatch.setattr("rtlib.faults.runner.take_snapshot", lambda settings: begin)
    monkeypatch.setattr("rtlib.faults.runner.inject", lambda settings, plan, stop: "it was done")
    monkeypatch.setattr("rtlib.faults.runner.event_ends", lambda settings: {0: 20})
    monkeypatch.setattr("rtlib.faults.runner.obstacle", lambda settings, **_: "the kpis query is behind: by 7 records")
    result = CliRunner().invoke(cli.app, ["fault", "out-of-order"])
    assert result.exit_code == 1
    assert "it had not recovered: the kpis query is behind: by 7 records. rtlib status" in result.stdout


def test_the_effect_of_a_fault_is_the_difference_of_two_snapshots() -> None:
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    before = Snapshot(begin, {0: 10, 1: 10}, Counts(9, 9, 2, 1, 4, 3, 20, 5), 20, 7, 1, {"broker": 4, "stream": 5})
    after = Snapshot(
        begin + timedelta(seconds=30), {0: 90, 1: 30}, Counts(80, 79, 12, 4, 9, 5, 70, 9), 120, 10, 2,
        {"broker": 4, "stream": 9},
    )  # fmt: skip
    effect = difference(before, after, sent=SENT, ends={0: 60, 1: 20}, pause=0.4)
    assert effect == Effect(
        SENT, {0: 50, 1: 10}, held=20, archived=70, removed=10, rejected=3, late=4, dropped=3, raised=1,
        restarted=frozenset({"stream"}), seconds=30.0, pause_seconds=0.4,
    )  # fmt: skip


def progress(**ends: int) -> QueryProgress:
    """A batch that ended at these offsets."""
    offsets = {name.removeprefix("p"): end for name, end in ends.items()}
    return QueryProgress("kpis", 4, datetime(2026, 1, 5, tzinfo=UTC), 9, 1.0, 1.0, 0, 0, None, {}, offsets)


def test_a_recovery_waits_until_both_queries_have_read_all_records_from_before_its_end() -> None:
    settings = Settings(rate=1)
    ends = {0: 100, 1: 50}
    assert lag(progress(p0=90, p1=70), ends) == 10
    done, behind = progress(p0=100, p1=50), progress(p0=99, p1=60)
    assert _replaying(settings, {"kpis": done, "archive": done}, ends, ends, afresh=False) is None
    for query in ("kpis", "archive"):
        reason = _replaying(settings, {"kpis": done, "archive": done, query: behind}, ends, ends, afresh=False)
        assert reason == f"the {query} query is behind: by 1 records"


def test_a_query_far_behind_the_newest_records_still_replays_and_a_query_a_batch_behind_does_not() -> None:
    settings, done = Settings(rate=1), progress(p0=100)
    allowed = 2 * (15 + 6)
    assert _replaying(settings, {"kpis": done}, {0: 100}, {0: 100 + allowed}, afresh=False) is None
    assert _replaying(settings, {"kpis": done}, {0: 100}, {0: 101 + allowed}, afresh=False)


@pytest.mark.parametrize(("interval", "seconds"), [(4.0, 12), (10.0, 30), (0.5, 6)])
def test_the_archive_may_be_behind_by_three_of_its_own_batches(interval: float, seconds: int) -> None:
    settings, done = Settings(rate=1, archive_interval_seconds=interval), progress(p0=100)
    both = {"kpis": progress(p0=1_000), "archive": done}
    assert _replaying(settings, both, {0: 100}, {0: 100 + 2 * seconds}, afresh=False) is None
    reason = _replaying(settings, both, {0: 100}, {0: 101 + 2 * seconds}, afresh=False)
    assert reason == f"the archive query is behind: by {1 + 2 * seconds} records"
    assert archive_seconds(settings) == seconds


def test_queries_that_start_from_scratch_have_to_report_a_batch_and_idle_queries_do_not() -> None:
    settings = Settings(rate=1)
    assert _replaying(settings, {}, {0: 9}, {0: 9}, afresh=True) == "the kpis query has not reported a batch yet"
    assert _replaying(settings, {}, {0: 9}, {0: 9}, afresh=False) is None
