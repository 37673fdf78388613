"""Plan store: forecasts, backtests and staffing plans, written to the warehouse and read from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
    "needed": "number(10, 0)", "assumptions": "variant",
}  # fmt: skip
NEEDS = {**_KEY, "interval_start": "timestamp_ntz", "needed": "number(10, 0)"}


def write_forecasts(
    connection: SnowflakeConnection,
    domain: str,
    forecasts: Sequence[Row],
    backtests: Sequence[Row],
    needs: Sequence[Row] = (),
) -> None:
    """Write the forecasts and backtests of a domain, and what the plan needs by them, in one transaction.

    A site's earlier forecasts of intervals before its new ones are kept, to be compared with the actual load;
    later ones and all backtests are replaced. Writing the same rows again changes only ``made_at``.

    Args:
        connection: An open connection.
        domain: Name of the domain.
        forecasts: Rows with the columns ``FORECASTS`` without ``domain``; ``quantiles`` maps levels to counts or is
            None.
        backtests: Rows with the columns ``BACKTESTS`` without ``domain``; NaN is stored as NULL.
        needs: Rows with the columns ``NEEDS`` without ``domain``, for intervals that are planned.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing has changed.
    """
    forecast_rows, backtest_rows = _frame(domain, forecasts, FORECASTS), _frame(domain, backtests, BACKTESTS)
    need_rows = _frame(domain, needs, NEEDS)
    with (
        staged(connection, forecast_rows, FORECASTS, kind="forecasts") as forecasts_table,
        staged(connection, backtest_rows, BACKTESTS, kind="backtests") as backtests_table,
        staged(connection, need_rows, NEEDS, kind="needs") as needs_table,
        transaction(connection),
    ):
        _delete_from_first(connection, "ML.FORECASTS", forecasts_table, domain)
        execute(connection, "delete from ML.BACKTESTS where domain = ?", (domain,))
        _insert(connection, "ML.FORECASTS", FORECASTS, forecasts_table, forecast_rows)
        _insert(connection, "ML.BACKTESTS", BACKTESTS, backtests_table, backtest_rows)
        if needs:
            execute(connection, _RENEW.format(table=needs_table))


# Each site has its own first interval, because days begin at different moments in different time zones. A site without
# new rows is not forecast or planned any more.
_DELETE = """
delete from {target} t using (
    select n.site, min(n.interval_start::timestamp_ntz) as first_start from {table} n group by n.site
) s
where t.domain = ? and t.site = s.site and t.interval_start >= s.first_start
"""
_DELETE_OTHERS = """
delete from {target} t using (select min(n.interval_start::timestamp_ntz) as first_start from {table} n) s
where t.domain = ? and t.interval_start >= s.first_start and t.site not in (select n.site from {table} n)
"""
_RENEW = """
merge into OPS.STAFFING t using (
    select n.domain, n.site, n.interval_start::timestamp_ntz as interval_start, n.needed from {table} n
) s
on t.domain = s.domain and t.site = s.site and t.interval_start = s.interval_start
when matched then update set needed = s.needed
"""


def read_forecasts(
    connection: SnowflakeConnection, domain: str, *, site: str | None = None, since: datetime | None = None
) -> list[dict[str, Any]]:
    """The champions' newest forecasts of a domain by site and time, with ``quantiles`` as a mapping.

    Args:
        connection: An open connection.
        domain: The domain's name.
        site: Only the series of this site, or of all sites together; None reads every series.
        since: Only intervals that begin then or later.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    rows = query(
        connection,
        f"select {', '.join(FORECASTS)} from ML.FORECASTS where domain = ? and is_champion "
        "and made_at = (select max(made_at) from ML.FORECASTS where domain = ?) "
        "and site = coalesce(?, site) and interval_start >= cast(? as timestamp_ntz) order by site, interval_start",
        (domain, domain, site, moment_text(since or datetime(1, 1, 1, tzinfo=UTC))),
    )
    return [{**row, "quantiles": _levels(row["quantiles"])} for row in rows]


def read_backtests(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """The scores of each model on each site of a domain, the best first, with the reason for the champion.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    return query(
        connection,
        f"select {', '.join(BACKTESTS)} from ML.BACKTESTS where domain = ? order by site, mae, model",
        (domain,),
    )


def write_staffing(connection: SnowflakeConnection, domain: str, rows: Sequence[Row]) -> None:
    """Write the plan of a domain; the earlier plan of each site is replaced from the first new interval on.

    Args:
        connection: An open connection.
        domain: Name of the domain.
        rows: Rows with the columns ``STAFFING`` without ``domain``; ``assumptions`` maps fields of the role to the
            figures that replaced them, or is None.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing has changed.
    """
    plan = _frame(domain, rows, STAFFING)
    with staged(connection, plan, STAFFING, kind="staffing") as table, transaction(connection):
        _delete_from_first(connection, "OPS.STAFFING", table, domain)
        _insert(connection, "OPS.STAFFING", STAFFING, table, plan)


def read_staffing(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """The plan of a domain, by site and time.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    columns = ", ".join(STAFFING)
    return query(
        connection, f"select {columns} from OPS.STAFFING where domain = ? order by site, interval_start", (domain,)
    )


def _delete_from_first(connection: SnowflakeConnection, target: str, table: str, domain: str) -> None:
    """Delete the rows of a domain that the new rows in ``table`` replace."""
    for statement in (_DELETE, _DELETE_OTHERS):
        execute(connection, statement.format(target=target, table=table), (domain,))


def _frame(domain: str, rows: Sequence[Row], columns: Mapping[str, str]) -> pd.DataFrame:
    """Rows in the form for staging: objects as JSON text, and NULL for missing values and NaN."""
    import pandas as pd

    records = [{**{name: _plain(row.get(name)) for name in columns}, "domain": domain} for row in rows]
    return pd.DataFrame(records, columns=list(columns))


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
