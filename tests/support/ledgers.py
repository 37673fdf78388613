"""A run of the simulator, what a pipeline would say of it, and the ledgers that follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from rtlib.domains import load_domain
from rtlib.ledger import Ledger
from rtlib.pipeline.audit.evidence import Evidence, Topic
from rtlib.pipeline.audit.in_flight import window_of
from rtlib.pipeline.audit.tallies import Run
from rtlib.simulator import Defect, Simulator, TallyKeeper
from rtlib.warehouse.audit import ProducerCounts, Progress
from rtlib.warehouse.reads import Counts, WindowComparison

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SENT = 400


def good_ledger() -> Ledger:
    """One of which everything agrees."""
    counts = dict.fromkeys(Ledger.__dataclass_fields__, 0)
    nothing: dict[str, Any] = {
        "lost_events": (),
        "doubled_events": (),
        "differences": (),
        "in_flight_at": (),
        "running": False,
    }
    return Ledger(**{**counts, **nothing, "records_sent": 9})


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
    topic, held, removed = Topic(first={0: gone} if gone else {}), dict[str, set[int]](), 0
    records = list(islice(run.simulator.records(), run.tally.records if in_kafka is None else in_kafka))
    reached = len(records) if archived is None else archived
    for place, sent in enumerate(records):
        topic.records += place >= gone
        topic.archived_records += gone <= place < reached
        topic.waiting["archive", 0] += place >= max(gone, reached)
        if sent.event is None:
            topic.misfits += place >= gone
            topic.archived_misfits += gone <= place < reached
            continue
        if place >= gone:
            window = sent.event.site, window_of(sent.event.occurred_at, 60)
            topic.add(sent.event.producer_id, sent.event.sequence, archived=place < reached, window=window)
        if place < reached:
            held.setdefault(sent.event.producer_id, set()).add(sent.event.sequence)
            removed += sent.defect is Defect.DUPLICATE
    rows = sum(len(one) for one in held.values())
    misfits = sum(one.event is None for one in records[:reached])
    return Evidence(
        taken_at=START + timedelta(hours=1),
        running=False,
        runs=(run,),
        topic=topic,
        held={name: ProducerCounts(len(one), len(one), max(one)) for name, one in held.items()},
        doubled=(),
        progress=Progress({0: reached}, reached - gone),
        counts=Counts(rows, rows, removed, misfits, 1, 6, rows, 0),
        windows=WindowComparison(6, ()),
        rejected_before=sum(one.event is None for one in records[:gone]),
    )


def held_by(evidence: Evidence) -> dict[str, set[int]]:
    return {name: set(range(one.last + 1)) for name, one in evidence.held.items()}
