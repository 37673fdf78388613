"""Ledger: the proof that nothing was lost and nothing doubled, or the names of the events that were.

The simulator numbers its events: each producer counts from 0 without a gap, and its tally says how far it came. So
every place behind it can be asked for exactly those numbers. What is missing was lost, what is there twice was
doubled, and what is on its way is in flight; for events nothing of this rests on a count alone. Copies and records
that fit no schema carry no number of their own: they are counted. An event that the watermark kept out of its window
is told from one that is missing there by what its own micro-batch knew. Kafka deletes what is a week old, and the
simulator's account and RAW keep everything: then RAW alone is held against that account, and against Kafka only for
what its log still holds.

There are three verdicts. What is in flight is known from offsets, never from the time that has passed: what lies
behind the offset that a part has reached may still come, and what lies before it and is missing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from rtlib.config import Settings
from rtlib.formatting import format_quantity
from rtlib.notify import Notify
from rtlib.pipeline.audit.evidence import Evidence, gather, held_sequences
from rtlib.pipeline.audit.in_flight import SIMULATOR, InFlight
from rtlib.pipeline.audit.reconcile import differences, last_sequences, sent_by

NAMED = 10  # identifiers told of each kind
Names = dict[str, set[int]]


class Verdict(StrEnum):
    """What a ledger proves."""

    RECONCILES = "reconciles"
    NOT_FINAL = "not final yet"
    DIFFERS = "does not reconcile"

    @property
    def exit_code(self) -> int:
        """Of the commands that end with a ledger; no error of ``rtlib.errors`` has 9."""
        return {Verdict.RECONCILES: 0, Verdict.DIFFERS: 1, Verdict.NOT_FINAL: 9}[self]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event that is not where it should be, once.

    ``event_id`` is None when it cannot be told; ``why`` says where it was last seen, or how often it is there.
    """

    event_id: str | None
    producer_id: str
    sequence: int
    why: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All counts of a domain since its state was last emptied, and every disagreement in words.

    Attributes:
        taken_at: When it was taken (UTC).
        running: The simulator was sending meanwhile, so that some records are in flight and no count is final.
        records_sent: Records that the simulator handed to Kafka: events, duplicates and malformed ones.
        events_sent: Distinct events among them.
        duplicates_sent: Second copies among them.
        malformed_sent: Records among them that fit no schema.
        records_in_kafka: Records in the events topic.
        expired: Records that Kafka has deleted by now, because they were older than it keeps them.
        archived: Rows of RAW.EVENTS that came through Kafka.
        duplicates_removed: Second copies that the archive left out, among the records in the events topic.
        read_again: Records that the archive read more than once, after its checkpoint was lost.
        rejected: Rows of RAW.REJECTED.
        in_flight: Records that were sent, and that the archive has not reached yet.
        kpi_rows: Rows of SPEED.KPIS: one for each site and window.
        kpi_events: Events counted in them.
        late: Events counted in them that arrived after the end of their window.
        late_dropped: Events that the watermark kept out of their window; each is in RAW.
        lost: How many events are nowhere they should be.
        doubled: How many events are there more than once, in RAW or in a window.
        lost_events: The first of them.
        doubled_events: The first of them.
        differences: What does not agree, in words; empty when everything does.
        in_flight_at: What is in flight, by part, partition and offset; KPI records included.
    """

    taken_at: datetime
    running: bool
    records_sent: int
    events_sent: int
    duplicates_sent: int
    malformed_sent: int
    records_in_kafka: int
    expired: int
    archived: int
    duplicates_removed: int
    read_again: int
    rejected: int
    in_flight: int
    kpi_rows: int
    kpi_events: int
    late: int
    late_dropped: int
    lost: int
    doubled: int
    lost_events: tuple[Entry, ...]
    doubled_events: tuple[Entry, ...]
    differences: tuple[str, ...]
    in_flight_at: tuple[InFlight, ...] = ()

    @property
    def agrees(self) -> bool:
        """True when nothing was lost or doubled and no count disagrees, as far as it can be told by now."""
        return not (self.lost or self.doubled or self.differences)

    @property
    def verdict(self) -> Verdict:
        """What this proves: nothing is final before something was sent, and all of it has arrived."""
        if not self.agrees:
            return Verdict.DIFFERS
        is_open = self.running or self.in_flight or self.in_flight_at or not self.records_sent
        return Verdict.NOT_FINAL if is_open else Verdict.RECONCILES

    @property
    def reconciles(self) -> bool:
        """True when all agrees, and nothing is in flight any more."""
        return self.verdict is Verdict.RECONCILES


def to_dict(ledger: Ledger) -> dict[str, object]:
    """The ledger as one JSON object."""
    return {**asdict(ledger), "reconciles": ledger.reconciles, "verdict": ledger.verdict}


def take(settings: Settings, *, notify: Notify = lambda line: None) -> Ledger:
    """Take the ledger now; it is final once the simulator has stopped and nothing is in flight.

    Args:
        settings: Which domain.
        notify: Receives a line now and then while the events topic is read.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    evidence = gather(settings, notify=notify)
    suspects = {name for name, last in last_sequences(evidence).items() if not _is_whole(evidence, name, last)}
    return judge(evidence, held_sequences(settings, suspects))


def judge(evidence: Evidence, held: Names) -> Ledger:
    """Compare what each place says. Pure.

    Args:
        evidence: What each place says.
        held: All sequences in RAW of those producers that are not there without gap.
    """
    sent, topic = sent_by(evidence), evidence.topic
    lost, coming = _missing(evidence, held)
    twice = [Entry(one.event_id, one.producer_id, one.sequence, f"{one.rows} rows") for one in evidence.doubled]
    over = [
        one for one in evidence.windows.different if one.kpi_events > one.raw_events and not evidence.may_change(one)
    ]
    before_kafka = (InFlight(SIMULATOR, None, None, coming),) if coming else ()
    return Ledger(
        taken_at=evidence.taken_at,
        running=evidence.running,
        records_sent=sent.records,
        events_sent=sent.events,
        duplicates_sent=sent.duplicates,
        malformed_sent=sent.malformed,
        records_in_kafka=topic.records,
        expired=topic.expired,
        archived=evidence.counts.live_events,
        duplicates_removed=topic.removed,
        read_again=max(0, evidence.progress.rows_read - topic.archived_records),
        rejected=evidence.counts.rejected,
        in_flight=topic.unread + coming,
        kpi_rows=evidence.counts.kpi_rows,
        kpi_events=evidence.counts.kpi_events,
        late=evidence.counts.kpi_late,
        late_dropped=sum(one.raw_events - one.kpi_events for one in evidence.windows.different if one.explained),
        lost=len(lost),
        doubled=sum(one.rows - 1 for one in evidence.doubled) + sum(one.kpi_events - one.raw_events for one in over),
        lost_events=tuple(_identified(evidence, lost[:NAMED])),
        doubled_events=tuple(twice[:NAMED]),
        differences=tuple(differences(evidence)),
        in_flight_at=(*before_kafka, *evidence.in_flight),
    )


def _is_whole(evidence: Evidence, name: str, last: int) -> bool:
    found = evidence.held.get(name)
    return found is not None and found.is_gapless and found.last == last


def _missing(evidence: Evidence, held: Names) -> tuple[list[tuple[str, int, str]], int]:
    """Events that are lost (with where they were last seen), and how many are on their way to Kafka."""
    lost, coming = [], 0
    nowhere = "neither in RAW nor in what Kafka still holds" if evidence.topic.expired else "not in Kafka"
    for name, last in sorted(last_sequences(evidence).items()):
        if name not in held:
            continue
        pending = evidence.topic.pending.get(name, set())
        # What was sent before an event that Kafka has deleted by now is not on its way any more.
        gone = max((one for one in held[name] if one <= last and not evidence.topic.holds(name, one)), default=-1)
        for sequence in sorted(set(range(last + 1)) - held[name] - pending):
            in_kafka = evidence.topic.holds(name, sequence)
            if not in_kafka and evidence.running and sequence > gone:
                coming += 1
            else:
                lost.append((name, sequence, "in Kafka, not in RAW" if in_kafka else nowhere))
    return lost, coming


def _identified(evidence: Evidence, lost: list[tuple[str, int, str]]) -> Iterator[Entry]:
    """Give the lost events their identifiers back: the simulator makes the same records again."""
    wanted = {(name, sequence) for name, sequence, _ in lost}
    found = {}
    for run in evidence.runs:
        if wanted & {(name, sequence) for name, sequence in wanted if name in run.tally.last_sequence}:
            for sent in run.records():
                if sent.event and (sent.event.producer_id, sent.event.sequence) in wanted:
                    found[sent.event.producer_id, sent.event.sequence] = sent.event.event_id
    for name, sequence, why in lost:
        yield Entry(found.get((name, sequence)), name, sequence, why)


def render(ledger: Ledger) -> str:
    """The ledger as a page of text: one line for each count, then what is wrong, then the verdict."""
    lines = [f"{name:<20} {count:>12,}  {what}" for name, count, what in rows(ledger)]
    for title, entries in (("lost", ledger.lost_events), ("doubled", ledger.doubled_events)):
        lines += [f"  {title}: {one.event_id or '?'} ({one.producer_id} #{one.sequence}): {one.why}" for one in entries]
    lines += [f"  {one}" for one in (*ledger.differences, *waiting(ledger))]
    return "\n".join([*lines, verdict(ledger)])


def waiting(ledger: Ledger) -> list[str]:
    """Each thing that is in flight, in words."""
    return [f"in flight: {one}" for one in ledger.in_flight_at]


def rows(ledger: Ledger) -> list[tuple[str, int, str]]:
    """Each line of the ledger: its name, its count, and what it means."""
    removed = "second copies that the archive left out" + (", of those still in Kafka" if ledger.expired else "")
    gone = ("gone from Kafka", ledger.expired, "records older than it keeps them: for these RAW alone is the proof")
    return [
        ("produced", ledger.records_sent, "records that the simulator sent"),
        ("  events", ledger.events_sent, "of them, distinct events"),
        ("  duplicates", ledger.duplicates_sent, "of them, second copies"),
        ("  malformed", ledger.malformed_sent, "of them, fitting no schema"),
        ("in Kafka", ledger.records_in_kafka, "records in the events topic"),
        *([gone] if ledger.expired else []),
        ("archived", ledger.archived, "rows of RAW.EVENTS"),
        ("duplicates removed", ledger.duplicates_removed, removed),
        ("read again", ledger.read_again, "records read twice after a lost checkpoint, and left out"),
        ("rejected", ledger.rejected, "rows of RAW.REJECTED, each with its reason"),
        ("in flight", ledger.in_flight, "on their way to RAW"),
        ("measured", ledger.kpi_events, f"events in the {ledger.kpi_rows:,} rows of SPEED.KPIS"),
        ("late, counted", ledger.late, "of them, after the end of their window"),
        ("late, dropped", ledger.late_dropped, "behind the watermark; each is in RAW"),
        ("lost", ledger.lost, "events that are nowhere they should be"),
        ("doubled", ledger.doubled, "events that are there more than once"),
    ]


def verdict(ledger: Ledger) -> str:
    """One sentence."""
    if ledger.verdict is Verdict.DIFFERS:
        apart = f", {format_quantity(len(ledger.differences), 'differences')}" if ledger.differences else ""
        return f"DOES NOT RECONCILE: {ledger.lost:,} lost, {ledger.doubled:,} doubled{apart}"
    if ledger.verdict is Verdict.RECONCILES:
        return "reconciles: nothing lost, nothing doubled"
    if ledger.records_sent == 0:
        return "NOT FINAL YET: nothing was sent, so there is nothing to prove"
    count = sum(one.count for one in ledger.in_flight_at) or ledger.in_flight
    so_far = f"NOT FINAL YET: nothing lost and nothing doubled so far, {format_quantity(count, 'records')} in flight"
    if ledger.running:
        return f"{so_far}; it is final once the simulator has stopped (rtlib stop simulator) and all has arrived"
    parts = ", ".join(sorted({one.part for one in ledger.in_flight_at}))
    return f"{so_far}; it is final once all has arrived, which waits for: {parts} (rtlib status)"
