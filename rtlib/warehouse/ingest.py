"""Load: batches into RAW with their ledger row, in one transaction; KPIs into SPEED by one MERGE."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from rtlib.records import Event, Kpi
from rtlib.warehouse.connection import execute, query, transaction
from rtlib.warehouse.staging import (
    EVENT_COLUMNS,
    REJECTED_COLUMNS,
    moment_text,
    selected,
    sliced,
    staged,
)

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

HISTORY = "history"
HISTORY_ROWS = 25_000
MERGE_ROWS = 400
# Payloads that are held at a time: in Python as bytes, as base64 and as a file's columns, in the warehouse likewise.
SLICE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a query: its events (columns ``EVENT_COLUMNS``) and misfits (``REJECTED_COLUMNS``).

    ``offsets_from`` and ``offsets_to`` say which records it is made of; with the id they tell it from every other.
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
    """What a batch changed; ``skipped`` when the ledger knew it already and nothing was changed."""

    new: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: bool = False


def apply_batch(connection: SnowflakeConnection, batch: Batch) -> BatchResult:
    """Bring a batch into RAW once, however often it is tried.

    The rows go to a staging table first (a file, PUT, COPY INTO); then one transaction inserts what RAW does not hold
    yet and the ledger row. A crash before its commit leaves nothing, a crash after it leaves everything.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; the batch may be tried again.
    """
    if _is_applied(connection, batch):
        return BatchResult(skipped=True)
    # Of copies within the batch the first stays; later copies of older events are found in RAW.
    order = ["kafka_partition", "kafka_offset"]
    events = batch.events.sort_values(order).drop_duplicates("event_id")
    misfits = by_bytes(batch.rejected[list(REJECTED_COLUMNS)].drop_duplicates(["topic", *order]))
    with ExitStack() as tables:
        arrived = tables.enter_context(staged(connection, events, EVENT_COLUMNS, kind="events"))
        rejected = [
            (tables.enter_context(staged(connection, _as_text(rows), REJECTED_COLUMNS, kind=kind)), rows)
            for kind, rows in ((f"rejected_{number}", rows) for number, rows in enumerate(misfits))
        ]
        tables.enter_context(transaction(connection))
        new = _insert_events(connection, arrived, events, batch)
        refused = sum(_insert_rejected(connection, table, rows, batch) for table, rows in rejected)
        done = BatchResult(new=new, duplicates=len(batch.events) - new, rejected=refused)
        _note(connection, batch, done)
    return done


def by_bytes(rejected: pd.DataFrame, *, most: int = SLICE_BYTES) -> Iterator[pd.DataFrame]:
    """Misfits in slices of so many bytes of payload (those in the column ``payload_bytes``, if it is there)."""
    told = "payload_bytes" in rejected
    sizes = (
        rejected["payload_bytes"].fillna(0).astype(int) if told else [len(one or b"") for one in rejected["payload"]]
    )
    start, held = 0, 0
    for place, size in enumerate(sizes):
        if place > start and held + size > most:
            yield rejected.iloc[start:place]
            start, held = place, 0
        held += size
    if start < len(rejected):
        yield rejected.iloc[start:]


def backfill(
    connection: SnowflakeConnection, events: Iterable[Event], *, domain: str, chunk: int = HISTORY_ROWS
) -> int:
    """Load past events straight into RAW, in batches of the ``history`` query; return how many were new.

    The same events once more add nothing. Their ``received_at`` is their ``occurred_at``: no broker received them.
    A day is loaded in one transaction, so that ``history_days`` may trust that what is there is there as a whole.

    Args:
        connection: An open connection.
        events: Past events of the domain, in the order in which they happened; they are read as they are needed.
        domain: Whose events they are.
        chunk: How many make a transaction full; it goes on to the end of the day that it is in.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; whole batches before it stay.
    """
    import pandas as pd

    nothing = pd.DataFrame(columns=list(REJECTED_COLUMNS))
    new, first = 0, 0
    for number, rows in enumerate(_whole_days(events, chunk)):
        frame = pd.DataFrame([_history_row(event, first + place) for place, event in enumerate(rows)])
        # Keyed by its outer events, so that another stretch of history is another batch.
        begin, end = {rows[0].event_id: first}, {rows[-1].event_id: first + len(rows)}
        new += apply_batch(connection, Batch(HISTORY, domain, number, frame, nothing, begin, end)).new
        first += len(rows)
    return new


def history_days(connection: SnowflakeConnection, domain: str) -> set[date]:
    """The days (UTC) of which RAW holds loaded history."""
    sql = "select distinct to_date(occurred_at) as day from RAW.EVENTS where topic = ? and domain = ?"
    return {row["day"] for row in query(connection, sql, (HISTORY, domain))}


def merge_kpis(connection: SnowflakeConnection, kpis: Sequence[Kpi]) -> int:
    """Write KPIs into SPEED.KPIS: the newer ``emitted_at`` of a site and window wins; a replay changes nothing.

    Returns:
        How many rows were inserted or changed.

    Raises:
        WarehouseError: The warehouse refused the statement or did not answer.
    """
    newest: dict[tuple[str, str, datetime], Kpi] = {}
    for kpi in sorted(kpis, key=lambda one: (one.emitted_at, one.events)):
        newest[kpi.domain, kpi.site, kpi.window_start] = kpi
    rows, touched = [_kpi_row(kpi) for kpi in newest.values()], 0
    for start in range(0, len(rows), MERGE_ROWS):
        some = rows[start : start + MERGE_ROWS]
        oldest = min(str(row["window_start"]) for row in some)
        touched += execute(connection, _MERGE, (json.dumps(some, allow_nan=False), oldest))
    return touched


# The rows travel as one JSON text: the statement stays the same however many there are, and is parsed quickly.
_KPI_TYPES = {
    "domain": "varchar", "site": "varchar", "window_start": "timestamp_ntz", "window_end": "timestamp_ntz",
    "measures": "variant", "events": "number(19, 0)", "late": "number(19, 0)", "first_event_at": "timestamp_ntz",
    "last_event_at": "timestamp_ntz", "emitted_at": "timestamp_ntz", "loaded_at": "timestamp_ntz",
}  # fmt: skip
_KPI_KEY = ("domain", "site", "window_start", "window_end")
_MERGE = (
    "merge into SPEED.KPIS t using (select "
    + ", ".join(f"f.value:{name}::{kind} as {name}" for name, kind in _KPI_TYPES.items())
    + " from (select parse_json(?) as rows_) d, lateral flatten(input => d.rows_) f) s "
    # The bound says nothing new, but lets the warehouse leave older windows unread.
    "on t.domain = s.domain and t.site = s.site and t.window_start = s.window_start "
    "and t.window_start >= cast(? as timestamp_ntz) "
    # Records of one batch of the broker have one time; of two with the same, the one that counts more is newer.
    "when matched and (s.emitted_at > t.emitted_at or (s.emitted_at = t.emitted_at and s.events > t.events)) "
    "then update set "
    + ", ".join(f"{name} = s.{name}" for name in _KPI_TYPES if name not in _KPI_KEY)
    + f" when not matched then insert ({', '.join(_KPI_TYPES)}) values ("
    + ", ".join(f"s.{name}" for name in _KPI_TYPES)
    + ")"
)


def _kpi_row(kpi: Kpi) -> dict[str, object]:
    return {
        "domain": kpi.domain,
        "site": kpi.site,
        "window_start": moment_text(kpi.window_start),
        "window_end": moment_text(kpi.window_end),
        # JSON has no NaN and no infinity: where nothing sensible was measured, nothing is.
        "measures": {
            name: one if one is not None and math.isfinite(one) else None for name, one in kpi.measures.items()
        },
        "events": kpi.events,
        "late": kpi.late,
        "first_event_at": moment_text(kpi.first_event_at),
        "last_event_at": moment_text(kpi.last_event_at),
        "emitted_at": moment_text(kpi.emitted_at),
        "loaded_at": moment_text(datetime.now(UTC)),
    }


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
    """True when the ledger knows this batch.

    The id alone would not do: it starts again at 0 when a checkpoint is deleted, with other records behind it.
    """
    sql = (
        "select count(*) as n from RAW.BATCHES "
        "where query = ? and domain = ? and batch_id = ? and offsets_from = ? and offsets_to = ?"
    )
    known = (batch.query, batch.domain, batch.batch_id, _told(batch.offsets_from), _told(batch.offsets_to))
    return bool(query(connection, sql, known)[0]["n"])


def _insert_events(connection: SnowflakeConnection, table: str, events: pd.DataFrame, batch: Batch) -> int:
    """Insert the events that RAW does not hold; return how many.

    The search for those it holds is bounded by the events' own identifiers, so that it stays cheap as RAW grows:
    a UUID of version 7 begins with its time. Of other identifiers the bound says little, and nothing wrong. The
    events' times would be no bound: a copy may come with another one.
    """
    new = 0
    for rows, number in sliced(events):
        sql = (
            f"insert into RAW.EVENTS ({', '.join(EVENT_COLUMNS)}, batch_id, loaded_at) "
            f"select {selected(EVENT_COLUMNS, 's')}, ?, current_timestamp()::timestamp_ntz "
            f"from {table} s left join RAW.EVENTS e on e.event_id = s.event_id "
            f"and e.event_id >= ? and e.event_id <= ? where s.slice = {number} and e.event_id is null"
        )
        new += execute(connection, sql, (batch.batch_id, rows["event_id"].min(), rows["event_id"].max()))
    return new


def _insert_rejected(connection: SnowflakeConnection, table: str, rejected: pd.DataFrame, batch: Batch) -> int:
    """Insert the rejected records that RAW does not hold; return how many."""
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
    """Misfits as RAW.REJECTED holds them: any bytes as base64, and no field where the whole record is at fault."""
    payloads = [base64.b64encode(bytes(one or b"")).decode("ascii") for one in rejected["payload"]]
    return rejected.assign(payload=payloads, field=rejected["field"].fillna("").astype(str))


def _note(connection: SnowflakeConnection, batch: Batch, done: BatchResult) -> None:
    execute(
        connection,
        "insert into RAW.BATCHES (query, domain, batch_id, offsets_from, offsets_to, rows_read, rows_new, "
        "rows_duplicate, rows_rejected, applied_at) "
        "select ?, ?, ?, ?, ?, ?, ?, ?, ?, current_timestamp()::timestamp_ntz",
        (
            batch.query,
            batch.domain,
            batch.batch_id,
            _told(batch.offsets_from),
            _told(batch.offsets_to),
            len(batch.events) + len(batch.rejected),
            done.new,
            done.duplicates,
            done.rejected,
        ),
    )


def _told(offsets: Mapping[str, int]) -> str:
    return json.dumps(dict(offsets), sort_keys=True)


def _history_row(event: Event, place: int) -> dict[str, object]:
    told = event.to_json()
    return {
        **told,
        "occurred_at": event.occurred_at,
        "attributes": json.dumps(told["attributes"]),
        "topic": HISTORY,
        "kafka_partition": 0,
        "kafka_offset": place,
        "received_at": event.occurred_at,
    }
