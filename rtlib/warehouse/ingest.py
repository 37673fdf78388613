"""Ingest: batches into RAW together with their row in RAW.BATCHES, in a single transaction."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rtlib.records import Event
from rtlib.warehouse.connection import execute, query, transaction
from rtlib.warehouse.staging import EVENT_COLUMNS, REJECTED_COLUMNS, selected, sliced, staged

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

HISTORY = "history"
HISTORY_ROWS = 25_000
# Payload bytes staged at a time: Python holds them as bytes, as base64 and as file columns, and so does the warehouse.
SLICE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of a query: its events (columns ``EVENT_COLUMNS``) and rejected records (``REJECTED_COLUMNS``).

    ``offsets_from`` and ``offsets_to`` map a partition to the batch's first offset and to the offset after its last;
    together with the id they identify the batch.
    """

    query: str
    domain: str
    batch_id: int
    events: pd.DataFrame
    rejected: pd.DataFrame
    offsets_from: Mapping[str, int]
    offsets_to: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch changed; ``skipped`` if it was applied before and nothing was changed."""

    new: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: bool = False


def apply_batch(connection: SnowflakeConnection, batch: Batch) -> BatchResult:
    """Write a batch into RAW exactly once, however often it is tried.

    The rows go to a staging table first (a file, PUT, COPY INTO). Then a single transaction inserts the rows that RAW
    does not hold yet, and the row of RAW.BATCHES. A crash before its commit leaves nothing, a crash after it leaves
    everything.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; the batch may be tried again.
    """
    if _is_applied(connection, batch):
        return BatchResult(skipped=True)
    # Of copies within the batch the first stays; copies of older events are found in RAW.
    order = ["kafka_partition", "kafka_offset"]
    events = batch.events.sort_values(order).drop_duplicates("event_id")
    slices = by_bytes(batch.rejected[list(REJECTED_COLUMNS)].drop_duplicates(["topic", *order]))
    with ExitStack() as tables:
        staged_events = tables.enter_context(staged(connection, events, EVENT_COLUMNS, kind="events"))
        staged_rejected = [
            (tables.enter_context(staged(connection, _as_text(rows), REJECTED_COLUMNS, kind=kind)), rows)
            for kind, rows in ((f"rejected_{number}", rows) for number, rows in enumerate(slices))
        ]
        tables.enter_context(transaction(connection))
        new = _insert_events(connection, staged_events, events, batch)
        rejected = sum(_insert_rejected(connection, table, rows, batch) for table, rows in staged_rejected)
        result = BatchResult(new=new, duplicates=len(batch.events) - new, rejected=rejected)
        _record_batch(connection, batch, result)
    return result


def by_bytes(rejected: pd.DataFrame, *, most: int = SLICE_BYTES) -> Iterator[pd.DataFrame]:
    """Rejected records in slices of at most ``most`` payload bytes (by the column ``payload_bytes`` if present)."""
    if "payload_bytes" in rejected:
        sizes = list(rejected["payload_bytes"].fillna(0).astype(int))
    else:
        sizes = [len(payload or b"") for payload in rejected["payload"]]
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield rejected.iloc[start:index]
            start, total = index, 0
        total += size
    if start < len(rejected):
        yield rejected.iloc[start:]


def backfill(
    connection: SnowflakeConnection, events: Iterable[Event], *, domain: str, chunk: int = HISTORY_ROWS
) -> int:
    """Load past events straight into RAW, in batches of the ``history`` query; returns how many were new.

    Loading the same events again adds nothing. Their ``received_at`` is their ``occurred_at``, since no broker
    received them. A day is loaded in a single transaction, so a day is there as a whole or not at all.

    Args:
        connection: An open connection.
        events: Past events of the domain, in the order in which they happened; consumed lazily.
        domain: The domain's name.
        chunk: The least number of events in a transaction; it extends to the end of the day it is in.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; batches applied before stay.
    """
    import pandas as pd

    new, first = 0, 0
    for number, rows in enumerate(_whole_days(events, chunk)):
        frame = pd.DataFrame([_history_row(event) for event in rows])
        new += load_history(connection, frame, domain=domain, number=number, first=first)
        first += len(rows)
    return new


def load_history(
    connection: SnowflakeConnection, rows: pd.DataFrame, *, domain: str, number: int = 0, first: int = 0
) -> int:
    """Load past events straight into RAW in a single transaction, as ``backfill`` does; returns how many were new.

    Args:
        connection: An open connection.
        rows: The fields of ``rtlib.records.Event`` in the order in which the events happened, with ``attributes`` as
            JSON text and times in UTC.
        domain: The domain's name.
        number: The number of the batch.
        first: The number of the first event, among all that are loaded together.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing was written.
    """
    import pandas as pd

    if not len(rows):
        return 0
    offsets = range(first, first + len(rows))
    events = rows.assign(topic=HISTORY, kafka_partition=0, kafka_offset=offsets, received_at=rows["occurred_at"])
    rejected = pd.DataFrame(columns=list(REJECTED_COLUMNS))
    # The first and last event are the key, so that another stretch of history is another batch.
    begin, end = {rows["event_id"].iloc[0]: first}, {rows["event_id"].iloc[-1]: first + len(rows)}
    return apply_batch(connection, Batch(HISTORY, domain, number, events, rejected, begin, end)).new


def _whole_days(events: Iterable[Event], least: int) -> Iterator[list[Event]]:
    """The events in lists of at least ``least`` (the last may be shorter), none of which ends within a day."""
    rows: list[Event] = []
    for _, day in groupby(events, lambda event: event.occurred_at.date()):
        rows += day
        if len(rows) >= least:
            yield rows
            rows = []
    if rows:
        yield rows


def _is_applied(connection: SnowflakeConnection, batch: Batch) -> bool:
    """True if RAW.BATCHES has this batch.

    The id alone is not enough: it starts again at 0 after a checkpoint is deleted, with other records behind it.
    """
    sql = (
        "select count(*) as n from RAW.BATCHES "
        "where query = ? and domain = ? and batch_id = ? and offsets_from = ? and offsets_to = ?"
    )
    key = (batch.query, batch.domain, batch.batch_id, _to_json(batch.offsets_from), _to_json(batch.offsets_to))
    return bool(query(connection, sql, key)[0]["n"])


def _insert_events(connection: SnowflakeConnection, table: str, events: pd.DataFrame, batch: Batch) -> int:
    """Insert the events that RAW does not hold; returns how many.

    The anti-join is bounded by the events' own identifiers, so that it stays cheap as RAW grows: a UUID of version 7
    starts with its time. For other identifiers the bound is loose, but never wrong. The events' times would be no
    bound, because a copy may carry another time. Events that were rolled up are known by producer and sequence.
    """
    new = 0
    for rows, number in sliced(events):
        sql = (
            f"insert into RAW.EVENTS ({', '.join(EVENT_COLUMNS)}, batch_id, loaded_at) "
            f"select {selected(EVENT_COLUMNS, 's')}, ?, current_timestamp()::timestamp_ntz "
            f"from {table} s left join RAW.EVENTS e on e.event_id = s.event_id "
            f"and e.event_id >= ? and e.event_id <= ? "
            "left join RAW.ROLLED_SEQUENCES r on r.domain = s.domain and r.producer_id = s.producer_id "
            "and s.sequence between r.first_sequence and r.last_sequence "
            f"where s.slice = {number} and e.event_id is null and r.producer_id is null"
        )
        new += execute(connection, sql, (batch.batch_id, rows["event_id"].min(), rows["event_id"].max()))
    return new


def _insert_rejected(connection: SnowflakeConnection, table: str, rejected: pd.DataFrame, batch: Batch) -> int:
    """Insert the rejected records that RAW does not hold; returns how many."""
    key = ("topic", "kafka_partition", "kafka_offset")
    new = 0
    for _, number in sliced(rejected):
        sql = (
            f"insert into RAW.REJECTED (domain, {', '.join(REJECTED_COLUMNS)}, batch_id, loaded_at) "
            f"select ?, {selected(REJECTED_COLUMNS, 's')}, ?, current_timestamp()::timestamp_ntz "
            f"from {table} s left join RAW.REJECTED r on {' and '.join(f'r.{name} = s.{name}' for name in key)} "
            f"where s.slice = {number} and r.topic is null"
        )
        new += execute(connection, sql, (batch.domain, batch.batch_id))
    return new


def _as_text(rejected: pd.DataFrame) -> pd.DataFrame:
    """Rejected records as RAW.REJECTED holds them: bytes as base64, and an empty field if no field is to blame."""
    payloads = [base64.b64encode(bytes(payload or b"")).decode("ascii") for payload in rejected["payload"]]
    return rejected.assign(payload=payloads, field=rejected["field"].fillna("").astype(str))


def _record_batch(connection: SnowflakeConnection, batch: Batch, result: BatchResult) -> None:
    execute(
        connection,
        "insert into RAW.BATCHES (query, domain, batch_id, offsets_from, offsets_to, rows_read, rows_new, "
        "rows_duplicate, rows_rejected, applied_at) "
        "select ?, ?, ?, ?, ?, ?, ?, ?, ?, current_timestamp()::timestamp_ntz",
        (
            batch.query,
            batch.domain,
            batch.batch_id,
            _to_json(batch.offsets_from),
            _to_json(batch.offsets_to),
            len(batch.events) + len(batch.rejected),
            result.new,
            result.duplicates,
            result.rejected,
        ),
    )


def _to_json(offsets: Mapping[str, int]) -> str:
    return json.dumps(dict(offsets), sort_keys=True)


def _history_row(event: Event) -> dict[str, object]:
    fields = event.to_json()
    return {**fields, "occurred_at": event.occurred_at, "attributes": json.dumps(fields["attributes"])}
