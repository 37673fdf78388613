"""Audit: what RAW holds of each producer, which events it holds twice, and how far the archive has come."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtlib.warehouse.connection import query
from rtlib.warehouse.ingest import HISTORY

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass(frozen=True, slots=True)
class ProducerCounts:
    """What RAW holds of a producer: its events, its distinct sequences, and the highest; rolled up ones included."""

    rows: int
    sequences: int
    last: int

    @property
    def is_gapless(self) -> bool:
        """True if each sequence from 0 to the last is there exactly once."""
        return self.rows == self.sequences == self.last + 1


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An event that RAW.EVENTS holds more than once."""

    event_id: str
    producer_id: str
    sequence: int
    rows: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the archive has come.

    Attributes:
        offsets: Partition to the offset after the last archived record.
        rows_read: Records in all batches, counted from the requested offsets on; more than the topic holds from there
            on if some were read again.
    """

    offsets: dict[int, int]
    rows_read: int


def producer_counts(connection: SnowflakeConnection, domain: str) -> dict[str, ProducerCounts]:
    """What RAW holds of each producer whose events came through Kafka; rolled up events are counted by sequence."""
    sql = (
        "select producer_id, sum(n) as n, sum(sequences) as sequences, max(last) as last from ("
        "select producer_id, count(*) as n, count(distinct sequence) as sequences, max(sequence) as last "
        "from RAW.EVENTS where domain = ? and topic <> ? group by producer_id union all "
        "select producer_id, sum(last_sequence - first_sequence + 1), sum(last_sequence - first_sequence + 1), "
        "max(last_sequence) from RAW.ROLLED_SEQUENCES where domain = ? group by producer_id"
        ") held group by producer_id"
    )
    rows = query(connection, sql, (domain, HISTORY, domain))
    return {row["producer_id"]: ProducerCounts(int(row["n"]), int(row["sequences"]), int(row["last"])) for row in rows}


def sequences(connection: SnowflakeConnection, domain: str, producers: Collection[str]) -> dict[str, set[int]]:
    """All sequences of these producers in RAW, rolled up ones included."""
    raw = "select sequence from RAW.EVENTS where domain = ? and producer_id = ? and topic <> ?"
    rolled = "select first_sequence, last_sequence from RAW.ROLLED_SEQUENCES where domain = ? and producer_id = ?"
    held = {
        name: {int(row["sequence"]) for row in query(connection, raw, (domain, name, HISTORY))} for name in producers
    }
    for name in producers:
        for row in query(connection, rolled, (domain, name)):
            held[name].update(range(int(row["first_sequence"]), int(row["last_sequence"]) + 1))
    return held


def duplicate_events(connection: SnowflakeConnection, domain: str) -> list[Duplicate]:
    """Events that RAW.EVENTS holds more than once, by identifier or by producer and sequence."""
    duplicates = {}
    for key in ("event_id", "producer_id, sequence"):
        sql = (
            "select min(event_id) as event_id, min(producer_id) as producer_id, min(sequence) as sequence, "
            f"count(*) as n from RAW.EVENTS where domain = ? and topic <> ? group by {key} having count(*) > 1"
        )
        for row in query(connection, sql, (domain, HISTORY)):
            duplicate = Duplicate(row["event_id"], row["producer_id"], int(row["sequence"]), int(row["n"]))
            duplicates[duplicate.producer_id, duplicate.sequence] = duplicate
    return [duplicates[place] for place in sorted(duplicates)]


def archive_progress(
    connection: SnowflakeConnection, domain: str, *, first: Mapping[int, int] | None = None
) -> Progress:
    """How far the archive has come, according to RAW.BATCHES.

    Args:
        connection: An open connection.
        domain: The domain's name.
        first: Partition to the offset from which records are counted; None counts all.
    """
    offsets: dict[int, int] = {}
    rows_read = 0
    sql = "select offsets_from, offsets_to, rows_read from RAW.BATCHES where domain = ? and query <> ?"
    for row in query(connection, sql, (domain, HISTORY)):
        starts = json.loads(row["offsets_from"])
        rows_read += int(row["rows_read"])
        for partition, end in json.loads(row["offsets_to"]).items():
            offsets[int(partition)] = max(end, offsets.get(int(partition), 0))
            rows_read -= max(0, min(end, (first or {}).get(int(partition), 0)) - starts.get(partition, end))
    return Progress(offsets, rows_read)


def rejected_before(connection: SnowflakeConnection, domain: str, first: Mapping[int, int]) -> int:
    """How many rows of RAW.REJECTED have offsets before these (partition to offset)."""
    sql = "select count(*) as n from RAW.REJECTED where domain = ? and kafka_partition = ? and kafka_offset < ?"
    parameters = [(domain, partition, offset) for partition, offset in first.items() if offset]
    return sum(int(query(connection, sql, values)[0]["n"]) for values in parameters)
