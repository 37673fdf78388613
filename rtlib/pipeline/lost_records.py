"""Lost records: whether Kafka still has all that was read from it before the stack starts to read on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.formatting import format_quantity
from rtlib.streaming.checkpoint import reached
from rtlib.streaming.queries import ARCHIVE, KPIS, checkpoint
from rtlib.warehouse.audit import archive_progress

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def refuse_lost_records(settings: Settings, connection: SnowflakeConnection) -> None:
    """Refuse an events topic that ends before the records that were read from it.

    A power cut may tear the end of a segment, and Kafka goes on from there. It gives the offsets of the lost records
    to new ones: those would pass for archived ones, and both queries would fail again and again.

    Args:
        settings: Which domain. Where the broker or the warehouse is elsewhere, nothing is checked: that this state
            folder and they belong together is then not known.
        connection: A session in the warehouse.

    Raises:
        ServiceError: The topic ends too early.
        WarehouseError: The warehouse does not answer.
    """
    if settings.kafka_bootstrap_servers is not None or not settings.local_warehouse:
        return
    topic = settings.topic("events")
    queries = (ARCHIVE, f"{KPIS}-{settings.trigger}")
    read = [archive_progress(connection, settings.domain).offsets]
    read += [reached(Path(checkpoint(settings, query)), topic) for query in queries]
    ends = end_offsets(settings, topic)
    lost = missing(ends, *read)
    if not lost:
        return
    where = ", ".join(
        f"partition {partition} ends at {ends[partition]:,}, not {ends[partition] + count:,}"
        for partition, count in lost.items()
    )
    records = format_quantity(sum(lost.values()), "records")
    raise ServiceError(
        f"Kafka has lost at least {records} that were read from {topic}: {where}; "
        f"files below {settings.home / 'kafka' / 'data'} were torn",
        cure="rtlib reset, then rtlib up",
    )


def missing(ends: Mapping[int, int], *read: Mapping[int, int]) -> dict[int, int]:
    """Partition to how many records were read beyond its end; partitions that lack nothing are left out. Pure.

    Args:
        ends: Partition to the offset of the next record that the topic will take.
        read: For each reader, partition to the offset after the last record that it read.
    """
    beyond = {
        partition: max(offsets.get(partition, 0) for offsets in read) - end for partition, end in sorted(ends.items())
    }
    return {partition: count for partition, count in beyond.items() if count > 0}
