"""Evidence: the counts of the simulator, Kafka and the warehouse, gathered for the ledger.

The order of the queries matters while events flow: each store is read after the store behind it. So whatever the
archive reports as read is in RAW, and whatever is in RAW is in Kafka.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from rtlib.broker.topics import first_offsets
from rtlib.config import Settings
from rtlib.notify import Notify
from rtlib.pipeline.audit.in_flight import NOTHING_UNMERGED, InFlight, Unmerged, merged_offsets, unmerged
from rtlib.pipeline.audit.tallies import Run, is_running, runs
from rtlib.pipeline.audit.topic_counts import TopicCounts, count_topic
from rtlib.streaming.queries import ARCHIVE, KPIS
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect
from rtlib.warehouse.reads import Counts, counts
from rtlib.warehouse.windows import WindowComparison, WindowDifference, compare_windows


@dataclass(frozen=True, slots=True)
class Evidence:
    """The counts of every store, for one domain.

    Attributes:
        taken_at: When they were gathered (UTC).
        running: A simulator was sending meanwhile.
        runs: The simulator's own tallies.
        topic: The events topic.
        producers: RAW.EVENTS by producer.
        duplicates: Events that RAW.EVENTS holds more than once.
        progress: How far the archive has come.
        counts: The warehouse's own counts.
        windows: Each window of SPEED.KPIS compared with RAW.
        rejected_before: Rows of RAW.REJECTED whose records Kafka no longer holds.
        unmerged: KPI records that the loader has not merged yet.
    """

    taken_at: datetime
    running: bool
    runs: tuple[Run, ...]
    topic: TopicCounts
    producers: Mapping[str, audit.ProducerCounts]
    duplicates: tuple[audit.Duplicate, ...]
    progress: audit.Progress
    counts: Counts
    windows: WindowComparison
    rejected_before: int = 0
    unmerged: Unmerged = NOTHING_UNMERGED

    def may_change(self, window: WindowDifference) -> bool:
        """True if records in flight explain why the two counts of a window differ.

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
        """Records that were sent and have not arrived, by part and partition."""
        return (*self._unread(ARCHIVE, self.progress.offsets), *self.unmerged.in_flight, *self._uncounted())

    def _uncounted(self) -> Iterator[InFlight]:
        """Records that the KPI query has not read; they matter only while a window waits for them."""
        behind = any(
            window.kpi_events < window.raw_events and self.may_change(window) for window in self.windows.unexplained
        )
        yield from self._unread(KPIS, self.windows.reported) if behind else ()

    def _unread(self, part: str, reached: Mapping[int, int]) -> Iterator[InFlight]:
        for (reader, partition), count in sorted(self.topic.waiting.items()):
            if reader == part and count:
                yield InFlight(part, partition, reached.get(partition, self.topic.first.get(partition, 0)), count)


def gather(settings: Settings, *, notify: Notify = lambda line: None) -> Evidence:
    """Read the counts of every store.

    Args:
        settings: Which domain.
        notify: Receives a line now and then while the events topic is read.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    while True:
        evidence = _gather_once(settings, first_offsets(settings, settings.topic("events")), notify)
        if first_offsets(settings, settings.topic("events")) == evidence.topic.first:
            return evidence
        notify("  Kafka deleted expired records in the meantime: reading all counts again")


def _gather_once(settings: Settings, first: Mapping[int, int], notify: Notify) -> Evidence:
    taken_at = datetime.now(UTC)
    tallies = tuple(runs(settings))
    merged = merged_offsets(settings)
    with closing(connect(settings)) as connection:
        progress = audit.archive_progress(connection, settings.domain, first=first)
        producers = audit.producer_counts(connection, settings.domain)
        duplicates = tuple(audit.duplicate_events(connection, settings.domain))
        warehouse_counts = counts(connection, settings.domain)
        windows = compare_windows(connection, settings.domain, window_seconds=settings.window_seconds)
        rejected_before = audit.rejected_before(connection, settings.domain, first)
    reached = {ARCHIVE: progress.offsets, KPIS: windows.reported}
    topic = count_topic(settings, reached=reached, first=first, notify=notify)
    return Evidence(
        taken_at=taken_at,
        running=any(is_running(settings, run) for run in tallies),
        runs=tallies,
        topic=topic,
        producers=producers,
        duplicates=duplicates,
        progress=progress,
        counts=warehouse_counts,
        windows=windows,
        rejected_before=rejected_before,
        unmerged=unmerged(settings, merged),
    )


def held_sequences(settings: Settings, producers: Collection[str]) -> dict[str, set[int]]:
    """All sequences that RAW.EVENTS holds of these producers.

    Raises:
        WarehouseError: The warehouse does not answer.
    """
    with closing(connect(settings)) as connection:
        return audit.sequences(connection, settings.domain, producers)
