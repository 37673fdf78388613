"""Write rates: the same rows written by PUT and COPY INTO, and by an INSERT for each row; and the time of a MERGE."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import WarehouseError
from rtlib.records import Kpi
from rtlib.warehouse.connection import connect, execute, query
from rtlib.warehouse.kpi_merge import merge_kpis

TABLE = "BENCH_BULK"
UNUSED_DOMAIN = "bench"  # no query reads this domain
MERGES = 20


def copy_rate(settings: Settings, rows: Sequence[dict[str, object]]) -> float:
    """Rows per second by PUT and COPY INTO, the writing of the file included.

    Raises:
        WarehouseError: The warehouse refused a statement, or does not hold all rows afterwards.
    """
    connection = connect(settings)
    try:
        execute(connection, "use schema RAW")  # the stage of a table has no schema in its name
        execute(connection, f"create or replace table {TABLE} (item variant)")
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
            path = Path(folder) / "rows.json"
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="ascii")
            execute(connection, f"put 'file://{path.as_posix()}' @%{TABLE} auto_compress=false overwrite=true")
        execute(connection, f"copy into {TABLE} from @%{TABLE} file_format = (type = json) purge = true")
        seconds = time.perf_counter() - began
        held = int(query(connection, f"select count(*) as n from {TABLE}")[0]["n"])
        if held != len(rows):
            raise WarehouseError(
                f"{len(rows):,} rows were copied, and the table holds {held:,}", cure="rtlib logs warehouse"
            )
    finally:
        execute(connection, f"drop table if exists {TABLE}")
        connection.close()
    return len(rows) / seconds


def insert_rate(settings: Settings, rows: Sequence[dict[str, object]]) -> float:
    """Rows per second by an INSERT for each row, as in a program that writes each event on its own.

    Raises:
        WarehouseError: The warehouse refused a statement.
    """
    connection = connect(settings)
    try:
        execute(connection, "use schema RAW")  # the stage of a table has no schema in its name
        execute(connection, f"create or replace table {TABLE} (item variant)")
        began = time.perf_counter()
        for row in rows:
            execute(connection, f"insert into {TABLE} select parse_json(?)", (json.dumps(row),))
        seconds = time.perf_counter() - began
    finally:
        execute(connection, f"drop table if exists {TABLE}")
        connection.close()
    return len(rows) / seconds


def merge_ms(settings: Settings) -> float:
    """Median milliseconds of the loader's MERGE of a newer KPI for each site.

    Raises:
        WarehouseError: The warehouse refused it.
    """
    connection, durations = connect(settings), []
    try:
        for number in range(MERGES):
            rows = _kpis(settings, datetime.now(UTC) + timedelta(milliseconds=number))
            began = time.perf_counter()
            merge_kpis(connection, rows)
            durations.append((time.perf_counter() - began) * 1000)
    finally:
        execute(connection, "delete from SPEED.KPIS where domain = ?", (UNUSED_DOMAIN,))
        connection.close()
    return statistics.median(durations)


def _kpis(settings: Settings, now: datetime) -> list[Kpi]:
    begin = now.replace(second=0, microsecond=0)
    end, sites = begin + timedelta(minutes=1), load_domain(settings.domain).sites
    return [Kpi(UNUSED_DOMAIN, site.id, begin, end, {"measured": 1.0}, 1, 0, begin, begin, now) for site in sites]
