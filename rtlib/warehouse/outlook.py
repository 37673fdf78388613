"""Outlook: the load that forecasts are made from, and forecasts, backtests and plans, written and read."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib.errors import WarehouseError
from rtlib.warehouse.connection import execute, query, transaction
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Row = Mapping[str, Any]
SLICE_ROWS = 2_000  # how many rows one INSERT takes: a small warehouse has little memory for taking JSON apart
_KEY = {"domain": "varchar", "site": "varchar"}
FORECASTS = {
    **_KEY, "model": "varchar", "made_at": "timestamp_ntz", "interval_start": "timestamp_ntz",
    "interval_minutes": "number(10, 0)", "mean": "float", "lower_80": "float", "upper_80": "float",
    "quantiles": "variant", "is_champion": "boolean",
}  # fmt: skip
BACKTESTS = {
    **_KEY, "model": "varchar", "made_at": "timestamp_ntz", "origins": "number(10, 0)", "horizon_days": "number(10, 0)",
    "mae": "float", "wape": "float", "mase": "float", "bias": "float", "coverage_80": "float", "pinball": "float",
    "is_champion": "boolean", "why": "varchar",
}  # fmt: skip
STAFFING = {
    **_KEY, "interval_start": "timestamp_ntz", "interval_minutes": "number(10, 0)", "role": "varchar",
    "quantile": "float", "contacts": "float", "required": "number(10, 0)", "planned": "number(10, 0)",
    "service_level": "float", "cost": "float", "currency": "varchar", "made_at": "timestamp_ntz",
}  # fmt: skip


def interval_load(
    connection: SnowflakeConnection, domain: str, *, kinds: Sequence[str], interval_minutes: int
) -> list[dict[str, Any]]:
    """How many events of some kinds each site had in each interval: rows of ``site``, ``interval_start``, ``events``.

    Counted from RAW.EVENTS, so that no dbt run has to come before; MARTS.INTERVAL_LOAD says the same. An interval in
    which a site had events of other kinds only has a row with 0; the one that is not over yet is left out.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    marks = ", ".join("?" for _ in kinds)
    return query(
        connection,
        f"with newest as (select max(occurred_at) as at from RAW.EVENTS where domain = ?), "
        f"counted as (select site, time_slice(occurred_at, {int(interval_minutes)}, 'MINUTE') as interval_start, "
        f"count_if(kind in ({marks})) as events from RAW.EVENTS where domain = ? group by 1, 2) "
        f"select counted.* from counted cross join newest "
        f"where dateadd(minute, {int(interval_minutes)}, interval_start) <= newest.at order by interval_start, site",
        (domain, *kinds, domain),
    )


def write_forecasts(
    connection: SnowflakeConnection, domain: str, forecasts: Sequence[Row], backtests: Sequence[Row]
) -> None:
    """Write a domain's forecasts and backtests, in one transaction.

    Of earlier forecasts stays what lies before the new ones, so that it can be held against what happened; the rest
    is replaced, and so are all backtests. The same again changes nothing but ``made_at``.

    Args:
        connection: An open connection.
        domain: Whose.
        forecasts: Rows with the columns ``FORECASTS`` but ``domain``; ``quantiles`` maps levels to numbers, or is None.
        backtests: Rows with the columns ``BACKTESTS`` but ``domain``; a number may be NaN, which is stored as NULL.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; then nothing has changed.
    """
    first = moment_text(min(one["interval_start"] for one in forecasts))
    with _staged(connection, domain, {"f": forecasts, "b": backtests}) as table, transaction(connection):
        execute(
            connection,
            "delete from ML.FORECASTS where domain = ? and interval_start >= cast(? as timestamp_ntz)",
            (domain, first),
        )
        execute(connection, "delete from ML.BACKTESTS where domain = ?", (domain,))
        _insert(connection, "ML.FORECASTS", FORECASTS, table, "f", len(forecasts))
        _insert(connection, "ML.BACKTESTS", BACKTESTS, table, "b", len(backtests))


def read_forecasts(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """The champions' newest forecasts of a domain, ``quantiles`` as a mapping, in the order of site and time.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    rows = query(
        connection,
        f"select {', '.join(FORECASTS)} from ML.FORECASTS where domain = ? and is_champion "
        "and made_at = (select max(made_at) from ML.FORECASTS where domain = ?) order by site, interval_start",
        (domain, domain),
    )
    return [{**row, "quantiles": _levels(row["quantiles"])} for row in rows]


def read_backtests(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """How each model did on each site of a domain, the best first; the champion's row says why.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    return query(
        connection,
        f"select {', '.join(BACKTESTS)} from ML.BACKTESTS where domain = ? order by site, mae, model",
        (domain,),
    )


def write_staffing(connection: SnowflakeConnection, domain: str, rows: Sequence[Row]) -> None:
    """Write a domain's plan; what was planned for its intervals before, and for later ones, is replaced.

    Args:
        connection: An open connection.
        domain: Whose.
        rows: Rows with the columns ``STAFFING`` but ``domain``.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; then nothing has changed.
    """
    first = moment_text(min(one["interval_start"] for one in rows))
    with _staged(connection, domain, {"s": rows}) as table, transaction(connection):
        execute(
            connection,
            "delete from OPS.STAFFING where domain = ? and interval_start >= cast(? as timestamp_ntz)",
            (domain, first),
        )
        _insert(connection, "OPS.STAFFING", STAFFING, table, "s", len(rows))


def read_staffing(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """A domain's plan, in the order of site and time.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    columns = ", ".join(STAFFING)
    return query(
        connection, f"select {columns} from OPS.STAFFING where domain = ? order by site, interval_start", (domain,)
    )


@contextmanager
def _staged(connection: SnowflakeConnection, domain: str, parts: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Bring rows into a temporary table of one VARIANT a row (by a file, PUT and COPY INTO); it is gone afterwards."""
    table = f"OUTLOOK_{os.getpid()}_{id(connection):x}"
    lines = [
        json.dumps({**_plain(row), "domain": domain, "is": mark, "slice": place // SLICE_ROWS})
        for mark, rows in parts.items()
        for place, row in enumerate(rows)
    ]
    execute(connection, "use schema RAW")  # a temporary table is named without one
    execute(connection, f"create or replace temporary table {table} (item variant)")
    try:
        with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
            path = Path(folder) / f"{table}.json"
            path.write_text("\n".join(lines) + "\n", encoding="ascii")
            execute(connection, f"put 'file://{path.as_posix()}' @%{table} auto_compress=false overwrite=true")
        execute(connection, f"copy into {table} from @%{table} file_format = (type = json) purge = true force = true")
        arrived = int(query(connection, f"select count(*) as n from {table}")[0]["n"])
        if arrived != len(lines):
            raise WarehouseError(
                f"{len(lines):,} rows were sent to the warehouse and {arrived:,} arrived", cure="try again"
            )
        yield table
    finally:
        with suppress(WarehouseError):  # when the session is gone, so is its table
            execute(connection, f"drop table if exists {table}")


def _insert(
    connection: SnowflakeConnection, into: str, columns: Mapping[str, str], table: str, mark: str, count: int
) -> None:
    # Numbers come as text, which is exact; a VARIANT's own null would become the text "null".
    taken = ", ".join(
        f"parse_json(item:{name}::varchar)" if kind == "variant" else f"item:{name}::varchar::{kind}"
        for name, kind in columns.items()
    )
    for number in range(math.ceil(count / SLICE_ROWS)):
        execute(
            connection,
            f"insert into {into} ({', '.join(columns)}) select {taken} from {table} "
            f"where item:is::varchar = '{mark}' and item:slice::varchar = '{number}'",
        )


def _plain(row: Row) -> dict[str, object]:
    return {name: _text(value) for name, value in row.items() if not _nothing(value)}


def _nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, Mapping):
        return json.dumps(value)
    return repr(value) if isinstance(value, float) else str(value)


def _levels(value: str | None) -> dict[float, float]:
    return {float(level): float(number) for level, number in json.loads(value or "{}").items()}
