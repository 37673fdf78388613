"""Queries: the two streaming queries, as a learner would write them in Spark."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib.config import Settings
from rtlib.domains import Domain, KpiSpec
from rtlib.limits import MAX_EVENT_BYTES
from rtlib.streaming.checkpoint import heal
from rtlib.streaming.validation import validate_records

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

QUERIES = KPIS, ARCHIVE = "kpis", "archive"
# What a broker does for a request costs more than what it does for a record, so records go together: those of 25 ms, or
# 64 kB, to a query that waits for them, and those of 10 ms on their way to the KPI topic.
READ_TOGETHER = {"kafka.fetch.min.bytes": "65536", "kafka.fetch.max.wait.ms": "25"}
SEND_TOGETHER = {"kafka.linger.ms": "10", "kafka.batch.size": "131072"}
# Each task reads one partition: this is what it holds of it besides the record that it works on.
READ_AT_MOST = {"kafka.fetch.max.bytes": "2097152", "kafka.max.partition.fetch.bytes": "1048576"}
UNTOLD = {"kafka.enable.metrics.push": "false"}  # the client would ask itself each time whether the broker wants them
HEAD_BYTES = 1024  # what the archive keeps of a record that is larger than an event may be
REJECTED = [
    *("payload", "payload_bytes", "reason", "field"),
    *("topic", "kafka_partition", "kafka_offset", "received_at"),
]
RFC3339 = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"


@dataclass(frozen=True, slots=True)
class ArchiveBatch:
    """One micro-batch of the archive query.

    Attributes:
        batch_id: Spark's number of the batch; the same batch, tried again, has the same number.
        events: The records that fit their schema: a row for each, duplicates included.
        rejected: Those that do not: ``payload`` (bytes; of those larger than an event may be, the first
            ``HEAD_BYTES``), its size ``payload_bytes``, ``reason``, ``field``, topic, partition and offset.
        offsets_from: Partition to the first offset of the batch.
        offsets_to: Partition to the offset after its last.
    """

    batch_id: int
    events: pd.DataFrame
    rejected: pd.DataFrame
    offsets_from: Mapping[str, int]
    offsets_to: Mapping[str, int]


def records(spark: SparkSession, settings: Settings, *, kafka: Mapping[str, str], per_trigger: int | None) -> DataFrame:
    """The events topic as an unbounded table of Kafka records, from its beginning.

    Args:
        spark: The session.
        settings: Which domain.
        kafka: The ``kafka.*`` options of the source: servers and sign-in.
        per_trigger: At most this many records in a micro-batch; real-time mode takes no limit.
    """
    reader = spark.readStream.format("kafka").options(**READ_TOGETHER, **READ_AT_MOST, **UNTOLD, **kafka)
    reader = reader.option("subscribe", settings.topic("events"))
    reader = reader.option("startingOffsets", "earliest").option("failOnDataLoss", "true")
    reader = reader.option("kafka.isolation.level", "read_committed")  # what a producer took back never happened
    if per_trigger is not None:
        reader = reader.option("maxOffsetsPerTrigger", per_trigger)
    return reader.load()


def kpi_rows(
    source: DataFrame, domain: Domain, settings: Settings, *, schema_ids: Collection[int] | None = None
) -> DataFrame:
    """The kpis query: judged, once each, behind a watermark, in windows by site; ``key`` and ``value`` for Kafka.

    Duplicates are dropped by ``event_id`` and ``occurred_at``: with the event time among the keys Spark forgets an
    event once the watermark has passed it, so the state stays bounded.
    """
    from pyspark.sql import functions as F

    length = settings.window_seconds
    window_end = F.timestamp_seconds(F.floor(F.unix_timestamp("occurred_at") / length) * length + length)
    judgement = validate_records(source, domain.schema, future_seconds=settings.future_seconds, schema_ids=schema_ids)
    fitting = judgement.where("reason IS NULL").withColumn("is_late", F.col("received_at") >= window_end)
    once = fitting.withWatermark("occurred_at", f"{settings.watermark_seconds} seconds").dropDuplicates(
        ["event_id", "occurred_at"]
    )
    measured = once.groupBy(F.window("occurred_at", f"{length} seconds"), "site").agg(
        *(_aggregate(kpi).alias(kpi.name) for kpi in domain.kpis),
        F.count("*").alias("events"),
        F.sum(F.col("is_late").cast("int")).alias("late"),
        F.min("occurred_at").alias("first_event_at"),
        F.max("occurred_at").alias("last_event_at"),
    )
    return measured.select(
        F.concat_ws("|", F.date_format("window.start", "yyyy-MM-dd'T'HH:mm:ss'Z'"), "site").alias("key"),
        F.to_json(_kpi_record(domain), {"ignoreNullFields": "false"}).alias("value"),
    )


def start_kpis(rows: DataFrame, settings: Settings, *, kafka: Mapping[str, str]) -> StreamingQuery:
    """Start the kpis query: real-time mode, or micro-batches for comparison; the query is the same.

    Raises:
        CheckpointTorn: Its checkpoint is damaged and cannot be mended.
    """
    trigger: dict[str, str] = (
        {"realTime": f"{settings.real_time_interval_seconds} seconds"}
        if settings.trigger == "real-time"
        else {"processingTime": "0 seconds"}
    )
    folder = checkpoint(settings, f"{KPIS}-{settings.trigger}")
    heal(Path(folder), KPIS)
    return (
        rows.writeStream.queryName(KPIS)
        .format("kafka")
        .options(**SEND_TOGETHER, **UNTOLD, **kafka)
        .option("topic", settings.topic("kpis"))
        .option("checkpointLocation", folder)
        .outputMode("update")
        .trigger(**trigger)
        .start()
    )


def start_archive(
    source: DataFrame,
    domain: Domain,
    settings: Settings,
    *,
    apply: Callable[[ArchiveBatch], None],
    schema_ids: Collection[int] | None = None,
) -> StreamingQuery:
    """Start the archive query: every record, judged, handed over batch by batch.

    Args:
        source: The Kafka records.
        domain: Its schema judges them.
        settings: The interval and the checkpoint folder.
        apply: Brings a batch into the warehouse; must do nothing for a batch it has applied before.
        schema_ids: The ids that a record's frame may carry; None takes every id.

    Raises:
        CheckpointTorn: Its checkpoint is damaged and cannot be mended.
    """
    from pyspark.sql import functions as F

    def hand_over(batch: DataFrame, batch_id: int) -> None:
        rows = batch.toPandas()
        if len(rows):
            apply(_archive_batch(rows, batch_id))

    judgement = validate_records(source, domain.schema, future_seconds=settings.future_seconds, schema_ids=schema_ids)
    heal(Path(checkpoint(settings, ARCHIVE)), ARCHIVE)
    # Of a record that fits, its fields travel to the driver; of one that does not, its bytes, unless they are so many
    # that a batch of them would fill the driver's memory.
    size, refused = F.length("payload"), F.col("reason").isNotNull()
    kept = F.when(size > MAX_EVENT_BYTES, F.substring("payload", 1, HEAD_BYTES)).otherwise(F.col("payload"))
    return (
        judgement.withColumn("payload_bytes", size)
        .withColumn("payload", F.when(refused, kept))
        .withColumn("attributes", F.when(~refused, F.col("attributes")))
        .writeStream.queryName(ARCHIVE)
        .foreachBatch(hand_over)
        .option("checkpointLocation", checkpoint(settings, ARCHIVE))
        .trigger(processingTime=f"{settings.archive_interval_seconds} seconds")
        .start()
    )


def checkpoint(settings: Settings, query: str) -> str:
    """The folder of a query's checkpoint."""
    return str(settings.home / "checkpoints" / settings.domain / query)


def _archive_batch(rows: Any, batch_id: int) -> ArchiveBatch:
    spans = rows.groupby("kafka_partition")["kafka_offset"].agg(["min", "max"])
    refused = rows["reason"].notna()
    return ArchiveBatch(
        batch_id=batch_id,
        events=rows[~refused].drop(columns=["payload", "payload_bytes", "field", "reason"]),
        rejected=rows.loc[refused, REJECTED].sort_values(["kafka_partition", "kafka_offset"]),
        offsets_from={str(partition): int(first) for partition, first in spans["min"].items()},
        offsets_to={str(partition): int(last) + 1 for partition, last in spans["max"].items()},
    )


def _aggregate(kpi: KpiSpec) -> Column:
    """A KPI's definition as a Spark aggregate; ``domains.measures`` is the same in Python."""
    from pyspark.sql import functions as F

    ours = F.col("kind").isin(list(kpi.kinds)) if kpi.kinds else F.lit(True)
    if kpi.aggregate == "count":
        return F.count_if(ours).cast("double")
    if kpi.aggregate == "share":
        whole = F.col("kind").isin(list(kpi.of)) if kpi.of else F.lit(True)
        return F.try_divide(F.count_if(ours), F.count_if(whole))
    over = {"sum": F.sum, "mean": F.avg, "max": F.max, "min": F.min}[kpi.aggregate]
    return over(F.when(ours, F.col("value")))


def _kpi_record(domain: Domain) -> Column:
    from pyspark.sql import functions as F

    def moment(column: str, name: str) -> Column:
        return F.date_format(column, RFC3339).alias(name)

    return F.struct(
        F.lit(domain.name).alias("domain"),
        "site",
        moment("window.start", "window_start"),
        moment("window.end", "window_end"),
        F.struct(*(kpi.name for kpi in domain.kpis)).alias("measures"),
        "events",
        "late",
        moment("first_event_at", "first_event_at"),
        moment("last_event_at", "last_event_at"),
    )
