"""Staging: rows on their way into the warehouse, through a file, PUT and COPY INTO a temporary table."""

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

# Rows per INSERT: a small warehouse has little memory for a join over whole rows.
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

AS_TEXT = {"timestamp_ntz": "varchar", "variant": "varchar"}  # types staged as text and parsed by the INSERT


@contextmanager
def staged(
    connection: SnowflakeConnection, rows: pd.DataFrame, columns: Mapping[str, str], *, kind: str
) -> Iterator[str]:
    """Bring rows into a temporary table that is dropped at the end of the block.

    They travel as a Parquet file, whose columns COPY INTO matches by name. A CSV file cannot distinguish NULL from
    empty text, and the warehouse would parse an object in a VARIANT again for each field read from it. The table
    belongs to this session, so two loaders never share it.

    Args:
        connection: An open connection.
        rows: At least ``columns``; times in UTC.
        columns: Column names and SQL types.
        kind: What the rows are; part of the table's name.

    Yields:
        The table's name. Its columns are ``columns``, with times and VARIANTs as text, and ``slice``, the number of
        the slice of ``SLICE_ROWS`` rows, from 0. Without rows there is no table.

    Raises:
        WarehouseError: The warehouse refused the rows, or some of them did not arrive.
    """
    # A temporary table belongs to its session, but fakesnow's record of loaded files does not: process and connection
    # keep the names apart there. A connection reuses its name, so that its statements are translated once.
    table = f"STAGED_{kind}_{os.getpid()}_{id(connection):x}".upper()
    if not len(rows):
        yield table
        return
    _use_schema(connection, "RAW")  # the name of a temporary table has no schema
    typed = ", ".join(f"{name} {AS_TEXT.get(sql_type, sql_type)}" for name, sql_type in columns.items())
    execute(connection, f"create or replace temporary table {table} ({typed}, slice number(10, 0))")
    try:
        with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
            path = Path(folder) / f"{table}.parquet"
            _plain(rows, columns).to_parquet(path, engine="pyarrow", index=False)
            execute(connection, f"put 'file://{path.as_posix()}' @%{table} auto_compress=false overwrite=true")
        # purge: the file is removed from the stage once its rows are in the table.
        options = "file_format = (type = parquet) match_by_column_name = case_insensitive purge = true force = true"
        execute(connection, f"copy into {table} from @%{table} {options}")
        arrived = int(query(connection, f"select count(*) as n from {table}")[0]["n"])
        if arrived != len(rows):
            raise WarehouseError(
                f"{len(rows):,} rows were sent to the warehouse and {arrived:,} arrived",
                cure="the batch is retried automatically; if the error persists, rtlib logs warehouse",
            )
        yield table
    finally:
        with suppress(WarehouseError):  # a lost session has lost its table too
            execute(connection, f"drop table if exists {table}")


def selected(columns: Mapping[str, str], table: str) -> str:
    """A select list that reads ``columns`` with their types from the staged rows."""
    return ", ".join(_typed(f"{table}.{name}", kind) for name, kind in columns.items())


def sliced(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, int]]:
    """Each slice of the staged rows, with its number."""
    for number, start in enumerate(range(0, len(rows), SLICE_ROWS)):
        yield rows.iloc[start : start + SLICE_ROWS], number


def moment_text(moment: datetime) -> str:
    """A moment as text for the warehouse: UTC, without a zone, in microseconds."""
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat(sep=" ", timespec="microseconds")


def _typed(value: str, kind: str) -> str:
    if kind == "variant":
        # Text that is not JSON stays text: a single odd event must not block the batch.
        return f"coalesce(try_parse_json({value}), to_variant({value}))"
    return f"{value}::{kind}" if kind in AS_TEXT else value


def _use_schema(connection: SnowflakeConnection, schema: str) -> None:
    if connection.schema != schema:
        execute(connection, f"use schema {schema}")


def _plain(rows: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """The columns in types of every Parquet version (text, integers, floats), and the slice of each row."""
    moments = {name: _moments(rows[name]) for name, kind in columns.items() if kind == "timestamp_ntz"}
    floats = {name: _floats(rows[name]) for name, kind in columns.items() if kind == "float"}
    slices = [index // SLICE_ROWS for index in range(len(rows))]
    return rows[list(columns)].assign(**moments, **floats, slice=slices)


def _floats(column: pd.Series[Any]) -> pd.Series[float]:
    try:
        return column.astype("float64")
    except (TypeError, ValueError) as error:
        raise WarehouseError(
            f"{column.name} holds a value that is not a number; nothing was written: {error}"
        ) from error


def _moments(column: pd.Series[Any]) -> list[str]:
    """Moments as text in UTC; those without a zone are assumed to be UTC."""
    import numpy as np
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column):
        return [value if isinstance(value, str) else moment_text(value) for value in column]
    plain = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
    return list(np.datetime_as_string(plain.to_numpy(dtype="datetime64[us]")))
