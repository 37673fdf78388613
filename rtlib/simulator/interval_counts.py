"""Interval counts: how many staffed events each site has in each interval, drawn without making the events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from rtlib.domains import Domain
from rtlib.domains.law import DemandLaw

INTERVAL_MINUTES = 30


def simulated_load(domain: Domain, *, seed: int, until: datetime, days: int, per_day: int) -> list[dict[str, Any]]:
    """Counts that follow the same distribution as those of ``rtlib.simulator.history``, drawn in milliseconds.

    The arrivals of ``history`` are a Poisson process, so the counts of its intervals and kinds are independent Poisson
    numbers, with the same law as mean. Each day has a random generator of its own.

    Args:
        domain: Its sites, kinds of event, demand and staffing.
        seed: The same seed and arguments give the same counts.
        until: End of the last day (aware), a midnight in its time zone.
        days: Number of days.
        per_day: Events of all kinds a day, on average over a year without holidays: 86,400 times the rate of the law.

    Returns:
        Rows of ``site``, ``interval_start`` (UTC, without a time zone) and ``events``, for every site and half-hour.
    """
    staffed_share = sum(kind.share for kind in domain.kinds if kind.name in domain.staffing.kinds)
    law = DemandLaw(domain, per_day * staffed_share / 86_400, seed)
    midnights = [until - timedelta(days=days - day) for day in range(days)]
    return [row for midnight in midnights for row in _day(law, midnight)]


def _day(law: DemandLaw, midnight: datetime) -> list[dict[str, Any]]:
    rng = np.random.default_rng([law.seed, midnight.toordinal(), *law.domain.name.encode()])
    edges = midnight.timestamp() + 60 * np.arange(0, 24 * 60 + 1, INTERVAL_MINUTES, dtype=float)
    starts = [datetime.fromtimestamp(edge, UTC).replace(tzinfo=None) for edge in edges[:-1].tolist()]
    return [
        {"site": site.id, "interval_start": start, "events": int(count)}
        for start, counts in zip(starts, rng.poisson(law.between(edges)), strict=True)
        for site, count in zip(law.domain.sites, counts, strict=True)
    ]
