"""Load: counts of events by site and interval, as the forecasts read them; counted in the warehouse, or simulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from rtlib.domains import ALL_SITES, Domain
from rtlib.forecast import Grid, grids
from rtlib.simulator.history import SITE_NOISE, day_level

if TYPE_CHECKING:
    import pandas as pd

INTERVAL_MINUTES = 30
EVERYWHERE = ALL_SITES  # the series of a domain as a whole, for people who serve all of its sites
AHEAD = timedelta(days=60)  # further ahead nobody asks, closures included
FULL_DAY = 0.9  # a day with less than this share of its intervals is not over, or was not looked at


def load_table(rows: Iterable[Mapping[str, Any]], domain: Domain) -> pd.DataFrame:
    """Bring counted intervals into series, one for each site and one for the domain: ``unique_id, ds, y``.

    In an interval in which something happened anywhere, a site without a row had nothing; an interval in which
    nothing happened at all is missing. Days that are not full are left out.

    Args:
        rows: Rows with ``site``, ``interval_start`` (UTC) and ``events``.
        domain: Whose sites they are.
    """
    import pandas as pd

    names = [one.id for one in domain.sites]
    told = pd.DataFrame(list(rows), columns=["site", "interval_start", "events"])
    told = told.assign(interval_start=pd.to_datetime(told["interval_start"]), events=told["events"].astype(float))
    table = told.pivot_table(index="interval_start", columns="site", values="events", aggfunc="sum", fill_value=0.0)
    table = table.reindex(columns=names, fill_value=0.0)
    table = table[_in_full_days(table.index)]
    table[EVERYWHERE] = table.sum(axis=1)
    return table.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")


def series_of(rows: Iterable[Mapping[str, Any]], domain: Domain) -> tuple[Grid, ...]:
    """The same as grids, which know each site's holidays, past and to come; see ``load_table``.

    Raises:
        ConfigError: There are no rows, or too few.
    """
    table = load_table(rows, domain)
    days = table["ds"].dt.date
    known = {} if table.empty else holidays_of(domain, days.min(), days.max() + AHEAD)
    return grids(table, interval_minutes=INTERVAL_MINUTES, holidays=known)


def simulated_load(domain: Domain, *, seed: int, until: datetime, days: int, per_day: int) -> list[dict[str, Any]]:
    """Counts as ``rtlib.simulator.history`` would lead to, drawn without making the events.

    History's arrivals are a Poisson process, so the counts of intervals and kinds are independent Poisson numbers;
    the year, the holidays and the noise of days and sites are history's own, and here too each day is drawn for
    itself. That makes weeks of a busy domain a matter of milliseconds.

    Args:
        domain: What happens, where and how often.
        seed: Same seed and arguments, same counts.
        until: The end (aware), a midnight.
        days: How many days.
        per_day: Events of all kinds a day, on average over a year.
    """
    mornings = [until - timedelta(days=days - day) for day in range(days)]
    return [row for one in mornings for row in _simulated_day(domain, seed=seed, midnight=one, per_day=per_day)]


def holidays_of(domain: Domain, first: date, last: date) -> dict[str, dict[date, float]]:
    """For each series of ``load_table`` the holidays from ``first`` to ``last``, and which share of it has each.

    A site has a holiday or has none; of the domain as a whole only the sites of that country do.
    """
    weights = [one.weight for one in domain.sites]
    told: dict[str, dict[date, float]] = {name: {} for name in (*(one.id for one in domain.sites), EVERYWHERE)}
    for day in (first + timedelta(days=place) for place in range((last - first).days + 1)):
        free = domain.on_holiday(day)
        for site in compress(domain.sites, free):
            told[site.id][day] = 1.0
        if any(free):
            told[EVERYWHERE][day] = sum(compress(weights, free)) / sum(weights)
    return told


def _simulated_day(domain: Domain, *, seed: int, midnight: datetime, per_day: int) -> list[dict[str, Any]]:
    day = midnight.date()
    rng = np.random.default_rng([seed, day.toordinal(), *domain.name.encode()])
    share = sum(one.share for one in domain.kinds if one.name in domain.staffing.kinds)
    level = per_day * share * day_level(rng, day)
    weights = np.array([one.weight for one in domain.sites]) * rng.lognormal(0, SITE_NOISE, len(domain.sites))
    starts = [midnight + timedelta(minutes=place) for place in range(0, 24 * 60, INTERVAL_MINUTES)]
    middles = np.array([one.timestamp() + 30 * INTERVAL_MINUTES for one in starts])
    sites = weights / weights.sum() * domain.calendar(day)
    mean = level / len(starts) * domain.demand.factor(middles)[:, None] * sites
    return [
        {"site": site.id, "interval_start": start.replace(tzinfo=None), "events": int(number)}
        for start, counts in zip(starts, rng.poisson(mean), strict=True)
        for site, number in zip(domain.sites, counts, strict=True)
    ]


def _in_full_days(moments: pd.Index[Any]) -> list[bool]:
    import pandas as pd

    days = pd.Series(pd.DatetimeIndex(moments).date)
    seen = days.map(days.value_counts()).astype(float)
    return list(seen >= FULL_DAY * 24 * 60 / INTERVAL_MINUTES)
