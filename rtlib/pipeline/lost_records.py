"""Lost records: offsets of the events topic that Kafka forgot are not given to other records."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.broker.gap import take_offsets
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.formatting import format_quantity
from rtlib.streaming.checkpoint import reached
from rtlib.streaming.queries import ARCHIVE, KPIS, checkpoint
from rtlib.warehouse.audit import archive_progress

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

log = logging.getLogger(__name__)


def skip_lost_records(settings: Settings, connection: SnowflakeConnection) -> None:
    """Let an events topic that ends before what was read from it go on where the readers are.

    Kafka does not sync what it writes: after a power cut the newest records may be gone, though they were read, and
    Kafka would give their offsets to new ones. Those would pass for archived ones, and both queries would fail. So
    the lost offsets are taken; the ledger names the records that had them.

    Args:
        settings: Which domain. Where the broker or the warehouse is elsewhere, nothing is done: whether this state
            folder and they belong together is then not known.
        connection: A session in the warehouse.

    Raises:
        ServiceError: The broker does not answer.
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
    take_offsets(settings, topic, lost)
    log.warning(
        "Kafka has lost at least %s that were read from %s (%s), as after a power cut; "
        "their offsets stay empty, and rtlib ledger names what is lost",
        format_quantity(sum(lost.values()), "records"),
        topic,
        ", ".join(f"partition {partition} from {ends[partition]:,} on" for partition in lost),
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
