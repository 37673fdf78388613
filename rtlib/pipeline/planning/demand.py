"""Demand: the load of a domain's sites by interval, from the dbt mart to the series that forecasts read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from itertools import compress
from typing import TYPE_CHECKING, Any

from rtlib.domains import ALL_SITES, Domain
from rtlib.errors import ConfigError
from rtlib.forecast import Grid, grids
from rtlib.warehouse.load_mart import interval_load, mart_coverage

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

INTERVAL_MINUTES = 30  # as the variable interval_minutes of the dbt project
INTERVAL = timedelta(minutes=INTERVAL_MINUTES)
HOLIDAYS_AHEAD = timedelta(days=60)  # holidays are listed this far beyond the last day of a series
FULL_DAY = 0.9  # share of its intervals that a day needs; below it the day is unfinished or was not measured


def measured_load(connection: SnowflakeConnection, domain: Domain) -> list[dict[str, Any]]:
    """The load that dbt counted, once the mart holds every finished day of RAW.

    A forecast from a mart that lags would start with days that are over already, so it is refused. dbt is not run from
    here: its tests decide first whether the mart may be used.

    Returns:
        Rows of ``site``, ``interval_start`` (UTC, without a time zone) and ``events``.

    Raises:
        ConfigError: The warehouse holds no events of the domain, or the mart lacks intervals of finished days.
        WarehouseError: The warehouse refused a query or did not answer.
    """
    coverage = mart_coverage(connection, domain.name, interval_minutes=INTERVAL_MINUTES)
    if not coverage.intervals:
        raise ConfigError(
            f"the warehouse holds no events of the domain {domain.name}", cure="rtlib backfill && rtlib dbt build"
        )
    if not coverage.is_built:
        raise ConfigError("the dbt mart interval_load, which forecasts read, is not built", cure="rtlib dbt build")
    if coverage.missing:
        raise ConfigError(
            f"the dbt mart interval_load is older than RAW: it lacks {coverage.missing:,} of the "
            f"{coverage.finished:,} half-hours of {domain.name} in finished days",
            cure="rtlib dbt build",
        )
    return interval_load(connection, domain.name)


def load_table(rows: Iterable[Mapping[str, Any]], domain: Domain) -> pd.DataFrame:
    """Turn counted intervals into series, one for each site and one for the domain, each in its own time zone.

    If any site has a row for an interval, a site without a row had no event in it. An interval without any row is
    missing. Days of the series with fewer than ``FULL_DAY`` of their intervals are left out.

    Args:
        rows: Rows with ``site``, ``interval_start`` (UTC, without a time zone) and ``events``.
        domain: The domain with these sites.

    Returns:
        Columns ``unique_id``, ``ds`` (with the time zone of the series) and ``y``.
    """
    import pandas as pd

    sites = [site.id for site in domain.sites]
    counts = pd.DataFrame(list(rows), columns=["site", "interval_start", "events"])
    counts = counts.assign(
        interval_start=pd.to_datetime(counts["interval_start"]), events=counts["events"].astype(float)
    )
    table = counts.pivot_table(index="interval_start", columns="site", values="events", aggfunc="sum", fill_value=0.0)
    table = table.reindex(columns=sites, fill_value=0.0)
    table[ALL_SITES] = table.sum(axis=1)
    names = (*sites, ALL_SITES)
    return pd.concat([_series(name, table[name], domain.time_zone_of(name)) for name in names], ignore_index=True)


def _series(name: str, counts: pd.Series[float], time_zone: str) -> pd.DataFrame:
    import pandas as pd

    local = pd.DatetimeIndex(counts.index).tz_localize("UTC").tz_convert(time_zone)
    days = pd.Series(local.date, index=counts.index)
    full = days.map(days.value_counts()).astype(float) >= FULL_DAY * 24 * 60 / INTERVAL_MINUTES
    return pd.DataFrame({"unique_id": name, "ds": local.astype(object), "y": counts.to_numpy()})[full.to_numpy()]


def series_of(rows: Iterable[Mapping[str, Any]], domain: Domain) -> tuple[Grid, ...]:
    """The series of ``load_table`` as grids, each with the holidays of its site, past and to come.

    Raises:
        ConfigError: There are no rows, or too few.
    """
    table = load_table(rows, domain)
    days = [moment.date() for moment in table["ds"]]
    holidays = {} if table.empty else holidays_of(domain, min(days), max(days) + HOLIDAYS_AHEAD)
    return grids(table, interval_minutes=INTERVAL_MINUTES, holidays=holidays)


def holidays_of(domain: Domain, first: date, last: date) -> dict[str, dict[date, float]]:
    """The holidays of each series of ``load_table`` from ``first`` to ``last``, with the share of the series they hold.

    A single site has a holiday or not (1.0); of the domain as a whole, only the sites of that country have it.
    """
    weights = [site.weight for site in domain.sites]
    holidays: dict[str, dict[date, float]] = {name: {} for name in (*(site.id for site in domain.sites), ALL_SITES)}
    for day in (first + timedelta(days=offset) for offset in range((last - first).days + 1)):
        on_holiday = domain.on_holiday(day)
        for site in compress(domain.sites, on_holiday):
            holidays[site.id][day] = 1.0
        if any(on_holiday):
            holidays[ALL_SITES][day] = sum(compress(weights, on_holiday)) / sum(weights)
    return holidays
