"""The ledger finds what is lost and what is doubled, names it, and says nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from rtlib import ledger
from rtlib.domains import load_domain
from rtlib.ledger import Ledger, judge
from rtlib.pipeline.evidence import Evidence, Topic
from rtlib.pipeline.tallies import Run
from rtlib.records import Tally
from rtlib.simulator import Flaw, Simulator, TallyKeeper
from rtlib.warehouse.audit import Doubled, Held, Progress
from rtlib.warehouse.serve import Counts, WindowComparison, WindowDifference

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SENT = 400


def run_of(count: int = SENT, *, closed: bool = True) -> Run:
    simulator = Simulator(
        load_domain("iot"), seed=5, start=START, rate=50, duplicate_share=0.1, malformed_share=0.05, run="one"
    )
    keeper = TallyKeeper()
    for sent in islice(simulator.records(), count):
        keeper.add(sent)
    return Run(simulator, keeper.tally(), closed)


def evidence_of(run: Run, *, in_kafka: int | None = None, archived: int | None = None, gone: int = 0) -> Evidence:
    """What a perfect pipeline would say, had so many records come to Kafka, and so many of those to RAW.

    Kafka has deleted the first ``gone`` of them by now.
    """
    topic, held, removed = Topic(first={0: gone}), dict[str, set[int]](), 0
    records = list(islice(run.simulator.records(), run.tally.records if in_kafka is None else in_kafka))
    reached = len(records) if archived is None else archived
    for place, sent in enumerate(records):
        topic.records += place >= gone
        topic.archived_records += gone <= place < reached
        if sent.event is None:
            topic.misfits += place >= gone
            continue
        if place >= gone:
            topic.add(sent.event.producer_id, sent.event.sequence, archived=place < reached)
        if place < reached:
            held.setdefault(sent.event.producer_id, set()).add(sent.event.sequence)
            removed += sent.flaw is Flaw.DUPLICATE
    rows = sum(len(one) for one in held.values())
    misfits = sum(one.event is None for one in records[:reached])
    return Evidence(
        taken_at=START + timedelta(hours=1),
        running=False,
        runs=(run,),
        topic=topic,
        held={name: Held(len(one), len(one), max(one)) for name, one in held.items()},
        doubled=(),
        progress=Progress({}, reached - gone),
        counts=Counts(rows, rows, removed, misfits, 1, 6, rows, 0),
        windows=WindowComparison(6, ()),
        rejected_before=sum(one.event is None for one in records[:gone]),
    )


def held_by(evidence: Evidence) -> dict[str, set[int]]:
    return {name: set(range(one.last + 1)) for name, one in evidence.held.items()}


def test_a_run_of_which_everything_arrived_reconciles() -> None:
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
    taken = judge(evidence, {name: set(range(one.last + 1)) for name, one in evidence.held.items()})
    missing = [sent.event for sent in islice(run.records(), SENT - 20, None) if sent.event]
    fresh = {(one.producer_id, one.sequence): one.event_id for one in missing}
    known = {(name, number) for name, one in evidence.held.items() for number in range(one.last + 1)}
    assert taken.lost == len(fresh.keys() - known) > 0
    assert {one.event_id for one in taken.lost_events} <= set(fresh.values())
    assert {one.why for one in taken.lost_events} == {"not in Kafka"}
    assert any(one.startswith("records sent and records in Kafka: 400 and 380") for one in taken.differences)


def test_an_event_that_stands_in_raw_twice_is_doubled_and_named() -> None:
    twice = Doubled("0195-the-event", "sim-one-2", 3, 2)
    taken = judge(replace(evidence_of(run_of()), doubled=(twice,)), {})
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
    assert taken.differences == ("plant-a 09:00: 10 archived, 8 counted, 1 behind the watermark",)


def test_what_the_archive_has_not_reached_is_in_flight_and_not_lost() -> None:
    evidence = replace(evidence_of(run_of(), archived=SENT - 30), running=True)
    taken = judge(evidence, held_by(evidence))
    assert (taken.lost, taken.in_flight) == (0, 30)
    assert ledger.verdict(taken).startswith("so far nothing lost")
    assert "rtlib stop simulator" in ledger.verdict(taken)


IN_FLIGHT = 30


def stopped(**more: int) -> Evidence:
    """The simulator has stopped a moment ago: every event is in its window, and the archive has yet to read some."""
    return evidence_of(run_of(), archived=SENT - IN_FLIGHT, **more)


def test_after_the_simulators_end_what_the_archive_has_not_reached_is_neither_lost_nor_doubled() -> None:
    just_now = WindowDifference("plant-a", START + timedelta(minutes=59), 40, 40 + IN_FLIGHT, 0)
    evidence = replace(stopped(), windows=WindowComparison(6, (just_now,)))
    taken = judge(evidence, held_by(evidence))
    assert (taken.lost, taken.doubled, taken.differences, taken.in_flight) == (0, 0, (), IN_FLIGHT)
    assert "30 records in flight: it is not final" in ledger.verdict(taken)
    assert taken.agrees
    assert not taken.reconciles  # it is no proof before they have arrived
    evidence.topic.archived_records = evidence.topic.records
    assert judge(evidence, held_by(evidence)).doubled == IN_FLIGHT  # nothing is on its way any more


def test_an_event_that_raw_has_lost_or_doubled_is_found_while_others_are_in_flight() -> None:
    evidence = replace(stopped(), doubled=(Doubled("0195-the-event", "sim-one-2", 3, 2),))
    held = held_by(evidence)
    name = sorted(held)[0]
    held[name].remove(7)
    taken = judge(evidence, held)
    assert (taken.lost, taken.doubled) == (1, 1)
    assert (taken.lost_events[0].producer_id, taken.lost_events[0].sequence) == (name, 7)
    assert ledger.verdict(taken) == "DOES NOT RECONCILE: 1 lost, 1 doubled"


@pytest.mark.parametrize(("running", "counted"), [(True, 12), (True, 8), (False, 8)])
def test_a_window_that_ended_long_ago_must_agree_even_while_others_are_in_flight(running: bool, counted: int) -> None:
    evidence = replace(stopped(), running=running, windows=window(10, counted, 0))
    assert judge(evidence, held_by(evidence)).differences == (
        f"plant-a 09:00: 10 archived, {counted} counted, 0 behind the watermark",
    )


def test_after_the_simulators_end_a_window_that_is_ahead_of_the_archive_has_time_until_all_is_read() -> None:
    evidence = replace(stopped(), windows=window(10, 12, 0))
    assert judge(evidence, held_by(evidence)).agrees
    assert judge(replace(evidence_of(run_of()), windows=window(10, 12, 0)), {}).doubled == 2


GONE = 150


def test_what_kafka_has_deleted_by_now_is_proved_by_raw_alone_and_the_ledger_says_so() -> None:
    taken = judge(evidence_of(run_of(), gone=GONE), {})
    assert (taken.lost, taken.doubled, taken.differences, taken.read_again) == (0, 0, (), 0)
    assert taken.reconciles
    assert (taken.records_sent, taken.expired, taken.records_in_kafka) == (SENT, GONE, SENT - GONE)
    assert "for these RAW alone is the proof" in ledger.render(taken)
    assert "RAW alone" not in ledger.render(judge(evidence_of(run_of()), {}))


def test_when_kafka_has_deleted_everything_the_ledger_still_reconciles() -> None:
    taken = judge(evidence_of(run_of(), gone=SENT), {})
    assert taken.reconciles, taken.differences
    assert (taken.records_in_kafka, taken.read_again) == (0, 0)


@pytest.mark.parametrize("running", [False, True])
def test_an_event_that_neither_raw_nor_kafka_holds_any_more_is_lost_and_named(running: bool) -> None:
    evidence = replace(evidence_of(run_of(closed=not running), gone=GONE), running=running)
    victim = next(sent.event for sent in run_of().records() if sent.event and sent.event.sequence == 7)
    held = held_by(evidence)
    held[victim.producer_id].remove(7)
    taken = judge(evidence, held)
    why = "neither in RAW nor in what Kafka still holds"
    assert taken.lost_events == (ledger.Entry(victim.event_id, victim.producer_id, 7, why),)
    assert taken.in_flight == 0


def test_after_kafka_has_deleted_its_oldest_counts_that_disagree_with_raw_are_still_told() -> None:
    evidence = evidence_of(run_of(), gone=GONE)
    sent, counts = evidence.runs[0].tally, evidence.counts
    fewer = replace(counts, live_events=counts.live_events - 1, rejected=counts.rejected - 1)
    told = judge(replace(evidence, counts=fewer), {}).differences
    left = evidence.topic.misfits
    assert told == (
        f"events sent and archived: {sent.events} and {sent.events - 1}",
        f"malformed records sent and rejected: {sent.malformed} and {sent.malformed - 1}",
        f"malformed records still in Kafka and rejected of those: {left} and {left - 1}",
    )


def test_of_a_killed_simulator_whose_records_kafka_has_deleted_raw_tells_how_far_it_came() -> None:
    behind = run_of(SENT - 10, closed=False)
    evidence = evidence_of(behind, in_kafka=SENT, gone=SENT)
    held = held_by(evidence)
    assert judge(evidence, {}).reconciles
    name = max(held, key=lambda one: evidence.held[one].last - behind.tally.last_sequence[one])
    victim = evidence.held[name].last - 1
    assert victim > behind.tally.last_sequence[name]  # the tally is behind
    held[name].remove(victim)
    assert [(one.producer_id, one.sequence) for one in judge(evidence, held).lost_events] == [(name, victim)]


def test_records_read_again_after_a_lost_checkpoint_are_no_duplicates() -> None:
    evidence = evidence_of(run_of())
    taken = judge(replace(evidence, progress=Progress({}, 2 * SENT)), {})
    assert taken.read_again == SENT
    assert taken.reconciles


def test_a_producer_that_no_run_knows_does_not_reconcile() -> None:
    evidence = evidence_of(run_of())
    evidence.topic.add("stranger", 0, archived=True)
    taken = judge(evidence, {})
    assert any("stranger" in one for one in taken.differences)


def test_a_producer_that_is_in_raw_alone_and_that_no_run_knows_does_not_reconcile() -> None:
    evidence = evidence_of(run_of(), gone=SENT)
    taken = judge(replace(evidence, held={**evidence.held, "stranger": Held(1, 1, 0)}), {})
    assert taken.differences == ("producers in Kafka or RAW that no run of the simulator knows: stranger",)


def test_a_simulator_that_was_killed_may_have_sent_more_than_its_tally_says() -> None:
    behind = run_of(SENT - 10, closed=False)
    taken = judge(evidence_of(behind, in_kafka=SENT), {})
    assert taken.reconciles
    assert taken.records_in_kafka == taken.records_sent + 10


def test_a_simulator_that_was_killed_cannot_have_sent_less_than_its_tally_says() -> None:
    taken = judge(evidence_of(run_of(closed=False), in_kafka=SENT - 20), {})
    assert "records sent and records in Kafka: 400 and 380" in taken.differences
    assert not taken.reconciles


def test_while_a_simulator_sends_what_it_has_told_of_may_not_be_in_kafka_yet() -> None:
    assert judge(replace(evidence_of(run_of(closed=False), in_kafka=SENT - 20), running=True), {}).agrees


def killed_beside(evidence: Evidence, *, extra: int) -> Evidence:
    """Another run was killed after 10 events, of which its tally knows; so many more records of it are in Kafka."""
    other = replace(run_of().simulator, run="other")
    tally = Tally(events=10, last_sequence={"sim-other-0": 9})
    for sequence in range(10 + extra):
        evidence.topic.add("sim-other-0", sequence, archived=True)
    evidence.topic.records += 10 + extra
    evidence.topic.archived_records += 10 + extra
    counts = replace(evidence.counts, live_events=evidence.counts.live_events + 10 + extra)
    held = {**evidence.held, "sim-other-0": Held(10 + extra, 10 + extra, 9 + extra)}
    return replace(evidence, runs=(*evidence.runs, Run(other, tally, closed=False)), held=held, counts=counts)


def test_a_killed_simulator_does_not_excuse_what_a_run_that_ended_well_lacks_in_kafka() -> None:
    assert judge(killed_beside(evidence_of(run_of()), extra=30), {}).reconciles
    fewer = killed_beside(evidence_of(run_of(), in_kafka=SENT - 20), extra=30)
    told = judge(fewer, {}).differences  # in all there are 10 more than the accounts say
    run, found = fewer.runs[0].tally, fewer.topic.events - 40
    assert f"events of finished runs sent and in Kafka: {run.events} and {found}" in told


def test_a_killed_simulator_does_not_excuse_a_duplicate_too_many() -> None:
    evidence = killed_beside(evidence_of(run_of()), extra=30)
    evidence.topic.add("sim-one-0", 3, archived=True)
    evidence.topic.records += 1
    evidence.topic.archived_records += 1
    twice = evidence.runs[0].tally.duplicates
    told = judge(evidence, {}).differences
    assert told == (f"duplicates of finished runs sent and in Kafka: {twice} and {twice + 1}",)


def test_a_killed_simulator_does_not_excuse_what_raw_lacks_of_a_run_that_ended_well_and_that_kafka_has_deleted() -> (
    None
):
    evidence = killed_beside(evidence_of(run_of(), gone=SENT), extra=30)
    assert judge(evidence, {}).reconciles
    name, found = next(iter(evidence.held.items()))
    fewer = {**evidence.held, name: Held(found.rows - 1, found.sequences - 1, found.last)}
    sent = evidence.runs[0].tally.events
    told = judge(replace(evidence, held=fewer), {}).differences
    assert told == (f"events of finished runs sent and archived: {sent} and {sent - 1}",)


@pytest.mark.parametrize("running", [False, True])
def test_an_event_numbered_far_beyond_an_open_run_makes_none_before_it_lost_and_is_told(running: bool) -> None:
    evidence = replace(evidence_of(run_of(closed=False)), running=running)
    forged, name = 2**53 - 1, sorted(evidence.held)[0]
    evidence.topic.add(name, forged, archived=True)
    evidence.topic.records += 1
    evidence.topic.archived_records += 1
    found = evidence.held[name]
    held = held_by(evidence)
    held[name].add(forged)
    evidence = replace(evidence, held={**evidence.held, name: Held(found.rows + 1, found.sequences + 1, forged)})
    taken = judge(evidence, held)
    assert (taken.lost, taken.in_flight) == (0, 0)
    sent = evidence.runs[0].tally.last_sequence[name]
    assert any(
        one.startswith(f"{name} had sent up to #{sent:,}, and there is a #{forged:,}") for one in taken.differences
    )


def test_a_stranger_with_an_unprintable_name_is_told_in_plain_letters() -> None:
    evidence = evidence_of(run_of())
    evidence.topic.add("x\ud800\n", 0, archived=True)
    assert any(one.endswith("knows: x\\ud800\\n") for one in judge(evidence, {}).differences)


def test_nothing_sent_proves_nothing() -> None:
    nothing = replace(evidence_of(run_of()), runs=(), topic=Topic(), held={})
    taken = judge(replace(nothing, counts=Counts(0, 0, 0, 0, 0, 0, 0, 0)), {})
    assert not taken.reconciles
    assert ledger.verdict(taken) == "nothing was sent yet: there is nothing to prove"


@pytest.mark.parametrize("name", list(Ledger.__dataclass_fields__))
def test_every_count_of_the_ledger_is_explained(name: str) -> None:
    assert f"        {name}: " in (Ledger.__doc__ or "")
