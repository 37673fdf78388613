"""Last week: the KPIs of the same window a week before, from the speed layer or from loaded history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rtlib.domains import ALL_SITES, Domain
from rtlib.pipeline.monitoring.kpi_board import BySite, together
from rtlib.pipeline.planning.demand import INTERVAL_MINUTES
from rtlib.records import Kpi
from rtlib.warehouse.reads import kpis_of
from rtlib.warehouse.rollups import history_counts

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def last_week(connection: SnowflakeConnection, domain: Domain, start: datetime, *, window_seconds: int) -> BySite:
    """The KPIs a week before a window, by site and KPI; what is not known is missing.

    The speed layer has all KPIs if the stack ran at that time. Loaded history has the counts of half-hours only, so a
    count is scaled to the length of a window, and other KPIs are missing.

    Args:
        connection: An open connection.
        domain: Its KPIs; by its clocks the weeks are compared.
        start: Begin of the window (UTC).
        window_seconds: The length of a window.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    at = week_before(start, domain.time_zone)
    rows = kpis_of(connection, domain.name, at)
    if rows:
        return measured(domain, rows)
    events = history_counts(connection, domain.name, at, interval_minutes=INTERVAL_MINUTES)
    return scaled(domain, events, share=window_seconds / (60 * INTERVAL_MINUTES))


def week_before(moment: datetime, zone: str) -> datetime:
    """The same time of day a week before, by the clocks of a time zone (IANA); in UTC."""
    local = moment.astimezone(ZoneInfo(zone))
    return (local - timedelta(days=7)).astimezone(UTC)


def measured(domain: Domain, rows: Sequence[Kpi]) -> dict[str, dict[str, float]]:
    """The KPIs of a window of the speed layer, by site and KPI."""
    groups = {ALL_SITES: list(rows), **{row.site: [row] for row in rows}}
    values = {site: {kpi.name: together(kpi, group) for kpi in domain.kpis} for site, group in groups.items()}
    return {site: {name: value for name, value in kpis.items() if value is not None} for site, kpis in values.items()}


def scaled(domain: Domain, events: Mapping[tuple[str, str], int], *, share: float) -> dict[str, dict[str, float]]:
    """The counts of an interval as those of a window, by site and KPI; empty without events.

    Args:
        domain: Its KPIs; those that are no counts are left out.
        events: The events of the interval, by site and kind.
        share: The length of a window as a share of the interval's.
    """
    counted = [kpi for kpi in domain.kpis if kpi.aggregate == "count"]
    totals: dict[str, Counter[str]] = {}
    for (site, kind), number in events.items():
        for kpi in counted:
            if not kpi.kinds or kind in kpi.kinds:
                for place in (site, ALL_SITES):
                    totals.setdefault(place, Counter())[kpi.name] += number
    return {site: {name: number * share for name, number in total.items()} for site, total in totals.items()}
