"""Staging: rows on their way into the warehouse, by a file, PUT and COPY INTO a table of this session's own."""

from __future__ import annotations

import base64
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib.errors import WarehouseError
from rtlib.warehouse.connection import execute, query

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

EVENT, REJECTED = "event", "rejected"
# How many rows one INSERT takes: a small warehouse has little memory for a join over whole rows.
SLICE_ROWS = 30_000
EVENT_COLUMNS = {
    "event_id": "varchar", "domain": "varchar", "site": "varchar", "kind": "varchar", "occurred_at": "timestamp_ntz",
    "producer_id": "varchar", "sequence": "number(19, 0)", "value": "float", "unit": "varchar",
    "attributes": "variant", "topic": "varchar", "kafka_partition": "number(10, 0)", "kafka_offset": "number(19, 0)",
    "received_at": "timestamp_ntz",
}  # fmt: skip
REJECTED_COLUMNS = {
    "payload": "varchar", "reason": "varchar", "field": "varchar", "topic": "varchar",
    "kafka_partition": "number(10, 0)", "kafka_offset": "number(19, 0)", "received_at": "timestamp_ntz",
}  # fmt: skip


@contextmanager
def staged(connection: SnowflakeConnection, events: pd.DataFrame, rejected: pd.DataFrame) -> Iterator[str]:
    """Bring rows into a temporary table; it is gone afterwards, whatever happens.

    The file holds one JSON object a line, and the table one VARIANT a row. A CSV would have to tell NULL from empty
    text, and a reader may take ``"007"`` for a number; JSON says which is which. The table belongs to this session,
    so that two loaders never meet in it.

    Args:
        connection: An open connection.
        events: Columns ``EVENT_COLUMNS``, times in UTC.
        rejected: Columns ``REJECTED_COLUMNS``, payloads as bytes.

    Yields:
        The name of the table: one column ``item``, whose ``is`` says whether it is an event or a rejected record and
        whose ``slice`` counts from 0, ``SLICE_ROWS`` of a kind in each.

    Raises:
        WarehouseError: The warehouse refused the rows, or not all of them arrived.
    """
    # Temporary tables are the session's own; the rest of the name keeps fakesnow's notes on loaded files apart, which
    # are not. It stays the same for a connection, so that its statements are translated once.
    table = f"STAGED_{os.getpid()}_{id(connection):x}"
    _use_schema(connection, "RAW")  # a temporary table is named without one
    execute(connection, f"create or replace temporary table {table} (item variant)")
    try:
        with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
            path = Path(folder) / f"{table}.json"
            path.write_text(_lines(events, rejected), encoding="ascii")
            execute(connection, f"put 'file://{path.as_posix()}' @%{table} auto_compress=false overwrite=true")
        # Purged: the file leaves the warehouse's stage once it is in the table.
        execute(connection, f"copy into {table} from @%{table} file_format = (type = json) purge = true force = true")
        arrived = int(query(connection, f"select count(*) as n from {table}")[0]["n"])
        if arrived != len(events) + len(rejected):
            raise WarehouseError(
                f"{len(events) + len(rejected):,} rows were sent to the warehouse and {arrived:,} arrived",
                cure="the batch is tried again by itself; if it goes on, rtlib logs warehouse",
            )
        yield table
    finally:
        with suppress(WarehouseError):  # when the session is gone, so is its table
            execute(connection, f"drop table if exists {table}")


def selected(columns: dict[str, str], table: str, *, named: bool = False) -> str:
    """The typed values of ``columns`` out of the staged objects, as the text of a select list."""
    values = {name: _taken(name, kind, table) for name, kind in columns.items()}
    return ", ".join(f"{value} as {name}" if named else value for name, value in values.items())


def sliced(rows: pd.DataFrame, kind: str) -> Iterator[tuple[pd.DataFrame, str]]:
    """Each slice of the staged rows of a kind, with the condition that finds it in the table."""
    for number, start in enumerate(range(0, len(rows), SLICE_ROWS)):
        condition = f"item:is::varchar = '{kind}' and item:slice::varchar = '{number}'"
        yield rows.iloc[start : start + SLICE_ROWS], condition


def moment_text(moment: datetime) -> str:
    """A moment as the warehouse reads it: UTC, without a zone, microseconds."""
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")


def _taken(name: str, kind: str, table: str) -> str:
    text = f"{table}.item:{name}::varchar"
    if kind == "varchar":
        return text
    if kind == "variant":
        # Text that is no JSON stays as it is: one odd event must not hold up the batch for ever.
        return f"coalesce(try_parse_json({text}), to_variant({text}))"
    return f"{text}::{kind}"


def _use_schema(connection: SnowflakeConnection, schema: str) -> None:
    if connection.schema != schema:
        execute(connection, f"use schema {schema}")


def _lines(events: pd.DataFrame, rejected: pd.DataFrame) -> str:
    """All rows as JSON, one a line, in ASCII."""
    payloads = [base64.b64encode(bytes(one or b"")).decode("ascii") for one in rejected["payload"]]
    # No field is at fault when the whole record is.
    told = rejected.assign(payload=payloads, field=rejected["field"].fillna("").astype(str))
    parts = ((EVENT, EVENT_COLUMNS, events), (REJECTED, REJECTED_COLUMNS, told))
    return "".join(_part(mark, columns, rows) for mark, columns, rows in parts if len(rows))


def _part(mark: str, columns: dict[str, str], rows: pd.DataFrame) -> str:
    told = rows[list(columns)].assign(**{"is": mark})
    told["slice"] = [place // SLICE_ROWS for place in range(len(rows))]
    for name, kind in columns.items():
        if kind == "timestamp_ntz":
            told[name] = _moments(rows[name])
        elif kind == "float":
            # As text: exact to the last bit, and it can say "inf".
            told[name] = [None if one is None or math.isnan(one) else repr(float(one)) for one in rows[name]]
    text = told.to_json(orient="records", lines=True)
    return text if text.endswith("\n") else f"{text}\n"


def _moments(column: pd.Series[Any]) -> list[str]:
    """Moments as text, in UTC; without a zone they are taken for UTC already."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column):
        return [one if isinstance(one, str) else moment_text(one) for one in column]
    plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
    return list(np.datetime_as_string(plain.to_numpy(dtype="datetime64[us]")))
