"""Bulk: the same rows into the same table, by a file and COPY INTO, and by one INSERT a row."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rtlib.config import Settings
from rtlib.warehouse.connection import connect, execute, query

TABLE = "BENCH_BULK"


def copy_rate(settings: Settings, rows: Sequence[dict[str, object]]) -> float:
    """Rows per second by PUT and COPY INTO, the file's making included.

    Raises:
        WarehouseError: The warehouse refused it, or does not hold all rows afterwards.
    """
    connection = connect(settings)
    try:
        execute(connection, "use schema RAW")  # a table's own stage is named without one
        execute(connection, f"create or replace table {TABLE} (item variant)")
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
            path = Path(folder) / "rows.json"
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="ascii")
            execute(connection, f"put 'file://{path.as_posix()}' @%{TABLE} auto_compress=false overwrite=true")
        execute(connection, f"copy into {TABLE} from @%{TABLE} file_format = (type = json) purge = true")
        seconds = time.perf_counter() - began
        assert int(query(connection, f"select count(*) as n from {TABLE}")[0]["n"]) == len(rows)
    finally:
        execute(connection, f"drop table if exists {TABLE}")
        connection.close()
    return len(rows) / seconds


def insert_rate(settings: Settings, rows: Sequence[dict[str, object]]) -> float:
    """Rows per second by one INSERT for each, as a program does that writes events as they come.

    Raises:
        WarehouseError: The warehouse refused it.
    """
    connection = connect(settings)
    try:
        execute(connection, "use schema RAW")  # a table's own stage is named without one
        execute(connection, f"create or replace table {TABLE} (item variant)")
        began = time.perf_counter()
        for row in rows:
            execute(connection, f"insert into {TABLE} select parse_json(?)", (json.dumps(row),))
        seconds = time.perf_counter() - began
    finally:
        execute(connection, f"drop table if exists {TABLE}")
        connection.close()
    return len(rows) / seconds
