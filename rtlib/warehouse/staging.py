"""Staging: rows on their way into the warehouse, by a file, PUT and COPY INTO a table of this session's own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib.errors import WarehouseError
from rtlib.warehouse.connection import execute, query

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

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

AS_TEXT = {"timestamp_ntz": "varchar", "variant": "varchar"}  # what is staged as text, and read in the INSERT


@contextmanager
def staged(
    connection: SnowflakeConnection, rows: pd.DataFrame, columns: Mapping[str, str], *, kind: str
) -> Iterator[str]:
    """Bring rows into a temporary table; it is gone afterwards, whatever happens.

    They travel as a Parquet file, whose columns COPY INTO takes by their names. A CSV would have to tell NULL from
    empty text, and of objects in a VARIANT the warehouse would read each anew for every field that is taken out of
    it. The table belongs to this session, so that two loaders never meet in it.

    Args:
        connection: An open connection.
        rows: At least ``columns``, times in UTC.
        columns: Their names and types.
        kind: What the rows are; a part of the table's name.

    Yields:
        The table's name. It has ``columns``, times and VARIANTs as text, and ``slice``, which counts from 0,
        ``SLICE_ROWS`` in each. There is none where there are no rows.

    Raises:
        WarehouseError: The warehouse refused the rows, or not all of them arrived.
    """
    # Temporary tables are the session's own; the rest of the name keeps fakesnow's notes on loaded files apart, which
    # are not. It stays the same for a connection, so that its statements are translated once.
    table = f"STAGED_{kind}_{os.getpid()}_{id(connection):x}".upper()
    if not len(rows):
        yield table
        return
    _use_schema(connection, "RAW")  # a temporary table is named without one
    typed = ", ".join(f"{name} {AS_TEXT.get(sql_type, sql_type)}" for name, sql_type in columns.items())
    execute(connection, f"create or replace temporary table {table} ({typed}, slice number(10, 0))")
    try:
        with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
            path = Path(folder) / f"{table}.parquet"
            _plain(rows, columns).to_parquet(path, engine="pyarrow", index=False)
            execute(connection, f"put 'file://{path.as_posix()}' @%{table} auto_compress=false overwrite=true")
        # Purged: the file leaves the warehouse's stage once it is in the table.
        told = "file_format = (type = parquet) match_by_column_name = case_insensitive purge = true force = true"
        execute(connection, f"copy into {table} from @%{table} {told}")
        arrived = int(query(connection, f"select count(*) as n from {table}")[0]["n"])
        if arrived != len(rows):
            raise WarehouseError(
                f"{len(rows):,} rows were sent to the warehouse and {arrived:,} arrived",
                cure="the batch is tried again by itself; if it goes on, rtlib logs warehouse",
            )
        yield table
    finally:
        with suppress(WarehouseError):  # when the session is gone, so is its table
            execute(connection, f"drop table if exists {table}")


def selected(columns: Mapping[str, str], table: str) -> str:
    """The typed values of ``columns`` out of the staged rows, as the text of a select list."""
    return ", ".join(_taken(f"{table}.{name}", kind) for name, kind in columns.items())


def sliced(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, int]]:
    """Each slice of the staged rows, with its number."""
    for number, start in enumerate(range(0, len(rows), SLICE_ROWS)):
        yield rows.iloc[start : start + SLICE_ROWS], number


def moment_text(moment: datetime) -> str:
    """A moment as the warehouse reads it: UTC, without a zone, microseconds."""
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")


def _taken(value: str, kind: str) -> str:
    if kind == "variant":
        # Text that is no JSON stays as it is: one odd event must not hold up the batch for ever.
        return f"coalesce(try_parse_json({value}), to_variant({value}))"
    return f"{value}::{kind}" if kind in AS_TEXT else value


def _use_schema(connection: SnowflakeConnection, schema: str) -> None:
    if connection.schema != schema:
        execute(connection, f"use schema {schema}")


def _plain(rows: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The columns as Parquet has them in every version: text, whole numbers, floats; and the slice of each row."""
    moments = {name: _moments(rows[name]) for name, kind in columns.items() if kind == "timestamp_ntz"}
    floats = {name: _floats(rows[name]) for name, kind in columns.items() if kind == "float"}
    slices = [place // SLICE_ROWS for place in range(len(rows))]
    return rows[list(columns)].assign(**moments, **floats, slice=slices)


def _floats(column: pd.Series[Any]) -> pd.Series[float]:
    try:
        return column.astype("float64")
    except (TypeError, ValueError) as error:
        raise WarehouseError(f"{column.name} holds what is no number, and nothing was written: {error}") from error


def _moments(column: pd.Series[Any]) -> list[str]:
    """Moments as text, in UTC; without a zone they are taken for UTC already."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column):
        return [one if isinstance(one, str) else moment_text(one) for one in column]
    plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
    return list(np.datetime_as_string(plain.to_numpy(dtype="datetime64[us]")))
