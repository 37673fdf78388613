"""Interval counts: how many staffed events each site has in each interval, drawn without making the events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from rtlib.domains import Domain
from rtlib.simulator.history import SITE_NOISE, day_level

INTERVAL_MINUTES = 30


def simulated_load(domain: Domain, *, seed: int, until: datetime, days: int, per_day: int) -> list[dict[str, Any]]:
    """Counts that follow the same distribution as those of ``rtlib.simulator.history``, drawn in milliseconds.

    The arrivals of ``history`` are a Poisson process, so the counts of its intervals and kinds are independent Poisson
    numbers. The season, the holidays and the noise of days and sites are those of ``history``. Each day has a random
    generator of its own.

    Args:
        domain: Its sites, kinds of event, hours and staffing.
        seed: The same seed and arguments give the same counts.
        until: End of the last day (aware), a midnight.
        days: Number of days.
        per_day: Events of all kinds a day, on average over a year.

    Returns:
        Rows of ``site``, ``interval_start`` (UTC, without a time zone) and ``events``, for every site and half-hour.
    """
    midnights = [until - timedelta(days=days - day) for day in range(days)]
    return [row for midnight in midnights for row in _day(domain, seed=seed, midnight=midnight, per_day=per_day)]


def _day(domain: Domain, *, seed: int, midnight: datetime, per_day: int) -> list[dict[str, Any]]:
    day = midnight.date()
    rng = np.random.default_rng([seed, day.toordinal(), *domain.name.encode()])
    staffed_share = sum(kind.share for kind in domain.kinds if kind.name in domain.staffing.kinds)
    level = per_day * staffed_share * day_level(rng, day)
    weights = np.array([site.weight for site in domain.sites]) * rng.lognormal(0, SITE_NOISE, len(domain.sites))
    starts = [midnight + timedelta(minutes=minute) for minute in range(0, 24 * 60, INTERVAL_MINUTES)]
    middles = np.array([start.timestamp() + 30 * INTERVAL_MINUTES for start in starts])
    site_shares = weights / weights.sum() * domain.calendar(day)
    mean = level / len(starts) * domain.demand.factor(middles)[:, None] * site_shares
    return [
        {"site": site.id, "interval_start": start.replace(tzinfo=None), "events": int(count)}
        for start, counts in zip(starts, rng.poisson(mean), strict=True)
        for site, count in zip(domain.sites, counts, strict=True)
    ]
