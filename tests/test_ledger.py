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


def evidence_of(run: Run, *, in_kafka: int | None = None, archived: int | None = None) -> Evidence:
    """What a perfect pipeline would say, had so many records come to Kafka, and so many of those to RAW."""
    topic, held, removed = Topic(), dict[str, set[int]](), 0
    records = list(islice(run.simulator.records(), run.tally.records if in_kafka is None else in_kafka))
    reached = len(records) if archived is None else archived
    for place, sent in enumerate(records):
        topic.records += 1
        topic.archived_records += place < reached
        if sent.event is None:
            topic.misfits += 1
            continue
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
        progress=Progress({}, reached),
        counts=Counts(rows, rows, removed, misfits, 1, 6, rows, 0),
        windows=WindowComparison(6, ()),
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


def test_a_simulator_that_was_killed_may_have_sent_more_than_its_tally_says() -> None:
    behind = run_of(SENT - 10, closed=False)
    taken = judge(evidence_of(behind, in_kafka=SENT), {})
    assert taken.reconciles
    assert taken.records_in_kafka == taken.records_sent + 10


def test_nothing_sent_proves_nothing() -> None:
    nothing = replace(evidence_of(run_of()), runs=(), topic=Topic(), held={})
    taken = judge(replace(nothing, counts=Counts(0, 0, 0, 0, 0, 0, 0, 0)), {})
    assert not taken.reconciles
    assert ledger.verdict(taken) == "nothing was sent yet: there is nothing to prove"


@pytest.mark.parametrize("name", list(Ledger.__dataclass_fields__))
def test_every_count_of_the_ledger_is_explained(name: str) -> None:
    assert f"        {name}: " in (Ledger.__doc__ or "")
