"""A run of the simulator, the evidence of a perfect pipeline about it, and ledgers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from rtlib.domains import load_domain
from rtlib.ledger import Ledger
from rtlib.pipeline.audit.evidence import Evidence
from rtlib.pipeline.audit.in_flight import window_of
from rtlib.pipeline.audit.tallies import Run
from rtlib.pipeline.audit.topic_counts import TopicCounts
from rtlib.simulator import Defect, Simulator, TallyKeeper
from rtlib.warehouse.audit import ProducerCounts, Progress
from rtlib.warehouse.reads import Counts
from rtlib.warehouse.windows import WindowComparison

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SENT = 400


def good_ledger() -> Ledger:
    """A ledger without differences."""
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
        load_domain("iot"), seed=12, start=START, rate=50, duplicate_share=0.1, malformed_share=0.05, run="one"
    )
    keeper = TallyKeeper()
    for sent in islice(simulator.records(), count):
        keeper.add(sent)
    return Run(simulator, keeper.tally(), closed)


def evidence_of(run: Run, *, in_kafka: int | None = None, archived: int | None = None, expired: int = 0) -> Evidence:
    """The evidence of a perfect pipeline after this number of records reached Kafka, and of those RAW.

    Kafka has deleted the first ``expired`` of them.
    """
    topic, sequences, removed = TopicCounts(first={0: expired} if expired else {}), dict[str, set[int]](), 0
    records = list(islice(run.simulator.records(), run.tally.records if in_kafka is None else in_kafka))
    reached = len(records) if archived is None else archived
    for offset, sent in enumerate(records):
        topic.records += offset >= expired
        topic.archived_records += expired <= offset < reached
        topic.waiting["archive", 0] += offset >= max(expired, reached)
        if sent.event is None:
            topic.malformed += offset >= expired
            topic.archived_malformed += expired <= offset < reached
            continue
        if offset >= expired:
            window = sent.event.site, window_of(sent.event.occurred_at, 60)
            topic.add(sent.event.producer_id, sent.event.sequence, archived=offset < reached, window=window)
        if offset < reached:
            sequences.setdefault(sent.event.producer_id, set()).add(sent.event.sequence)
            removed += sent.defect is Defect.DUPLICATE
    rows = sum(len(numbers) for numbers in sequences.values())
    malformed = sum(sent.event is None for sent in records[:reached])
    return Evidence(
        taken_at=START + timedelta(hours=1),
        running=False,
        runs=(run,),
        topic=topic,
        producers={
            name: ProducerCounts(len(numbers), len(numbers), max(numbers)) for name, numbers in sequences.items()
        },
        duplicates=(),
        progress=Progress({0: reached}, reached - expired),
        counts=Counts(rows, rows, removed, malformed, 1, 6, rows, 0),
        windows=WindowComparison(6, ()),
        rejected_before=sum(sent.event is None for sent in records[:expired]),
    )


def held_by(evidence: Evidence) -> dict[str, set[int]]:
    """All sequences in RAW, by producer."""
    return {name: set(range(counts.last + 1)) for name, counts in evidence.producers.items()}
