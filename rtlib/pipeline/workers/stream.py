"""Stream: the streaming application with both queries, and their progress on the progress topic."""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from rtlib.broker.client import spark_options
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.telemetry.progress_topic import ProgressWriter
from rtlib.pipeline.telemetry.trigger import TriggerWatch
from rtlib.pipeline.workers.archive_sink import ArchiveSink
from rtlib.pipeline.workers.batch_size import BatchSize
from rtlib.pipeline.workers.schema_watch import SchemaIds
from rtlib.pipeline.workers.startup import wait_for_topics
from rtlib.services import jars
from rtlib.streaming import job, queries
from rtlib.streaming.session import session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

    from rtlib.records import Heartbeat


def run_stream(settings: Settings, stop: threading.Event) -> None:
    """Run both queries until ``stop`` is set; a query restarts when its trigger, batch size or schemas change."""
    spark = session(settings, jars=jars.paths(settings.home)["spark"], record=settings.class_archives)
    wait_for_topics(settings)
    with (
        closing(BatchSize(settings)) as size,
        ArchiveSink(settings, stop=stop) as sink,
        ProgressWriter(settings) as writer,
    ):
        application = Application(settings, spark, size=size, sink=sink, writer=writer)
        try:
            application.run(stop)
        finally:
            spark.stop()


class Application:
    """Starts the queries, restarts them after changes, and publishes their progress."""

    def __init__(
        self, settings: Settings, spark: SparkSession, *, size: BatchSize, sink: ArchiveSink, writer: ProgressWriter
    ) -> None:
        self._settings, self._spark, self._domain = settings, spark, load_domain(settings.domain)
        self._size, self._sink, self._writer = size, sink, writer
        self._schemas, self._trigger = SchemaIds(settings), TriggerWatch(settings)
        self._kafka = spark_options(settings)

    def run(self, stop: threading.Event) -> None:
        """Run the queries until ``stop`` is set.

        Raises:
            StreamError: A query failed repeatedly, or Spark has ended.
        """
        job.run(
            {queries.KPIS: self._start_kpis, queries.ARCHIVE: self._start_archive},
            on_progress=self._writer.progress,
            on_heartbeat=self._publish,
            stop=stop,
            outdated=self._outdated,
        )

    def _start_kpis(self) -> StreamingQuery:
        source = queries.records(self._spark, self._trigger.settings, kafka=self._kafka, per_trigger=None)
        rows = queries.kpi_rows(source, self._domain, self._settings, schema_ids=self._schemas.known)
        return queries.start_kpis(rows, self._trigger.settings, kafka=self._kafka)

    def _start_archive(self) -> StreamingQuery:
        source = queries.records(self._spark, self._settings, kafka=self._kafka, per_trigger=self._size.rows)
        return queries.start_archive(
            source,
            self._domain,
            self._settings,
            apply=self._archive,
            schema_ids=self._schemas.known,
            catching_up=self._size.is_reduced,
        )

    def _archive(self, batch: queries.ArchiveBatch) -> None:
        self._size.begin()
        try:
            self._sink.apply(batch)
        finally:
            self._size.end(batch.offsets_to)

    def _outdated(self) -> Collection[str]:
        """The queries to restart. Each watch reports a change once, so all of them are read each time."""
        new_trigger, new_size, new_schemas = self._trigger.changed(), self._size.changed(), self._schemas.changed()
        outdated = {queries.KPIS: new_trigger or new_schemas, queries.ARCHIVE: new_size or new_schemas}
        return [name for name, restart in outdated.items() if restart]

    def _publish(self, beat: Heartbeat) -> None:
        """Publish a query's heartbeat; that of the kpis query also carries its trigger."""
        numbers = {**beat.numbers, **self._trigger.numbers}
        self._writer.heartbeat(replace(beat, numbers=numbers) if beat.part == queries.KPIS else beat)
