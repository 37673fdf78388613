"""Audit: what RAW holds of each producer, which events are missing or there twice, and how far it has come."""

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
    """What RAW.EVENTS holds of one producer: rows, distinct sequences, and the largest of them."""

    rows: int
    sequences: int
    last: int

    @property
    def is_gapless(self) -> bool:
        """True when each sequence from 0 to the last is there once."""
        return self.rows == self.sequences == self.last + 1


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An event that stands in RAW.EVENTS more than once."""

    event_id: str
    producer_id: str
    sequence: int
    rows: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the archive has come.

    Attributes:
        offsets: Partition to the offset after the last that is archived.
        rows_read: Records in all batches, from the offsets on that were asked for; more than the topic holds there
            when some were read again.
    """

    offsets: dict[int, int]
    rows_read: int


def held(connection: SnowflakeConnection, domain: str) -> dict[str, ProducerCounts]:
    """What RAW.EVENTS holds of each producer whose events came by Kafka."""
    sql = (
        "select producer_id, count(*) as n, count(distinct sequence) as sequences, max(sequence) as last "
        "from RAW.EVENTS where domain = ? and topic <> ? group by producer_id"
    )
    rows = query(connection, sql, (domain, HISTORY))
    return {row["producer_id"]: ProducerCounts(int(row["n"]), int(row["sequences"]), int(row["last"])) for row in rows}


def sequences(connection: SnowflakeConnection, domain: str, producers: Collection[str]) -> dict[str, set[int]]:
    """All sequences of these producers in RAW.EVENTS."""
    found: dict[str, set[int]] = {name: set() for name in producers}
    for name in producers:
        sql = "select sequence from RAW.EVENTS where domain = ? and producer_id = ? and topic <> ?"
        found[name].update(int(row["sequence"]) for row in query(connection, sql, (domain, name, HISTORY)))
    return found


def doubled(connection: SnowflakeConnection, domain: str) -> list[Duplicate]:
    """Events that stand in RAW.EVENTS more than once, by identifier or by producer and sequence."""
    found = {}
    for key in ("event_id", "producer_id, sequence"):
        sql = (
            "select min(event_id) as event_id, min(producer_id) as producer_id, min(sequence) as sequence, "
            f"count(*) as n from RAW.EVENTS where domain = ? and topic <> ? group by {key} having count(*) > 1"
        )
        for row in query(connection, sql, (domain, HISTORY)):
            one = Duplicate(row["event_id"], row["producer_id"], int(row["sequence"]), int(row["n"]))
            found[one.producer_id, one.sequence] = one
    return [found[place] for place in sorted(found)]


def archive_progress(
    connection: SnowflakeConnection, domain: str, *, first: Mapping[int, int] | None = None
) -> Progress:
    """How far the archive has come, by the ledger of its batches.

    Args:
        connection: An open connection.
        domain: Whose.
        first: Partition to the offset from which on records are counted; None counts all.
    """
    offsets: dict[int, int] = {}
    rows_read = 0
    sql = "select offsets_from, offsets_to, rows_read from RAW.BATCHES where domain = ? and query <> ?"
    for row in query(connection, sql, (domain, HISTORY)):
        began = json.loads(row["offsets_from"])
        rows_read += int(row["rows_read"])
        for partition, end in json.loads(row["offsets_to"]).items():
            offsets[int(partition)] = max(end, offsets.get(int(partition), 0))
            rows_read -= max(0, min(end, (first or {}).get(int(partition), 0)) - began.get(partition, end))
    return Progress(offsets, rows_read)


def rejected_before(connection: SnowflakeConnection, domain: str, first: Mapping[int, int]) -> int:
    """How many rows of RAW.REJECTED stem from before these offsets (partition to offset)."""
    sql = "select count(*) as n from RAW.REJECTED where domain = ? and kafka_partition = ? and kafka_offset < ?"
    asked = [(domain, partition, offset) for partition, offset in first.items() if offset]
    return sum(int(query(connection, sql, one)[0]["n"]) for one in asked)
