"""Ledger: the proof that no event was lost or doubled, or the names of the events that were.

The simulator numbers its events: each producer counts from 0 without a gap, and its tally records its last number. So
every store behind it can be checked for exactly those numbers. A number that is missing was lost, a number that is
there twice was doubled, and a number on its way is in flight; for events nothing rests on a count alone. Second copies
and malformed records carry no number of their own, so they are counted. What its own micro-batch knew distinguishes an
event that the watermark kept out of its window from an event that is missing there. Kafka deletes records after a week,
the tallies and RAW keep everything: from then on RAW is compared with the tallies, and with Kafka only for what its log
still holds.

There are three verdicts. Offsets decide what is in flight, never the time that has passed: a record behind the offset
that a part has reached may still arrive, and a missing record before it is lost.
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

LISTED_EVENTS = 10  # lost and doubled events listed by name, of each kind
Sequences = dict[str, set[int]]  # by producer


class Verdict(StrEnum):
    """The conclusion of a ledger."""

    RECONCILES = "reconciles"
    NOT_FINAL = "not final yet"
    DIFFERS = "does not reconcile"

    @property
    def exit_code(self) -> int:
        """Exit code of the commands that end with a ledger; no error of ``rtlib.errors`` has 9."""
        return {Verdict.RECONCILES: 0, Verdict.DIFFERS: 1, Verdict.NOT_FINAL: 9}[self]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that was lost or doubled.

    ``event_id`` is None if it is unknown; ``why`` says where the event was last seen, or how often it is there.
    """

    event_id: str | None
    producer_id: str
    sequence: int
    why: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All counts of a domain since its state was last emptied, and every difference in words.

    Attributes:
        taken_at: The time (UTC).
        running: The simulator was sending meanwhile, so some records are in flight and no count is final.
        records_sent: Records that the simulator handed to Kafka: events, duplicates and malformed ones.
        events_sent: Distinct events among them.
        duplicates_sent: Second copies among them.
        malformed_sent: Records among them that do not fit the schema.
        records_in_kafka: Records in the events topic.
        expired: Records that Kafka has deleted because they exceeded the retention time.
        archived: Rows of RAW.EVENTS that came through Kafka.
        duplicates_removed: Second copies that the archive left out, among the records in the events topic.
        read_again: Records that the archive read more than once, after its checkpoint was lost.
        rejected: Rows of RAW.REJECTED.
        in_flight: Records that were sent and that the archive has not reached yet.
        kpi_rows: Rows of SPEED.KPIS; each site has a row for each window.
        kpi_events: Events counted in them.
        late: Events counted in them that arrived after the end of their window.
        late_dropped: Events that the watermark kept out of their window; each is in RAW.
        lost: Events that are missing in RAW and not in flight.
        doubled: Surplus copies of events, in RAW or in a window.
        lost_events: The first of the lost events.
        doubled_events: The first of the doubled events.
        differences: Counts that disagree, in words; empty if all agree.
        in_flight_at: Records in flight, by part, partition and offset; KPI records included.
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
        """True if nothing was lost or doubled and no count disagrees so far."""
        return not (self.lost or self.doubled or self.differences)

    @property
    def verdict(self) -> Verdict:
        """The conclusion; it is final only once something was sent and all of it has arrived."""
        if not self.agrees:
            return Verdict.DIFFERS
        is_open = self.running or self.in_flight or self.in_flight_at or not self.records_sent
        return Verdict.NOT_FINAL if is_open else Verdict.RECONCILES

    @property
    def reconciles(self) -> bool:
        """True if everything agrees and nothing is in flight any more."""
        return self.verdict is Verdict.RECONCILES


def to_dict(ledger: Ledger) -> dict[str, object]:
    """The ledger as a JSON object."""
    return {**asdict(ledger), "reconciles": ledger.reconciles, "verdict": ledger.verdict}


def take(settings: Settings, *, notify: Notify = lambda line: None) -> Ledger:
    """Take the ledger now; it is final once the simulator has stopped and nothing is in flight.

    Example:
        >>> from rtlib.config import load_settings
        >>> print(render(take(load_settings())))

    Args:
        settings: Which domain.
        notify: Receives a line now and then while the events topic is read.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    evidence = gather(settings, notify=notify)
    incomplete = {name for name, last in last_sequences(evidence).items() if not _is_complete(evidence, name, last)}
    return judge(evidence, held_sequences(settings, incomplete))


def judge(evidence: Evidence, held: Sequences) -> Ledger:
    """Compare the counts of all stores. Pure.

    Args:
        evidence: The counts.
        held: All sequences in RAW of the producers that have a gap or a duplicate there.
    """
    sent, topic = sent_by(evidence), evidence.topic
    lost, before_kafka = _missing(evidence, held)
    doubled = [
        Entry(event.event_id, event.producer_id, event.sequence, f"{event.rows} rows") for event in evidence.duplicates
    ]
    overcounted = [
        window
        for window in evidence.windows.different
        if window.kpi_events > window.raw_events and not evidence.may_change(window)
    ]
    unsent = (InFlight(SIMULATOR, None, None, before_kafka),) if before_kafka else ()
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
        duplicates_removed=topic.duplicates_removed,
        read_again=max(0, evidence.progress.rows_read - topic.archived_records),
        rejected=evidence.counts.rejected,
        in_flight=topic.unread + before_kafka,
        kpi_rows=evidence.counts.kpi_rows,
        kpi_events=evidence.counts.kpi_events,
        late=evidence.counts.kpi_late,
        late_dropped=sum(
            window.raw_events - window.kpi_events for window in evidence.windows.different if window.explained
        ),
        lost=len(lost),
        doubled=sum(event.rows - 1 for event in evidence.duplicates)
        + sum(window.kpi_events - window.raw_events for window in overcounted),
        lost_events=tuple(_with_identifiers(evidence, lost[:LISTED_EVENTS])),
        doubled_events=tuple(doubled[:LISTED_EVENTS]),
        differences=tuple(differences(evidence)),
        in_flight_at=(*unsent, *evidence.in_flight),
    )


def _is_complete(evidence: Evidence, name: str, last: int) -> bool:
    archived = evidence.producers.get(name)
    return archived is not None and archived.is_gapless and archived.last == last


def _missing(evidence: Evidence, held: Sequences) -> tuple[list[tuple[str, int, str]], int]:
    """Lost events (producer, sequence, where last seen), and the number of events on their way to Kafka."""
    lost, before_kafka = [], 0
    nowhere = "neither in RAW nor in what Kafka still holds" if evidence.topic.expired else "not in Kafka"
    for name, last in sorted(last_sequences(evidence).items()):
        if name not in held:
            continue
        pending = evidence.topic.pending.get(name, set())
        # Whatever was sent before an expired event cannot be on its way to Kafka any more.
        expired = max(
            (number for number in held[name] if number <= last and not evidence.topic.holds(name, number)), default=-1
        )
        for sequence in sorted(set(range(last + 1)) - held[name] - pending):
            in_kafka = evidence.topic.holds(name, sequence)
            if not in_kafka and evidence.running and sequence > expired:
                before_kafka += 1
            else:
                lost.append((name, sequence, "in Kafka, not in RAW" if in_kafka else nowhere))
    return lost, before_kafka


def _with_identifiers(evidence: Evidence, lost: list[tuple[str, int, str]]) -> Iterator[Entry]:
    """Recover the identifiers of lost events: the simulator generates the same records again."""
    missing = {(name, sequence) for name, sequence, _ in lost}
    identifiers = {}
    for run in evidence.runs:
        if any(name in run.tally.last_sequence for name, _ in missing):
            for sent in run.records():
                if sent.event and (sent.event.producer_id, sent.event.sequence) in missing:
                    identifiers[sent.event.producer_id, sent.event.sequence] = sent.event.event_id
    for name, sequence, why in lost:
        yield Entry(identifiers.get((name, sequence)), name, sequence, why)


def render(ledger: Ledger) -> str:
    """The ledger as text: a line for each count, then all differences, then the verdict."""
    lines = [f"{name:<20} {count:>12,}  {meaning}" for name, count, meaning in rows(ledger)]
    for title, entries in (("lost", ledger.lost_events), ("doubled", ledger.doubled_events)):
        lines += [
            f"  {title}: {entry.event_id or '?'} ({entry.producer_id} #{entry.sequence}): {entry.why}"
            for entry in entries
        ]
    lines += [f"  {line}" for line in (*ledger.differences, *waiting(ledger))]
    return "\n".join([*lines, verdict(ledger)])


def waiting(ledger: Ledger) -> list[str]:
    """A line for each group of records in flight."""
    return [f"in flight: {records}" for records in ledger.in_flight_at]


def rows(ledger: Ledger) -> list[tuple[str, int, str]]:
    """The lines of the ledger: name, count and meaning."""
    removed = "second copies that the archive left out" + (", of those still in Kafka" if ledger.expired else "")
    expired = ("gone from Kafka", ledger.expired, "records past the retention time: for these RAW alone is the proof")
    return [
        ("produced", ledger.records_sent, "records that the simulator sent"),
        ("  events", ledger.events_sent, "of them, distinct events"),
        ("  duplicates", ledger.duplicates_sent, "of them, second copies"),
        ("  malformed", ledger.malformed_sent, "of them, not fitting the schema"),
        ("in Kafka", ledger.records_in_kafka, "records in the events topic"),
        *([expired] if ledger.expired else []),
        ("archived", ledger.archived, "rows of RAW.EVENTS"),
        ("duplicates removed", ledger.duplicates_removed, removed),
        ("read again", ledger.read_again, "records read twice after a lost checkpoint, and left out"),
        ("rejected", ledger.rejected, "rows of RAW.REJECTED, each with its reason"),
        ("in flight", ledger.in_flight, "on their way to RAW"),
        ("measured", ledger.kpi_events, f"events in the {ledger.kpi_rows:,} rows of SPEED.KPIS"),
        ("late, counted", ledger.late, "of them, after the end of their window"),
        ("late, dropped", ledger.late_dropped, "behind the watermark; each is in RAW"),
        ("lost", ledger.lost, "events missing in RAW and not in flight"),
        ("doubled", ledger.doubled, "events counted or archived more than once"),
    ]


def verdict(ledger: Ledger) -> str:
    """The verdict as a sentence."""
    if ledger.verdict is Verdict.DIFFERS:
        apart = f", {format_quantity(len(ledger.differences), 'differences')}" if ledger.differences else ""
        return f"DOES NOT RECONCILE: {ledger.lost:,} lost, {ledger.doubled:,} doubled{apart}"
    if ledger.verdict is Verdict.RECONCILES:
        return "reconciles: nothing lost, nothing doubled"
    if ledger.records_sent == 0:
        return "NOT FINAL YET: nothing was sent, so there is nothing to prove"
    count = sum(records.count for records in ledger.in_flight_at) or ledger.in_flight
    so_far = f"NOT FINAL YET: nothing lost and nothing doubled so far, {format_quantity(count, 'records')} in flight"
    if ledger.running:
        return f"{so_far}; it is final once the simulator has stopped (rtlib stop simulator) and all has arrived"
    parts = ", ".join(sorted({records.part for records in ledger.in_flight_at}))
    return f"{so_far}; it is final once all has arrived, which waits for: {parts} (rtlib status)"
