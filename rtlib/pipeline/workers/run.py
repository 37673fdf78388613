"""Run a part: what each supervised process does from its start to its SIGTERM."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from rtlib.config import Settings
from rtlib.errors import ConfigError, EventRefused
from rtlib.pipeline.telemetry.heartbeat import HeartbeatEmitter, Skipped, wait_for_topics

if TYPE_CHECKING:
    from confluent_kafka import Message
    from snowflake.connector import SnowflakeConnection

    from rtlib.records import Heartbeat, Kpi, QueryProgress

log = logging.getLogger(__name__)


def run_part(name: str, settings: Settings) -> None:
    """Run one part in this process until it is told to stop.

    Raises:
        ConfigError: No part of this name runs in Python.
        RtlibError: What the part needs is not there; the supervisor starts it again.
    """
    from rtlib.pipeline.workers.alerting import run_alerts
    from rtlib.pipeline.workers.receiver import run_receiver

    runs: dict[str, Callable[[Settings, threading.Event], None]] = {
        "stream": run_stream,
        "loader": run_loader,
        "simulator": run_simulator,
        "alerts": run_alerts,
        "receiver": run_receiver,
    }
    if name not in runs:
        raise ConfigError(f"no part called {name!r} runs in Python", cure=f"use one of: {', '.join(runs)}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    runs[name](settings, stop)


def run_stream(settings: Settings, stop: threading.Event) -> None:
    """The streaming application: both queries, and their progress on the progress topic."""
    from rtlib.broker.client import spark_options
    from rtlib.domains import load_domain
    from rtlib.pipeline.telemetry.progress_topic import ProgressWriter
    from rtlib.pipeline.telemetry.trigger import TriggerWatch
    from rtlib.pipeline.workers.archive_sink import ArchiveSink
    from rtlib.pipeline.workers.batch_size import BatchSize
    from rtlib.pipeline.workers.schema_watch import SchemaIds
    from rtlib.services import jars
    from rtlib.streaming import job, queries
    from rtlib.streaming.session import session

    domain = load_domain(settings.domain)
    spark = session(settings, jars=jars.paths(settings.home)["spark"])
    wait_for_topics(settings)
    ids, trigger = SchemaIds(settings), TriggerWatch(settings)
    kafka = spark_options(settings)
    with (
        closing(BatchSize(settings)) as size,
        ArchiveSink(settings, stop=stop) as archivist,
        ProgressWriter(settings) as writer,
    ):

        def kpis() -> object:
            source = queries.records(spark, settings, kafka=kafka, per_trigger=None)
            rows = queries.kpi_rows(source, domain, settings, schema_ids=ids.known)
            return queries.start_kpis(rows, trigger.settings, kafka=kafka)

        def archive() -> object:
            source = queries.records(spark, settings, kafka=kafka, per_trigger=size.rows)
            return queries.start_archive(source, domain, settings, apply=apply, schema_ids=ids.known)

        def apply(batch: queries.ArchiveBatch) -> None:
            size.begin()
            try:
                archivist.apply(batch)
            finally:
                size.end(batch.offsets_to)

        starts = {queries.KPIS: kpis, queries.ARCHIVE: archive}

        def outdated() -> Collection[str]:
            other_trigger = trigger.changed()
            other_size = size.changed()
            if ids.changed():
                return starts
            return [*([queries.KPIS] if other_trigger else ()), *([queries.ARCHIVE] if other_size else ())]

        def beat(told: Heartbeat) -> None:
            numbers = {**told.numbers, **trigger.numbers}
            writer.heartbeat(replace(told, numbers=numbers) if told.part == queries.KPIS else told)

        try:
            notify = {"on_progress": writer.progress, "on_heartbeat": beat}
            job.run(starts, **notify, stop=stop, outdated=outdated)  # type: ignore[arg-type]
        finally:
            spark.stop()


# Under load most records are overtaken at once by a newer one of their key. The more there were, the longer the loader
# rests (at the most so many seconds), so that one MERGE does for several and the machine is left to the queries.
REST_SECONDS, RESTFUL = 1.0, 2_000  # records that are worth a second's rest
MANY = 40_000  # at the most in one poll: what comes in several seconds, or a rest would put it behind
TOGETHER_BYTES, TOGETHER_MS = 64 * 1024, 20  # what one answer of the broker should hold, or how long it may wait


def run_loader(settings: Settings, stop: threading.Event) -> None:
    """The speed loader: KPI records, the newest of each key, and the progress of their query; then the offsets.

    A record that is neither, or that the domain's query could not have produced, is refused and counted: read again
    after a new start it would be no better. Refused KPI records are published with their reason.
    """
    from rtlib.broker.consumer import newest_kpis
    from rtlib.broker.librdkafka_reader import Reader
    from rtlib.broker.topics import end_offsets
    from rtlib.pipeline.workers.refusals import Refusals, kpi_rules
    from rtlib.services.parts import consumer_group
    from rtlib.warehouse.connection import Warehouse

    wait_for_topics(settings)
    warehouse, rules, refusals = Warehouse(settings), kpi_rules(settings), Refusals(settings)
    kpis, progress = settings.topic("kpis"), settings.topic("progress")
    # Partitions are assigned by hand: there is one loader, and a member that was killed would keep its partitions
    # from its successor until the group notices, 45 s later.
    starts = {(one, number): None for one in (kpis, progress) for number in end_offsets(settings, one)}
    group = consumer_group(settings, "loader")
    reader = Reader(settings, starts, group=group, together_bytes=TOGETHER_BYTES, together_ms=TOGETHER_MS)
    sign = HeartbeatEmitter("loader", settings)
    merged, skipped = 0, Skipped(log)
    try:
        while not stop.is_set():
            found = reader.poll(seconds=0.1, most=MANY)
            newest, refused = newest_kpis([one for one in found if one.topic() == kpis], rules)
            batches, unknown = _kpi_batches(one for one in found if one.topic() == progress)
            if newest or batches or refused or unknown:
                skipped.add([*refused, *unknown])
                refusals.publish(refused)
                warehouse.run(partial(_load, domain=settings.domain, kpis=newest, batches=batches))
                reader.commit()
                merged += len(newest)
            stop.wait(min(REST_SECONDS, len(found) / RESTFUL))
            if sign.due():
                lag = reader.behind(kpis)
                counts = {"skipped": skipped.count, "unpublished": refusals.unpublished}
                numbers = {"lag": lag, "merged": merged, **counts}
                sign.emit(f"{lag:,} KPI records behind{skipped.said}", numbers)
    finally:
        sign.close()
        reader.close()
        refusals.close()
        warehouse.close()


def _kpi_batches(found: Iterable[Message]) -> tuple[list[QueryProgress], list[str]]:
    """What the kpis query tells of its batches, and why records under its name tell nothing."""
    from rtlib.broker.consumer import progress_from_record
    from rtlib.streaming.queries import KPIS

    batches, refused = [], []
    for one in found:
        if one.key() == KPIS.encode():
            try:
                batches.append(progress_from_record(one.value()))
            except EventRefused as error:
                refused.append(error.reason)
    return batches, refused


def _load(
    connection: SnowflakeConnection, *, domain: str, kpis: Sequence[Kpi], batches: Sequence[QueryProgress]
) -> None:
    """Both by statements that change nothing when they are repeated, so that a crash in between does no harm."""
    from rtlib.warehouse.ingest import merge_kpis
    from rtlib.warehouse.query_batches import note_batches

    merge_kpis(connection, kpis)
    note_batches(connection, domain, batches)


def run_simulator(settings: Settings, stop: threading.Event) -> None:
    """The simulator against the clock: each record at its time, and a tally of what was sent."""
    from rtlib.domains import load_domain
    from rtlib.pipeline.workers.send_events import send
    from rtlib.records import Tally
    from rtlib.simulator import Simulator

    wait_for_topics(settings)
    start = datetime.now(UTC)
    simulator = Simulator(
        load_domain(settings.domain),
        seed=settings.seed,
        start=start,
        rate=settings.rate,
        shaped=not settings.steady,
        late_share=settings.late_share,
        too_late_share=settings.too_late_share,
        out_of_order_share=settings.out_of_order_share,
        duplicate_share=settings.duplicate_share,
        malformed_share=settings.malformed_share,
        watermark_seconds=settings.watermark_seconds,
        run=f"{int(start.timestamp() * 1000):x}",
    )
    sign = HeartbeatEmitter("simulator", settings)

    def notify(tally: Tally) -> None:
        sign.emit(f"{tally.records:,} records sent", {"sent": tally.records, "malformed": tally.malformed})

    try:
        send(settings, simulator, stop=stop, notify=notify)
    finally:
        sign.close()
