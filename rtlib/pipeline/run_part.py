"""Run a part: what each supervised process does from its start to its SIGTERM."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.beats import Sign, wait_for_topics

if TYPE_CHECKING:
    from kafka import KafkaConsumer

log = logging.getLogger(__name__)


def run_part(name: str, settings: Settings) -> None:
    """Run one part in this process until it is told to stop.

    Raises:
        ConfigError: No part of this name runs in Python.
        RtlibError: What the part needs is not there; the supervisor starts it again.
    """
    from rtlib.pipeline.alerting import run_alerts, run_receiver

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
    from rtlib.broker.registry import schema_ids
    from rtlib.domains import load_domain
    from rtlib.pipeline.archive import Archivist
    from rtlib.pipeline.prepare import subject
    from rtlib.pipeline.signs import SignWriter
    from rtlib.services import jars
    from rtlib.streaming import job, queries
    from rtlib.streaming.session import session

    domain = load_domain(settings.domain)
    spark = session(settings, jars=jars.paths(settings.home)["spark"])
    wait_for_topics(settings)
    ids = schema_ids(settings, subject(settings))
    kafka = spark_options(settings)
    with Archivist(settings, stop=stop) as archivist, SignWriter(settings) as writer:

        def kpis() -> object:
            source = queries.records(spark, settings, kafka=kafka, per_trigger=None)
            rows = queries.kpi_rows(source, domain, settings, schema_ids=ids)
            return queries.start_kpis(rows, settings, kafka=kafka)

        def archive() -> object:
            source = queries.records(spark, settings, kafka=kafka, per_trigger=ARCHIVE_ROWS)
            return queries.start_archive(source, domain, settings, apply=archivist.apply, schema_ids=ids)

        starts = {queries.KPIS: kpis, queries.ARCHIVE: archive}
        try:
            job.run(starts, on_progress=writer.progress, on_heartbeat=writer.heartbeat, stop=stop)  # type: ignore[arg-type]
        finally:
            spark.stop()


# A micro-batch is collected by the driver, so its size is bounded: some 30 MB at this many records.
ARCHIVE_ROWS = 60_000


def run_loader(settings: Settings, stop: threading.Event) -> None:
    """The speed loader: KPI records from Kafka, the newest of each key, merged, then the offsets committed."""
    from kafka import TopicPartition

    from rtlib.broker.consumer import consumer, kpi_from_record
    from rtlib.broker.topics import end_offsets
    from rtlib.records import Kpi
    from rtlib.warehouse.connection import Warehouse
    from rtlib.warehouse.load import merge_kpis

    wait_for_topics(settings)
    warehouse = Warehouse(settings)
    topic = settings.topic("kpis")
    # Partitions are assigned by hand: there is one loader, and a member that was killed would keep its partitions
    # from its successor until the group notices, 45 s later.
    reader = consumer(settings, group=f"rtlib.{settings.domain}.loader")
    reader.assign([TopicPartition(topic, number) for number in end_offsets(settings, topic)])
    sign = Sign("loader", settings)
    merged = 0
    try:
        while not stop.is_set():
            newest: dict[str, Kpi] = {}
            for batch in reader.poll(timeout_ms=100, max_records=5_000).values():
                for record in batch:
                    kpi = kpi_from_record(record.key, record.value, record.timestamp)
                    newest[kpi.key] = kpi
            if newest:
                warehouse.run(partial(merge_kpis, kpis=list(newest.values())))
                reader.commit()
                merged += len(newest)
            if sign.due():
                lag = _behind(reader)
                sign.tell(f"{lag:,} KPI records behind", {"lag": lag, "merged": merged})
    finally:
        sign.close()
        reader.close()
        warehouse.close()


def _behind(reader: KafkaConsumer) -> int:
    """How many records of its partitions a consumer has not read."""
    ends = reader.end_offsets(reader.assignment())
    return sum(end - reader.position(partition) for partition, end in ends.items())


def run_simulator(settings: Settings, stop: threading.Event) -> None:
    """The simulator against the clock: each record at its time, and a tally of what was sent."""
    from rtlib.domains import load_domain
    from rtlib.pipeline.sending import send
    from rtlib.records import Tally
    from rtlib.simulator import Simulator

    wait_for_topics(settings)
    start = datetime.now(UTC)
    simulator = Simulator(
        load_domain(settings.domain),
        seed=settings.seed,
        start=start,
        rate=settings.rate,
        late_share=settings.late_share,
        too_late_share=settings.too_late_share,
        out_of_order_share=settings.out_of_order_share,
        duplicate_share=settings.duplicate_share,
        malformed_share=settings.malformed_share,
        watermark_seconds=settings.watermark_seconds,
        run=f"{int(start.timestamp() * 1000):x}",
    )
    sign = Sign("simulator", settings)

    def tell(tally: Tally) -> None:
        sign.tell(f"{tally.records:,} records sent", {"sent": tally.records, "malformed": tally.malformed})

    try:
        send(settings, simulator, stop=stop, tell=tell)
    finally:
        sign.close()
