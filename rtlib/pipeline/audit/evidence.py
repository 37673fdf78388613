"""Evidence: what every place that keeps count says of the events, gathered for the ledger.

The order of the questions matters while events flow: each place is asked after the one that lies behind it, so that
whatever the archive says it has read must be in RAW, and whatever is in RAW must be in Kafka.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rtlib.broker.framing import unframe
from rtlib.broker.registry import schema_ids
from rtlib.broker.serde import decode
from rtlib.broker.subjects import events_subject
from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets, first_offsets
from rtlib.broker.validation import Validate, compile_schema
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import EventRefused
from rtlib.formatting import format_quantity
from rtlib.notify import Notify
from rtlib.pipeline.audit.in_flight import NOTHING, InFlight, Unmerged, Window, merged_offsets, unmerged, window_of
from rtlib.pipeline.audit.sequence_counts import SequenceCounts
from rtlib.pipeline.audit.tallies import Run, runs, written_at
from rtlib.streaming.queries import ARCHIVE, KPIS
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect
from rtlib.warehouse.reads import Counts, WindowComparison, WindowDifference, compare_windows, counts

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

ALIVE_SECONDS = 5.0  # a simulator writes its tally every second
TELL_SECONDS, TELL_RECORDS = 5.0, 1_000  # how often it is told how much is read, and how often that is looked at


@dataclass(slots=True)
class Topic:
    """What the events topic holds. Filled while it is read; nobody changes it afterwards.

    Attributes:
        records: All records that it still holds.
        archived_records: Those that the archive has read.
        misfits: Records that fit no schema.
        archived_misfits: Those that the archive has read.
        copies: How often it holds each event.
        removed: Second copies among the archived records.
        pending: Producer to the sequences of which the archive has not read any copy yet.
        pending_windows: Site and start of a window to how many of those events happened in it.
        first: Partition to the offset of the first record that it still holds.
        waiting: Records that a reader has not reached yet, by the reader's name and the partition.
    """

    records: int = 0
    archived_records: int = 0
    misfits: int = 0
    archived_misfits: int = 0
    removed: int = 0
    copies: SequenceCounts = field(default_factory=SequenceCounts)
    pending: dict[str, set[int]] = field(default_factory=dict)
    pending_windows: Counter[Window] = field(default_factory=Counter)
    first: Mapping[int, int] = field(default_factory=dict)
    waiting: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def unread(self) -> int:
        """Records that the archive has not read yet."""
        return self.records - self.archived_records

    @property
    def expired(self) -> int:
        """Records that Kafka has deleted by now, because they were older than it keeps them."""
        return sum(self.first.values())

    @property
    def events(self) -> int:
        """Distinct events."""
        return self.copies.events(*self.copies.producers)

    @property
    def second_copies(self) -> int:
        """Copies of events beyond the first."""
        return self.records - self.misfits - self.events

    def holds(self, producer: str, sequence: int) -> bool:
        """True when it holds this event."""
        return self.copies.holds(producer, sequence)

    @property
    def pending_events(self) -> int:
        """Distinct events of which the archive has not read any copy yet."""
        return sum(map(len, self.pending.values()))

    def add(self, producer: str, sequence: int, *, archived: bool, window: Window | None = None) -> None:
        """Count one event, which happened in this window."""
        was_there = self.copies.add(producer, sequence)
        self.removed += was_there and archived
        if archived and was_there and producer in self.pending:
            self.pending[producer].discard(sequence)
        elif not archived and not was_there:
            self.pending.setdefault(producer, set()).add(sequence)
            if window is not None:
                self.pending_windows[window] += 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What each place says, for one domain.

    Attributes:
        taken_at: When.
        running: A simulator was sending meanwhile.
        runs: The simulator's own account.
        topic: The events topic.
        held: RAW.EVENTS by producer.
        doubled: Events that stand in it more than once.
        progress: How far the archive has come.
        counts: The warehouse's own counts.
        windows: Each window of SPEED.KPIS held against RAW.
        rejected_before: Rows of RAW.REJECTED whose records Kafka no longer holds.
        unmerged: KPI records that the loader has not merged yet.
    """

    taken_at: datetime
    running: bool
    runs: tuple[Run, ...]
    topic: Topic
    held: Mapping[str, audit.ProducerCounts]
    doubled: tuple[audit.Duplicate, ...]
    progress: audit.Progress
    counts: Counts
    windows: WindowComparison
    rejected_before: int = 0
    unmerged: Unmerged = NOTHING

    def may_change(self, window: WindowDifference) -> bool:
        """True for a window whose counts may still meet, because what sets them apart is in flight.

        Offsets decide, never the time: a KPI record of the window waits for the loader, or events of it wait for the
        archive (then SPEED may be ahead by those) or for the KPI query (then RAW may be).
        """
        if (window.site, window.window_start) in self.unmerged.windows:
            return True
        ahead = window.kpi_events - window.raw_events
        pending = self.topic.pending_windows[window.site, window.window_start]
        return -(window.may_be_late + window.unreached) <= ahead <= pending

    @property
    def in_flight(self) -> tuple[InFlight, ...]:
        """What has been sent and has not arrived, by part and partition."""
        return (*self._unread(ARCHIVE, self.progress.offsets), *self.unmerged.in_flight, *self._uncounted())

    def _uncounted(self) -> Iterator[InFlight]:
        """Records before the KPI query; of interest only while a window waits for them."""
        behind = any(one.kpi_events < one.raw_events and self.may_change(one) for one in self.windows.unexplained)
        yield from self._unread(KPIS, self.windows.reported) if behind else ()

    def _unread(self, part: str, reached: Mapping[int, int]) -> Iterator[InFlight]:
        for (reader, partition), count in sorted(self.topic.waiting.items()):
            if reader == part and count:
                yield InFlight(part, partition, reached.get(partition, self.topic.first.get(partition, 0)), count)


def gather(settings: Settings, *, notify: Notify = lambda line: None) -> Evidence:
    """Ask every place.

    Args:
        settings: Which domain.
        notify: Receives a line now and then while the events topic is read.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    while True:
        evidence = _ask(settings, first_offsets(settings, settings.topic("events")), notify)
        if first_offsets(settings, settings.topic("events")) == evidence.topic.first:
            return evidence
        notify("  meanwhile Kafka deleted records that were too old: all places are asked again")


def _ask(settings: Settings, first: Mapping[int, int], notify: Notify) -> Evidence:
    taken_at = datetime.now(UTC)
    account = tuple(runs(settings))
    merged = merged_offsets(settings)
    connection = connect(settings)
    try:
        progress = audit.archive_progress(connection, settings.domain, first=first)
        held = audit.held(connection, settings.domain)
        twice = tuple(audit.doubled(connection, settings.domain))
        counted = counts(connection, settings.domain)
        compared = compare_windows(connection, settings.domain, window_seconds=settings.window_seconds)
        refused = audit.rejected_before(connection, settings.domain, first)
    finally:
        connection.close()
    reached = {ARCHIVE: progress.offsets, KPIS: compared.reported}
    topic = read_topic(settings, reached=reached, first=first, notify=notify)
    waiting = unmerged(settings, merged)
    running = any(_is_alive(settings, run) for run in account)
    return Evidence(taken_at, running, account, topic, held, twice, progress, counted, compared, refused, waiting)


def read_topic(
    settings: Settings,
    *,
    reached: Mapping[str, Mapping[int, int]],
    first: Mapping[int, int],
    notify: Notify = lambda line: None,
) -> Topic:
    """Count the events topic.

    Args:
        settings: Which domain.
        reached: For the archive and the KPI query, partition to the offset after the last that it has read.
        first: Partition to the offset of the first record that the topic holds.
        notify: Receives a line every few seconds.
    """
    fits = compile_schema(load_domain(settings.domain).schema)
    known = schema_ids(settings, events_subject(settings))
    ahead = timedelta(seconds=settings.future_seconds)
    topic = Topic(first=first)
    name = settings.topic("events")
    total = sum(end_offsets(settings, name).values()) - topic.expired
    for record in _counted(contents(settings, name), total, notify):
        archived = record.offset < reached.get(ARCHIVE, {}).get(record.partition, 0)
        topic.records += 1
        topic.archived_records += archived
        for reader, offsets in reached.items():
            if record.offset >= offsets.get(record.partition, 0):
                topic.waiting[reader, record.partition] += 1
        told = _fitting(record.value, fits, known)
        received = datetime.fromtimestamp(record.timestamp / 1000, tz=UTC)
        if told is None or _happened(told) > received + ahead:
            topic.misfits += 1
            topic.archived_misfits += archived
        else:
            window = told["site"], window_of(_happened(told), settings.window_seconds)
            topic.add(told["producer_id"], told["sequence"], archived=archived, window=window)
    return topic


def _counted(records: Iterable[ConsumerRecord], total: int, notify: Notify) -> Iterator[ConsumerRecord]:
    """The same records; every few seconds it is told how many have passed. What takes no longer passes in silence."""
    said = time.monotonic()
    for number, record in enumerate(records, start=1):
        yield record
        if number % TELL_RECORDS == 0 and time.monotonic() - said >= TELL_SECONDS:
            said = time.monotonic()
            notify(f"  {number:,} of {max(total, number):,} records of the events topic are read")


def _fitting(record: bytes | None, fits: Validate, known: Collection[int]) -> dict[str, Any] | None:
    """The event in a record, or None when it fits no schema of the topic."""
    try:
        told = decode(record)
        fits(told)
        _happened(told)
        return told if unframe(record)[0] in known else None
    except (EventRefused, ValueError):  # a pattern cannot tell that February has no 30th day
        return None


def _happened(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["occurred_at"])


def held_sequences(settings: Settings, producers: Collection[str]) -> dict[str, set[int]]:
    """All sequences that RAW.EVENTS holds of these producers."""
    connection = connect(settings)
    try:
        return audit.sequences(connection, settings.domain, producers)
    finally:
        connection.close()


def is_settled(settings: Settings) -> bool:
    """True when everything that is in Kafka has arrived: archived, and each window explained. Cheap; no proof.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    return outstanding(settings) is None


def outstanding(settings: Settings) -> str | None:
    """What has not arrived of that which is in Kafka, in a few words; None once everything has.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    connection = connect(settings)  # first of all: where nothing runs it fails sooner than Kafka's client does
    try:
        ends = end_offsets(settings, settings.topic("events"))
        reached = audit.archive_progress(connection, settings.domain).offsets
        behind = sum(abs(ends.get(one, 0) - reached.get(one, 0)) for one in ends.keys() | reached.keys())
        if behind and not _only_markers(settings, ends, reached):
            return f"{format_quantity(behind, 'records')} on the way to RAW"
        waiting = unmerged(settings, merged_offsets(settings)).count
        if waiting:
            return f"{format_quantity(waiting, 'KPI records')} on the way to SPEED"
        compared = compare_windows(connection, settings.domain, window_seconds=settings.window_seconds)
    finally:
        connection.close()
    if not compared.unexplained:
        return None
    apart = sum(abs(one.raw_events - one.kpi_events) for one in compared.unexplained)
    windows = format_quantity(len(compared.unexplained), "windows")
    return f"{windows} that SPEED and RAW count differently, by {format_quantity(apart, 'events')}"


def _only_markers(settings: Settings, ends: Mapping[int, int], reached: Mapping[int, int]) -> bool:
    """True when no record is left between there and the end, though offsets are.

    The end of a transaction, and each record of one that was taken back, has an offset that nobody gets to read.
    """
    if any(reached[one] > ends.get(one, 0) for one in reached):
        return False  # another log than the one that was archived
    with closing(contents(settings, settings.topic("events"), since=reached)) as left:
        return next(left, None) is None


def is_sending(settings: Settings) -> bool:
    """True while a simulator sends."""
    return any(_is_alive(settings, run) for run in runs(settings))


def _is_alive(settings: Settings, run: Run) -> bool:
    return not run.closed and time.time() - written_at(settings, run) < ALIVE_SECONDS
