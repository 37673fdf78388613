"""Plan store: forecasts, backtests and staffing plans, written to the warehouse and read from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rtlib.warehouse.connection import execute, query, transaction
from rtlib.warehouse.staging import moment_text, selected, sliced, staged

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

Row = Mapping[str, Any]
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
    made, tried = _frame(domain, forecasts, FORECASTS), _frame(domain, backtests, BACKTESTS)
    with (
        staged(connection, made, FORECASTS, kind="forecasts") as arrived,
        staged(connection, tried, BACKTESTS, kind="backtests") as scores,
        transaction(connection),
    ):
        execute(
            connection,
            "delete from ML.FORECASTS where domain = ? and interval_start >= cast(? as timestamp_ntz)",
            (domain, first),
        )
        execute(connection, "delete from ML.BACKTESTS where domain = ?", (domain,))
        _insert(connection, "ML.FORECASTS", FORECASTS, arrived, made)
        _insert(connection, "ML.BACKTESTS", BACKTESTS, scores, tried)


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
    plan = _frame(domain, rows, STAFFING)
    with staged(connection, plan, STAFFING, kind="staffing") as table, transaction(connection):
        execute(
            connection,
            "delete from OPS.STAFFING where domain = ? and interval_start >= cast(? as timestamp_ntz)",
            (domain, first),
        )
        _insert(connection, "OPS.STAFFING", STAFFING, table, plan)


def read_staffing(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """A domain's plan, in the order of site and time.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    columns = ", ".join(STAFFING)
    return query(
        connection, f"select {columns} from OPS.STAFFING where domain = ? order by site, interval_start", (domain,)
    )


def _frame(domain: str, rows: Sequence[Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """Rows as they are staged: objects as JSON text, and NULL for what is missing or is no number."""
    import pandas as pd

    told = [{**{name: _plain(row.get(name)) for name in columns}, "domain": domain} for row in rows]
    return pd.DataFrame(told, columns=list(columns))


def _insert(
    connection: SnowflakeConnection, into: str, columns: Mapping[str, str], table: str, rows: pd.DataFrame
) -> None:
    for _, number in sliced(rows):
        execute(
            connection,
            f"insert into {into} ({', '.join(columns)}) select {selected(columns, 's')} from {table} s "
            f"where s.slice = {number}",
        )


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return json.dumps(value) if isinstance(value, Mapping) else value


def _levels(value: str | None) -> dict[float, float]:
    return {float(level): float(number) for level, number in json.loads(value or "{}").items()}
