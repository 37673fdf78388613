"""Topic counts: the records of the events topic, counted by producer, sequence and the offsets of its readers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rtlib.broker.framing import unframe
from rtlib.broker.registry import schema_ids
from rtlib.broker.serde import decode
from rtlib.broker.subjects import events_subject
from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets
from rtlib.broker.validation import Validate, compile_schema
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import EventRefused
from rtlib.notify import Notify
from rtlib.pipeline.audit.in_flight import Window, window_of
from rtlib.pipeline.audit.sequence_counts import SequenceCounts
from rtlib.streaming.queries import ARCHIVE

if TYPE_CHECKING:
    from kafka.consumer.fetcher import ConsumerRecord

NOTIFY_SECONDS = 5.0  # between two progress lines
NOTIFY_RECORDS = 1_000  # how often the clock is read


@dataclass(slots=True)
class TopicCounts:
    """Counts of the events topic; filled while the topic is read, unchanged afterwards.

    Attributes:
        records: Records that the topic still holds.
        archived_records: Those that the archive has read.
        malformed: Records that do not fit the schema.
        archived_malformed: Those that the archive has read.
        sequences: How often the topic holds each event.
        duplicates_removed: Second copies among the archived records.
        pending: Producer to the sequences of which the archive has not read any copy yet.
        pending_windows: Site and window start to the number of those events.
        first: Partition to the offset of the first record that the topic still holds.
        waiting: Records that a reader has not reached yet, by reader and partition.
    """

    records: int = 0
    archived_records: int = 0
    malformed: int = 0
    archived_malformed: int = 0
    sequences: SequenceCounts = field(default_factory=SequenceCounts)
    duplicates_removed: int = 0
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
        """Records that Kafka has deleted because they exceeded the retention time."""
        return sum(self.first.values())

    @property
    def events(self) -> int:
        """Distinct events."""
        return self.sequences.events(*self.sequences.producers)

    @property
    def duplicates(self) -> int:
        """Copies of events beyond the first."""
        return self.records - self.malformed - self.events

    @property
    def pending_events(self) -> int:
        """Distinct events of which the archive has not read any copy yet."""
        return sum(map(len, self.pending.values()))

    def holds(self, producer: str, sequence: int) -> bool:
        """True if the topic holds this event."""
        return self.sequences.holds(producer, sequence)

    def add(self, producer: str, sequence: int, *, archived: bool, window: Window | None = None) -> None:
        """Count an event.

        Args:
            producer: The producer's id.
            sequence: The event's number, from 0.
            archived: The archive has read the record.
            window: Site and window start of the event.
        """
        is_copy = self.sequences.add(producer, sequence)
        self.duplicates_removed += is_copy and archived
        if archived and is_copy and producer in self.pending:
            self.pending[producer].discard(sequence)
        elif not archived and not is_copy:
            self.pending.setdefault(producer, set()).add(sequence)
            if window is not None:
                self.pending_windows[window] += 1


def count_topic(
    settings: Settings,
    *,
    reached: Mapping[str, Mapping[int, int]],
    first: Mapping[int, int],
    notify: Notify = lambda line: None,
) -> TopicCounts:
    """Count the events topic.

    Args:
        settings: Which domain.
        reached: For the archive and the KPI query, partition to the offset after the last record they have read.
        first: Partition to the offset of the first record that the topic holds.
        notify: Receives a progress line every few seconds.

    Raises:
        ServiceError: The broker or the registry does not answer.
    """
    validate = compile_schema(load_domain(settings.domain).schema)
    ids = schema_ids(settings, events_subject(settings))
    ahead = timedelta(seconds=settings.future_seconds)
    counts = TopicCounts(first=first)
    topic = settings.topic("events")
    total = sum(end_offsets(settings, topic).values()) - counts.expired
    for record in _with_progress(contents(settings, topic), total, notify):
        archived = record.offset < reached.get(ARCHIVE, {}).get(record.partition, 0)
        counts.records += 1
        counts.archived_records += archived
        for reader, offsets in reached.items():
            if record.offset >= offsets.get(record.partition, 0):
                counts.waiting[reader, record.partition] += 1
        event = _valid_event(record.value, validate, ids)
        received_at = datetime.fromtimestamp(record.timestamp / 1000, tz=UTC)
        if event is None or _occurred_at(event) > received_at + ahead:
            counts.malformed += 1
            counts.archived_malformed += archived
        else:
            window = event["site"], window_of(_occurred_at(event), settings.window_seconds)
            counts.add(event["producer_id"], event["sequence"], archived=archived, window=window)
    return counts


def _with_progress(records: Iterable[ConsumerRecord], total: int, notify: Notify) -> Iterator[ConsumerRecord]:
    """Pass the records through with a progress line every few seconds; a short scan reports nothing."""
    notified_at = time.monotonic()
    for number, record in enumerate(records, start=1):
        yield record
        if number % NOTIFY_RECORDS == 0 and time.monotonic() - notified_at >= NOTIFY_SECONDS:
            notified_at = time.monotonic()
            notify(f"  {number:,} of {max(total, number):,} records of the events topic are read")


def _valid_event(record: bytes | None, validate: Validate, ids: Collection[int]) -> dict[str, Any] | None:
    """The event in a record, or None if it fits no schema of the topic."""
    try:
        event = decode(record)
        validate(event)
        _occurred_at(event)
        return event if unframe(record)[0] in ids else None
    except (EventRefused, ValueError):  # the schema's pattern accepts dates such as 30 February
        return None


def _occurred_at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["occurred_at"])
