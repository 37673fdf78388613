"""Load mart: the dbt mart that forecasts are made from, and how much of RAW it covers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtlib.warehouse.connection import query

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass(frozen=True, slots=True)
class MartCoverage:
    """How much of a domain's finished days ``MARTS.INTERVAL_LOAD`` holds.

    A day is finished when RAW holds an event of a later day. Only finished days are compared, because the interval of
    this moment is always newer than dbt's last run, and a forecast uses whole days.

    Attributes:
        is_built: False until dbt has built the mart.
        intervals: Intervals in RAW in which the domain had any event, those of the unfinished day included.
        finished: Those of them that lie in finished days.
        missing: Those of the finished ones that the mart does not hold.
    """

    is_built: bool
    intervals: int
    finished: int
    missing: int


def interval_load(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """The load of each site and interval, as dbt counted it in ``MARTS.INTERVAL_LOAD``.

    A site without events in an interval has a row with 0 if another site of the domain had one. An interval in which
    the whole domain was silent has no rows: nothing was measured. The unfinished interval has none either.

    Returns:
        Rows of ``site``, ``interval_start`` (UTC, without a time zone) and ``events``, in the order of time and site;
        none before dbt has built the mart.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    if not _is_built(connection):
        return []
    sql = "select site, interval_start, events from MARTS.INTERVAL_LOAD where domain = ? order by interval_start, site"
    return query(connection, sql, (domain,))


def mart_coverage(connection: SnowflakeConnection, domain: str, *, interval_minutes: int) -> MartCoverage:
    """Compare the intervals of ``MARTS.INTERVAL_LOAD`` with those of ``RAW.EVENTS`` and ``RAW.ROLLUPS``.

    Args:
        connection: An open connection.
        domain: Name of the domain.
        interval_minutes: Length of the mart's intervals.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    is_built = _is_built(connection)
    held = "select distinct interval_start from MARTS.INTERVAL_LOAD where domain = ?" if is_built else _NOTHING
    sql = _COVERAGE.format(minutes=int(interval_minutes), held=held)
    row = query(connection, sql, (domain,) * (3 if is_built else 2))[0]
    return MartCoverage(is_built, int(row["intervals"]), int(row["finished"]), int(row["missing"]))


def _is_built(connection: SnowflakeConnection) -> bool:
    sql = (
        "select 1 as found from information_schema.tables "
        "where upper(table_schema) = 'MARTS' and upper(table_name) = 'INTERVAL_LOAD'"
    )
    return bool(query(connection, sql))


_NOTHING = "select cast(null as timestamp_ntz) as interval_start where 1 = 0"
_COVERAGE = """
with raw_intervals as (
    select time_slice(occurred_at, {minutes}, 'MINUTE') as interval_start
    from RAW.EVENTS
    where domain = ?
    group by 1
    union
    select interval_start
    from RAW.ROLLUPS
    where domain = ?
),
newest as (
    select date_trunc('day', max(interval_start)) as unfinished_day from raw_intervals
),
held as (
    {held}
)
select
    count(*) as intervals,
    coalesce(count_if(raw_intervals.interval_start < newest.unfinished_day), 0) as finished,
    coalesce(
        count_if(raw_intervals.interval_start < newest.unfinished_day and held.interval_start is null), 0
    ) as missing
from raw_intervals
cross join newest
left join held on raw_intervals.interval_start = held.interval_start
"""
