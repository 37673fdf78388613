"""The ledger finds lost and doubled events, names them, and reports nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice

import pytest

from rtlib import ledger
from rtlib.errors import RtlibError
from rtlib.ledger import Ledger, Verdict, judge
from rtlib.pipeline.audit.evidence import Evidence
from rtlib.pipeline.audit.in_flight import InFlight, Unmerged
from rtlib.pipeline.audit.tallies import Run
from rtlib.pipeline.audit.topic_counts import TopicCounts
from rtlib.records import Tally
from rtlib.warehouse.audit import Duplicate, ProducerCounts, Progress
from rtlib.warehouse.reads import Counts
from rtlib.warehouse.windows import WindowComparison, WindowDifference
from support.ledgers import SENT, START, evidence_of, held_by, run_of


def test_a_run_that_arrived_completely_reconciles() -> None:
    run = run_of()
    taken = judge(evidence_of(run), {})
    assert taken.reconciles
    assert (taken.lost, taken.doubled, taken.in_flight, taken.differences) == (0, 0, 0, ())
    assert taken.records_sent == taken.records_in_kafka == SENT
    assert taken.duplicates_removed == taken.duplicates_sent == run.tally.duplicates > 0
    assert taken.rejected == run.tally.malformed > 0
    assert ledger.verdict(taken) == "reconciles: nothing lost, nothing doubled"


def test_an_event_that_is_in_kafka_and_not_in_raw_is_lost_and_named() -> None:
    run = run_of()
    evidence = evidence_of(run)
    victim = next(sent.event for sent in run.records() if sent.event and sent.event.sequence == 7)
    held = held_by(evidence)
    held[victim.producer_id].remove(7)
    taken = judge(evidence, held)
    assert not taken.reconciles
    assert taken.lost == 1
    assert taken.lost_events == (ledger.Entry(victim.event_id, victim.producer_id, 7, "in Kafka, not in RAW"),)
    assert victim.event_id in ledger.render(taken)


def test_an_event_that_never_reached_kafka_is_lost_and_named() -> None:
    run = run_of()
    evidence = evidence_of(run, in_kafka=SENT - 20)
    taken = judge(evidence, held_by(evidence))
    missing = [sent.event for sent in islice(run.records(), SENT - 20, None) if sent.event]
    identifiers = {(event.producer_id, event.sequence): event.event_id for event in missing}
    archived = {(name, number) for name, numbers in held_by(evidence).items() for number in numbers}
    assert taken.lost == len(identifiers.keys() - archived) > 0
    assert {entry.event_id for entry in taken.lost_events} <= set(identifiers.values())
    assert {entry.why for entry in taken.lost_events} == {"not in Kafka"}
    assert any(line.startswith("records sent and records in Kafka: 400 and 380") for line in taken.differences)


def test_an_event_that_raw_holds_twice_is_doubled_and_named() -> None:
    duplicate = Duplicate("0195-the-event", "sim-one-2", 3, 2)
    taken = judge(replace(evidence_of(run_of()), duplicates=(duplicate,)), {})
    assert not taken.reconciles
    assert taken.doubled == 1
    assert taken.doubled_events == (ledger.Entry("0195-the-event", "sim-one-2", 3, "2 rows"),)


def window(raw: int, kpi: int, late: int) -> WindowComparison:
    return WindowComparison(6, (WindowDifference("plant-a", START, raw, kpi, late),))


def test_an_event_that_a_window_counts_twice_is_doubled() -> None:
    taken = judge(replace(evidence_of(run_of()), windows=window(10, 12, 0)), {})
    assert taken.doubled == 2
    assert not taken.reconciles


def test_an_event_behind_the_watermark_is_dropped_and_not_lost() -> None:
    taken = judge(replace(evidence_of(run_of()), windows=window(10, 8, 2)), {})
    assert (taken.late_dropped, taken.lost) == (2, 0)
    assert taken.reconciles


def test_a_window_with_too_few_events_and_no_late_one_does_not_reconcile() -> None:
    taken = judge(replace(evidence_of(run_of()), windows=window(10, 8, 1)), {})
    assert not taken.reconciles
    assert taken.differences == ("plant-a 09:00 UTC: 10 archived, 8 counted, 1 behind the watermark",)


IN_FLIGHT = 30


def stopped(**options: int) -> Evidence:
    """The simulator has just stopped: each event is in its window, and the archive has yet to read some."""
    return evidence_of(run_of(), archived=SENT - IN_FLIGHT, **options)


def with_window(evidence: Evidence, *, raw: int, kpi: int, late: int = 0, unreached: int = 0) -> Evidence:
    """A window that differs, an hour old: a count must not be excused by its age."""
    difference = WindowDifference("plant-a", START, raw, kpi, late, unreached)
    return replace(evidence, windows=WindowComparison(6, (difference,), {0: 100}))


def verdict_of(evidence: Evidence) -> Verdict:
    return judge(evidence, held_by(evidence)).verdict


def test_records_behind_the_offset_of_the_archive_are_in_flight_with_partition_offset_and_count() -> None:
    taken = judge(stopped(), held_by(stopped()))
    assert (taken.lost, taken.doubled, taken.differences, taken.in_flight) == (0, 0, (), IN_FLIGHT)
    assert taken.verdict is Verdict.NOT_FINAL
    assert not taken.reconciles  # no proof before they have arrived
    assert [str(records) for records in taken.in_flight_at] == [
        "archive: 30 records of partition 0 from offset 370 on: in Kafka and not yet in RAW"
    ]
    assert "in flight: archive: 30 records" in ledger.render(taken)
    assert "30 records in flight; it is final once all has arrived, which waits for: archive" in ledger.verdict(taken)


def test_an_event_missing_before_the_offset_of_the_archive_is_lost_at_once() -> None:
    held = held_by(stopped())
    held[sorted(held)[0]].remove(7)
    taken = judge(stopped(), held)
    assert (taken.verdict, taken.lost, taken.in_flight) == (Verdict.DIFFERS, 1, IN_FLIGHT)


def test_an_event_missing_in_raw_is_lost_even_if_its_second_copy_is_in_flight() -> None:
    evidence = stopped()
    held = held_by(evidence)
    name = sorted(held)[0]
    held[name].remove(7)
    evidence.topic.add(name, 7, archived=False)
    assert judge(evidence, held).lost == 1


def test_an_event_of_which_only_the_second_copy_was_archived_is_not_in_flight() -> None:
    topic = TopicCounts()
    for archived in (False, True):
        topic.add("sim-one-0", 0, archived=archived)
    assert topic.pending_events == 0


def test_while_the_simulator_sends_nothing_is_final_and_the_verdict_says_how_to_make_it_final() -> None:
    evidence = replace(evidence_of(run_of(closed=False)), running=True)
    taken = judge(evidence, {})
    assert (taken.verdict, taken.reconciles) == (Verdict.NOT_FINAL, False)
    assert "rtlib stop simulator" in ledger.verdict(taken)


def test_records_missing_in_kafka_are_in_flight_while_the_simulator_sends() -> None:
    evidence = replace(evidence_of(run_of(closed=False), in_kafka=SENT - 20), running=True)
    taken = judge(evidence, held_by(evidence))
    assert taken.verdict is Verdict.NOT_FINAL
    assert str(taken.in_flight_at[0]).endswith("records: sent by the simulator and not yet in Kafka")
    assert judge(replace(evidence, running=False), held_by(evidence)).verdict is Verdict.DIFFERS


def test_an_old_window_whose_events_wait_for_the_archive_is_in_flight_and_not_doubled() -> None:
    evidence = with_window(stopped(), raw=10, kpi=12)
    evidence.topic.pending_windows["plant-a", START] = 2
    assert verdict_of(evidence) is Verdict.NOT_FINAL
    evidence.topic.pending_windows["plant-a", START] = 1  # the other event is missing
    taken = judge(evidence, held_by(evidence))
    assert (taken.verdict, taken.doubled) == (Verdict.DIFFERS, 2)


def test_an_old_window_whose_events_wait_for_the_kpi_query_is_in_flight_and_not_different() -> None:
    evidence = with_window(evidence_of(run_of()), raw=10, kpi=8, unreached=2)
    evidence.topic.waiting["kpis", 0] = 300
    taken = judge(evidence, {})
    assert taken.verdict is Verdict.NOT_FINAL
    assert [str(records) for records in taken.in_flight_at] == [
        "kpis: 300 records of partition 0 from offset 100 on: in Kafka and not yet in a batch that the KPI query has "
        "reported"
    ]
    assert verdict_of(with_window(evidence, raw=10, kpi=8, unreached=1)) is Verdict.DIFFERS


def test_an_old_window_whose_kpi_record_waits_for_the_loader_is_in_flight_and_not_different() -> None:
    waiting = Unmerged((InFlight("loader", 1, 7, 3),), frozenset({("plant-a", START)}))
    evidence = replace(with_window(evidence_of(run_of()), raw=10, kpi=8), unmerged=waiting)
    taken = judge(evidence, {})
    assert taken.verdict is Verdict.NOT_FINAL
    assert [str(records) for records in taken.in_flight_at] == [
        "loader: 3 KPI records of partition 1 from offset 7 on: in the KPI topic and not yet in SPEED"
    ]
    elsewhere = replace(waiting, windows=frozenset({("plant-b", START)}))
    assert judge(replace(evidence, unmerged=elsewhere), {}).verdict is Verdict.DIFFERS


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("counted", [8, 12])
def test_a_recent_window_that_nothing_in_flight_explains_differs_at_once(running: bool, counted: int) -> None:
    evidence = replace(with_window(stopped(), raw=10, kpi=counted), running=running, taken_at=START)
    taken = judge(evidence, held_by(evidence))
    assert taken.verdict is Verdict.DIFFERS
    assert taken.differences == (f"plant-a 09:00 UTC: 10 archived, {counted} counted, 0 behind the watermark",)


def test_malformed_records_that_wait_for_the_archive_are_in_flight_and_a_missing_record_differs() -> None:
    evidence = stopped()
    assert evidence.topic.malformed > evidence.topic.archived_malformed > 0
    fewer = replace(evidence.counts, rejected=evidence.counts.rejected - 1)
    assert verdict_of(evidence) is Verdict.NOT_FINAL
    assert judge(replace(evidence, counts=fewer), held_by(evidence)).differences == (
        f"malformed records in Kafka and rejected: {evidence.topic.malformed} and {fewer.rejected}",
    )


def test_events_that_raw_has_lost_or_doubled_are_found_while_others_are_in_flight() -> None:
    evidence = replace(stopped(), duplicates=(Duplicate("0195-the-event", "sim-one-2", 3, 2),))
    held = held_by(evidence)
    name = sorted(held)[0]
    held[name].remove(7)
    taken = judge(evidence, held)
    assert (taken.lost, taken.doubled) == (1, 1)
    assert (taken.lost_events[0].producer_id, taken.lost_events[0].sequence) == (name, 7)
    assert ledger.verdict(taken) == "DOES NOT RECONCILE: 1 lost, 1 doubled"


@pytest.mark.parametrize("counts", [(10, 12), (10, 8)])
def test_the_verdict_never_denies_a_difference(counts: tuple[int, int]) -> None:
    taken = judge(with_window(evidence_of(run_of()), raw=counts[0], kpi=counts[1]), {})
    assert "1 difference" in ledger.verdict(taken)


def test_each_verdict_has_an_exit_code_that_no_error_uses() -> None:
    errors = {kind.exit_code for kind in all_errors(RtlibError)} | {2}
    codes = {verdict: verdict.exit_code for verdict in Verdict}
    assert codes == {Verdict.RECONCILES: 0, Verdict.DIFFERS: 1, Verdict.NOT_FINAL: 9}
    assert 9 not in errors


def all_errors(kind: type[RtlibError]) -> set[type[RtlibError]]:
    return {kind}.union(*(all_errors(subclass) for subclass in kind.__subclasses__()))


def test_as_json_a_ledger_keeps_its_keys_and_has_a_verdict() -> None:
    shown = json.loads(json.dumps(ledger.to_dict(judge(stopped(), held_by(stopped()))), default=str))
    assert (shown["reconciles"], shown["verdict"], shown["in_flight"]) == (False, "not final yet", IN_FLIGHT)
    assert shown["in_flight_at"] == [{"part": "archive", "partition": 0, "offset": 370, "count": IN_FLIGHT}]
    assert set(Ledger.__dataclass_fields__) < set(shown)


EXPIRED = 150


def test_records_that_kafka_has_deleted_are_proved_by_raw_alone_and_the_ledger_says_so() -> None:
    taken = judge(evidence_of(run_of(), expired=EXPIRED), {})
    assert (taken.lost, taken.doubled, taken.differences, taken.read_again) == (0, 0, (), 0)
    assert taken.reconciles
    assert (taken.records_sent, taken.expired, taken.records_in_kafka) == (SENT, EXPIRED, SENT - EXPIRED)
    assert "for these RAW alone is the proof" in ledger.render(taken)
    assert "RAW alone" not in ledger.render(judge(evidence_of(run_of()), {}))


def test_when_kafka_has_deleted_everything_the_ledger_still_reconciles() -> None:
    taken = judge(evidence_of(run_of(), expired=SENT), {})
    assert taken.reconciles, taken.differences
    assert (taken.records_in_kafka, taken.read_again) == (0, 0)


@pytest.mark.parametrize("running", [False, True])
def test_an_expired_event_that_raw_does_not_hold_is_lost_and_named(running: bool) -> None:
    evidence = replace(evidence_of(run_of(closed=not running), expired=EXPIRED), running=running)
    victim = next(sent.event for sent in run_of().records() if sent.event and sent.event.sequence == 7)
    held = held_by(evidence)
    held[victim.producer_id].remove(7)
    taken = judge(evidence, held)
    why = "neither in RAW nor in what Kafka still holds"
    assert taken.lost_events == (ledger.Entry(victim.event_id, victim.producer_id, 7, why),)
    assert taken.in_flight == 0


def test_after_kafka_has_deleted_its_oldest_records_counts_that_disagree_with_raw_are_still_reported() -> None:
    evidence = evidence_of(run_of(), expired=EXPIRED)
    sent, counts = evidence.runs[0].tally, evidence.counts
    fewer = replace(counts, live_events=counts.live_events - 1, rejected=counts.rejected - 1)
    differences = judge(replace(evidence, counts=fewer), {}).differences
    left = evidence.topic.malformed
    assert differences == (
        f"events sent and archived: {sent.events} and {sent.events - 1}",
        f"malformed records sent and rejected: {sent.malformed} and {sent.malformed - 1}",
        f"malformed records still in Kafka and rejected of those: {left} and {left - 1}",
    )


def test_for_a_killed_simulator_whose_records_kafka_has_deleted_raw_shows_how_far_it_came() -> None:
    behind = run_of(SENT - 10, closed=False)
    evidence = evidence_of(behind, in_kafka=SENT, expired=SENT)
    held = held_by(evidence)
    assert judge(evidence, {}).reconciles
    name = max(held, key=lambda name: evidence.producers[name].last - behind.tally.last_sequence[name])
    victim = evidence.producers[name].last - 1
    assert victim > behind.tally.last_sequence[name]  # the tally is behind
    held[name].remove(victim)
    assert [(entry.producer_id, entry.sequence) for entry in judge(evidence, held).lost_events] == [(name, victim)]


def test_records_read_again_after_a_lost_checkpoint_are_no_duplicates() -> None:
    evidence = evidence_of(run_of())
    taken = judge(replace(evidence, progress=Progress({0: SENT}, 2 * SENT)), {})
    assert taken.read_again == SENT
    assert taken.reconciles


def test_a_producer_that_belongs_to_no_run_does_not_reconcile() -> None:
    evidence = evidence_of(run_of())
    evidence.topic.add("stranger", 0, archived=True)
    taken = judge(evidence, {})
    assert any("stranger" in line for line in taken.differences)


def test_a_producer_that_is_in_raw_alone_and_belongs_to_no_run_does_not_reconcile() -> None:
    evidence = evidence_of(run_of(), expired=SENT)
    taken = judge(replace(evidence, producers={**evidence.producers, "stranger": ProducerCounts(1, 1, 0)}), {})
    assert taken.differences == ("producers in Kafka or RAW that belong to no run of the simulator: stranger",)


def test_a_killed_simulator_may_have_sent_more_than_its_tally_says() -> None:
    behind = run_of(SENT - 10, closed=False)
    taken = judge(evidence_of(behind, in_kafka=SENT), {})
    assert taken.reconciles
    assert taken.records_in_kafka == taken.records_sent + 10


def test_a_killed_simulator_cannot_have_sent_less_than_its_tally_says() -> None:
    taken = judge(evidence_of(run_of(closed=False), in_kafka=SENT - 20), {})
    assert "records sent and records in Kafka: 400 and 380" in taken.differences
    assert not taken.reconciles


def test_while_a_simulator_sends_records_of_its_tally_may_not_be_in_kafka_yet() -> None:
    assert judge(replace(evidence_of(run_of(closed=False), in_kafka=SENT - 20), running=True), {}).agrees


def killed_beside(evidence: Evidence, *, extra: int) -> Evidence:
    """Another run was killed with 10 events in its tally; Kafka holds ``extra`` records more."""
    other = replace(run_of().simulator, run="other")
    tally = Tally(events=10, last_sequence={"sim-other-0": 9})
    for sequence in range(10 + extra):
        evidence.topic.add("sim-other-0", sequence, archived=True)
    evidence.topic.records += 10 + extra
    evidence.topic.archived_records += 10 + extra
    counts = replace(evidence.counts, live_events=evidence.counts.live_events + 10 + extra)
    producers = {**evidence.producers, "sim-other-0": ProducerCounts(10 + extra, 10 + extra, 9 + extra)}
    return replace(evidence, runs=(*evidence.runs, Run(other, tally, closed=False)), producers=producers, counts=counts)


def test_a_killed_simulator_does_not_excuse_events_of_a_finished_run_that_are_missing_in_kafka() -> None:
    assert judge(killed_beside(evidence_of(run_of()), extra=30), {}).reconciles
    fewer = killed_beside(evidence_of(run_of(), in_kafka=SENT - 20), extra=30)
    differences = judge(fewer, {}).differences  # the total is 10 above the tallies
    run, in_kafka = fewer.runs[0].tally, fewer.topic.events - 40
    assert f"events of finished runs sent and in Kafka: {run.events} and {in_kafka}" in differences


def test_a_killed_simulator_does_not_excuse_a_surplus_duplicate() -> None:
    evidence = killed_beside(evidence_of(run_of()), extra=30)
    evidence.topic.add("sim-one-0", 3, archived=True)
    evidence.topic.records += 1
    evidence.topic.archived_records += 1
    sent = evidence.runs[0].tally.duplicates
    differences = judge(evidence, {}).differences
    assert differences == (f"duplicates of finished runs sent and in Kafka: {sent} and {sent + 1}",)


def test_a_killed_simulator_does_not_excuse_expired_events_of_a_finished_run_that_are_missing_in_raw() -> None:
    evidence = killed_beside(evidence_of(run_of(), expired=SENT), extra=30)
    assert judge(evidence, {}).reconciles
    name, archived = next(iter(evidence.producers.items()))
    fewer = {**evidence.producers, name: ProducerCounts(archived.rows - 1, archived.sequences - 1, archived.last)}
    sent = evidence.runs[0].tally.events
    differences = judge(replace(evidence, producers=fewer), {}).differences
    assert differences == (f"events of finished runs sent and archived: {sent} and {sent - 1}",)


@pytest.mark.parametrize("running", [False, True])
def test_an_event_numbered_far_beyond_an_open_run_makes_no_other_event_lost_and_is_reported(running: bool) -> None:
    evidence = replace(evidence_of(run_of(closed=False)), running=running)
    forged, name = 2**53 - 1, sorted(evidence.producers)[0]
    evidence.topic.add(name, forged, archived=True)
    evidence.topic.records += 1
    evidence.topic.archived_records += 1
    archived = evidence.producers[name]
    held = held_by(evidence)
    held[name].add(forged)
    evidence = replace(
        evidence,
        producers={**evidence.producers, name: ProducerCounts(archived.rows + 1, archived.sequences + 1, forged)},
    )
    taken = judge(evidence, held)
    assert (taken.lost, taken.in_flight) == (0, 0)
    sent = evidence.runs[0].tally.last_sequence[name]
    assert any(
        line.startswith(f"{name} had sent up to #{sent:,}, and there is a #{forged:,}") for line in taken.differences
    )


def test_an_unprintable_producer_name_is_escaped() -> None:
    evidence = evidence_of(run_of())
    evidence.topic.add("x\ud800\n", 0, archived=True)
    assert any(line.endswith("simulator: x\\ud800\\n") for line in judge(evidence, {}).differences)


def test_nothing_sent_proves_nothing() -> None:
    nothing = replace(evidence_of(run_of()), runs=(), topic=TopicCounts(), producers={})
    taken = judge(replace(nothing, counts=Counts(0, 0, 0, 0, 0, 0, 0, 0)), {})
    assert not taken.reconciles
    assert taken.verdict is Verdict.NOT_FINAL
    assert ledger.verdict(taken) == "NOT FINAL YET: nothing was sent, so there is nothing to prove"


@pytest.mark.parametrize("name", list(Ledger.__dataclass_fields__))
def test_every_count_of_the_ledger_is_explained(name: str) -> None:
    assert f"        {name}: " in (Ledger.__doc__ or "")
