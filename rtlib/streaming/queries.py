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
# A request costs a broker more than a record. At a high rate the query that waits for records takes those of 25 ms, or
# 64 kB, together, and sends those of 10 ms. At a low rate it takes and sends each at once; while none comes, Kafka
# answers it twice a second instead of forty times.
HIGH_RATE = 300.0  # events per second
FETCH_BATCHING = {"kafka.fetch.min.bytes": "65536", "kafka.fetch.max.wait.ms": "25"}
SEND_BATCHING = {"kafka.linger.ms": "10", "kafka.batch.size": "131072"}
FETCH_AT_ONCE = {"kafka.fetch.min.bytes": "1", "kafka.fetch.max.wait.ms": "500"}
SEND_AT_ONCE = {"kafka.linger.ms": "0"}
# Each task reads a single partition; these bytes of it are in memory besides the current record.
FETCH_LIMITS = {"kafka.fetch.max.bytes": "2097152", "kafka.max.partition.fetch.bytes": "1048576"}
NO_CLIENT_METRICS = {"kafka.enable.metrics.push": "false"}  # saves a request for the broker's metrics subscription
HEAD_BYTES = 1024  # bytes that the archive keeps of an oversized record
REJECTED = [
    *("payload", "payload_bytes", "reason", "field"),
    *("topic", "kafka_partition", "kafka_offset", "received_at"),
]
RFC3339 = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"


@dataclass(frozen=True, slots=True)
class ArchiveBatch:
    """A micro-batch of the archive query.

    Attributes:
        batch_id: Spark's number of the batch; a retried batch keeps its number.
        events: The records that fit their schema; a row for each, duplicates included.
        rejected: The records that do not: ``payload`` (bytes; of oversized records the first ``HEAD_BYTES``), its size
            ``payload_bytes``, ``reason``, ``field``, topic, partition and offset.
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
        settings: Which domain, and how many events a second to expect.
        kafka: The ``kafka.*`` options of the source: servers and authentication.
        per_trigger: The most records in a micro-batch; None for real-time mode, which accepts no limit.
    """
    fetch = FETCH_BATCHING if per_trigger is not None else batching(settings.rate)[0]
    reader = spark.readStream.format("kafka").options(**fetch, **FETCH_LIMITS, **NO_CLIENT_METRICS, **kafka)
    reader = reader.option("subscribe", settings.topic("events"))
    reader = reader.option("startingOffsets", "earliest").option("failOnDataLoss", "true")
    reader = reader.option("kafka.isolation.level", "read_committed")  # leaves out aborted transactions
    if per_trigger is not None:
        reader = reader.option("maxOffsetsPerTrigger", per_trigger)
    return reader.load()


def batching(rate: float) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The options with which a query that waits for records fetches and sends them at a rate, in events per second."""
    return (FETCH_BATCHING, SEND_BATCHING) if rate > HIGH_RATE else (FETCH_AT_ONCE, SEND_AT_ONCE)


def kpi_rows(
    source: DataFrame, domain: Domain, settings: Settings, *, schema_ids: Collection[int] | None = None
) -> DataFrame:
    """The kpis query: valid events, each once, with a watermark, by window and site; ``key`` and ``value`` for Kafka.

    Duplicates are dropped by ``event_id`` and ``occurred_at``: with the event time among the keys, Spark drops an event
    from its state once the watermark has passed it, so the state stays bounded.
    """
    from pyspark.sql import functions as F

    length = settings.window_seconds
    window_end = F.timestamp_seconds(F.floor(F.unix_timestamp("occurred_at") / length) * length + length)
    validated = validate_records(source, domain.schema, future_seconds=settings.future_seconds, schema_ids=schema_ids)
    valid = validated.where("reason IS NULL").withColumn("is_late", F.col("received_at") >= window_end)
    once = valid.withWatermark("occurred_at", f"{settings.watermark_seconds} seconds").dropDuplicates(
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
        CheckpointTorn: Its checkpoint is damaged beyond repair.
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
        .options(**batching(settings.rate)[1], **NO_CLIENT_METRICS, **kafka)
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
    catching_up: bool = False,
) -> StreamingQuery:
    """Start the archive query: every record, validated, handed over batch by batch.

    Args:
        source: The Kafka records.
        domain: Its schema decides which records are valid.
        settings: The interval and the checkpoint folder.
        apply: Writes a batch to the warehouse; must skip a batch that it has applied before.
        schema_ids: The schema ids allowed in a record's frame; None allows all.
        catching_up: Start each batch as soon as the batch before it has ended, instead of at the interval.

    Raises:
        CheckpointTorn: Its checkpoint is damaged beyond repair.
    """
    from pyspark.sql import functions as F

    interval = 0 if catching_up else settings.archive_interval_seconds

    def hand_over(batch: DataFrame, batch_id: int) -> None:
        rows = batch.toPandas()
        if len(rows):
            apply(_archive_batch(rows, batch_id))

    validated = validate_records(source, domain.schema, future_seconds=settings.future_seconds, schema_ids=schema_ids)
    heal(Path(checkpoint(settings, ARCHIVE)), ARCHIVE)
    # A valid record travels to the driver as fields, an invalid record as bytes. Oversized payloads are cut, because a
    # batch of them would fill the driver's memory.
    size, invalid = F.length("payload"), F.col("reason").isNotNull()
    kept = F.when(size > MAX_EVENT_BYTES, F.substring("payload", 1, HEAD_BYTES)).otherwise(F.col("payload"))
    return (
        validated.withColumn("payload_bytes", size)
        .withColumn("payload", F.when(invalid, kept))
        .withColumn("attributes", F.when(~invalid, F.col("attributes")))
        .writeStream.queryName(ARCHIVE)
        .foreachBatch(hand_over)
        .option("checkpointLocation", checkpoint(settings, ARCHIVE))
        .trigger(processingTime=f"{interval} seconds")
        .start()
    )


def checkpoint(settings: Settings, query: str) -> str:
    """The folder of a query's checkpoint."""
    return str(settings.home / "checkpoints" / settings.domain / query)


def _archive_batch(rows: Any, batch_id: int) -> ArchiveBatch:
    spans = rows.groupby("kafka_partition")["kafka_offset"].agg(["min", "max"])
    invalid = rows["reason"].notna()
    return ArchiveBatch(
        batch_id=batch_id,
        events=rows[~invalid].drop(columns=["payload", "payload_bytes", "field", "reason"]),
        rejected=rows.loc[invalid, REJECTED].sort_values(["kafka_partition", "kafka_offset"]),
        offsets_from={str(partition): int(first) for partition, first in spans["min"].items()},
        offsets_to={str(partition): int(last) + 1 for partition, last in spans["max"].items()},
    )


def _aggregate(kpi: KpiSpec) -> Column:
    """A KPI's definition as a Spark aggregate; ``domains.measures`` is the same in Python."""
    from pyspark.sql import functions as F

    included = F.col("kind").isin(list(kpi.kinds)) if kpi.kinds else F.lit(True)
    if kpi.aggregate == "count":
        return F.count_if(included).cast("double")
    if kpi.aggregate == "share":
        base = F.col("kind").isin(list(kpi.of)) if kpi.of else F.lit(True)
        return F.try_divide(F.count_if(included), F.count_if(base))
    aggregate = {"sum": F.sum, "mean": F.avg, "max": F.max, "min": F.min}[kpi.aggregate]
    return aggregate(F.when(included, F.col("value")))


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
