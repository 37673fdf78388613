"""Loader: the newest KPI records and the progress of their query, from Kafka into the warehouse's speed layer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rtlib.broker.kpi_records import newest_kpis
from rtlib.broker.librdkafka_reader import Partition, Reader
from rtlib.broker.serde import progress_from_record
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import EventRefused
from rtlib.pipeline.telemetry.heartbeat import HeartbeatEmitter
from rtlib.pipeline.workers.refusals import RefusalCount, RefusalPublisher, kpi_rules
from rtlib.pipeline.workers.startup import wait_for_topics
from rtlib.records import Kpi, QueryProgress
from rtlib.services.parts import consumer_group
from rtlib.streaming.queries import KPIS
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.query_batches import note_batches

if TYPE_CHECKING:
    from confluent_kafka import Message
    from snowflake.connector import SnowflakeConnection

log = logging.getLogger(__name__)
# A newer record of the same key soon supersedes most records, and a MERGE costs the same for one as for a hundred.
# So the loader pauses after each poll, longer the more records it returned: a single MERGE serves several polls, and
# the machine is left to the queries.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS, RECORDS_PER_PAUSE_SECOND = 0.25, 1.0, 2_000
POLL_SECONDS = 0.1
MAX_RECORDS = 40_000  # in a poll: the records of several seconds; less, and a pause would let the loader fall behind
MIN_BYTES, MAX_WAIT_MS = 64 * 1024, 100  # of a fetch: the broker answers once it has the bytes, or after the time


def run_loader(settings: Settings, stop: threading.Event) -> None:
    """Merge new records into the warehouse until ``stop`` is set."""
    wait_for_topics(settings)
    loader, heartbeat = Loader(settings), HeartbeatEmitter("loader", settings)
    try:
        while not stop.is_set():
            count = loader.step()
            stop.wait(pause_after(count))
            if heartbeat.due():
                numbers = loader.numbers()
                heartbeat.emit(f"{numbers['lag']:,} KPI records behind{loader.refused.summary}", numbers)
    finally:
        heartbeat.close()
        loader.close()


def pause_after(records: int) -> float:
    """Seconds to wait after a poll of this size."""
    return min(MAX_PAUSE_SECONDS, max(MIN_PAUSE_SECONDS, records / RECORDS_PER_PAUSE_SECOND))


class Loader:
    """Reads KPI and progress records, merges them into the warehouse, then commits the offsets.

    A batch of the KPI query is noted only after all KPIs that it emitted are merged, because dbt takes a noted batch as
    the proof that they are. The two topics are read side by side, so a batch may arrive before its KPIs.

    A record that the domain's query cannot have produced is refused and counted: reading it again would not help.
    Refused KPI records are published with their reason.

    Attributes:
        refused: The count of refused records.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warehouse, self._rules = Warehouse(settings), kpi_rules(settings)
        self._publisher, self.refused = RefusalPublisher(settings), RefusalCount(log)
        self._kpis, self._progress = settings.topic("kpis"), settings.topic("progress")
        self._reader = _reader(settings, self._kpis, self._progress)
        self._merged = 0
        self._waiting: list[tuple[list[QueryProgress], Mapping[Partition, int]]] = []  # with the ends of their KPIs

    def step(self) -> int:
        """Poll once and load the records; returns the number of records polled.

        Raises:
            WarehouseError: The warehouse did not accept them; after a restart the loader reads them again.
        """
        records = self._reader.poll(seconds=POLL_SECONDS, limit=MAX_RECORDS)
        kpis, refused = newest_kpis([record for record in records if record.topic() == self._kpis], self._rules)
        batches, unreadable = _kpi_batches(record for record in records if record.topic() == self._progress)
        complete = self._complete(batches)
        if kpis or complete or refused or unreadable:
            self.refused.add([*refused, *unreadable])
            self._publisher.publish(refused)
            self._warehouse.run(_load, domain=self._settings.domain, kpis=kpis, batches=complete)
            if not self._waiting:  # after a crash they are read again, and KPIs merged a second time change nothing
                self._reader.commit()
            self._merged += len(kpis)
        return len(records)

    def _complete(self, batches: list[QueryProgress]) -> list[QueryProgress]:
        """Of these batches and those that wait, the batches whose KPIs have all been read.

        The query emits the KPIs of a batch before it reports the batch, so they are before the present ends.
        """
        if batches:
            ends = {place: end for place, end in self._reader.ends().items() if place[0] == self._kpis}
            self._waiting.append((batches, ends))
        read = [waiting for waiting in self._waiting if self._reader.has_reached(waiting[1])]
        self._waiting = [waiting for waiting in self._waiting if waiting not in read]
        return [batch for known, _ in read for batch in known]

    def numbers(self) -> dict[str, float]:
        """The figures of the heartbeat: offsets still to be read, KPIs merged, records refused and not published."""
        return {
            "lag": self._reader.lag(self._kpis),
            "merged": self._merged,
            "skipped": self.refused.count,
            "unpublished": self._publisher.unpublished,
        }

    def close(self) -> None:
        """Close all connections."""
        self._reader.close()
        self._publisher.close()
        self._warehouse.close()


def _reader(settings: Settings, *topics: str) -> Reader:
    # Partitions are assigned by hand: there is a single loader, and a killed member of a group would keep its
    # partitions from its successor until the group notices, 45 s later.
    starts = {(topic, number): None for topic in topics for number in end_offsets(settings, topic)}
    return Reader(
        settings, starts, group=consumer_group(settings, "loader"), min_bytes=MIN_BYTES, max_wait_ms=MAX_WAIT_MS
    )


def _kpi_batches(records: Iterable[Message]) -> tuple[list[QueryProgress], list[str]]:
    """The batches of the kpis query, and the reasons why records under its name are unreadable."""
    batches, reasons = [], []
    for record in records:
        if record.key() == KPIS.encode():
            try:
                batches.append(progress_from_record(record.value()))
            except EventRefused as error:
                reasons.append(error.reason)
    return batches, reasons


def _load(
    connection: SnowflakeConnection, *, domain: str, kpis: Sequence[Kpi], batches: Sequence[QueryProgress]
) -> None:
    """Load both with idempotent statements, so that a crash in between does no harm."""
    merge_kpis(connection, kpis)
    note_batches(connection, domain, batches)
