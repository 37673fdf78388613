"""History: weeks of clean events in one go, so that batch work has something to work on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import count
from math import pi, sin

import numpy as np

from rtlib.domains import Domain
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator.sampling import DAY, bodies, event_ids, event_of, generator, microseconds, moment_of, sample_events

TIDE = 0.15  # how far the year lifts and lowers demand: in winter four weeks bring some 7 % more
TURN, YEAR = date(2025, 12, 21).toordinal(), 365.2425  # a day on which demand is the year's mean and rises, and a year
DAY_NOISE = 0.05  # how far a day strays from the curve, as the sigma of a factor
SITE_NOISE = 0.08  # the same for one site's share of a day


def history(
    domain: Domain, *, seed: int, until: datetime, days: int = 28, per_day: int = 5000, run: str = "0"
) -> Iterator[Event]:
    """Clean events of the ``days`` before ``until``, in the order in which they happened.

    They follow the domain's hours, weekdays and holidays, rise and fall with the year, and no day or site is quite
    like another. Each day is drawn for itself and knows nothing of the others, so that a day has the same events
    whichever window it is asked for in. Its producers are called ``history-...``, so that nobody takes them for a live
    run's.

    Args:
        domain: What happens, where and how often.
        seed: Same seed and arguments, same events.
        until: The end (aware), itself excluded; each day begins at its time of day.
        days: How many days.
        per_day: Events a day, on average over a year.
        run: Sets one backfill's producers apart from another's.

    Raises:
        ConfigError: ``until`` has no time zone, or ``days`` or ``per_day`` is below 1.
    """
    if until.tzinfo is None:
        raise ConfigError(f"until is {until}, without a time zone", cure="give an aware moment, as in UTC")
    if days < 1 or per_day < 1:
        raise ConfigError(f"a history of {days} days with {per_day} events each", cure="give at least 1 of both")
    first = microseconds(until) - days * DAY
    starts = (first + place * DAY for place in range(days))
    return (event for start in starts for event in _day(domain, seed=seed, start=start, per_day=per_day, run=run))


def seasonality(day: date) -> float:
    """How busy that time of the year is; 1 on average over the year."""
    return 1 + TIDE * sin(2 * pi * (day.toordinal() - TURN) / YEAR)


def day_level(rng: np.random.Generator, day: date) -> float:
    """How busy a day is for its time of the year and by chance; weekdays and holidays come on top."""
    return seasonality(day) * float(rng.lognormal(0, DAY_NOISE))


def _day(domain: Domain, *, seed: int, start: int, per_day: int, run: str) -> Iterator[Event]:
    day = moment_of(start)
    rng = generator(seed, domain.name, "history", run, str(per_day), day.isoformat())
    level = per_day * day_level(rng, day.date()) / 86_400
    weights = rng.lognormal(0, SITE_NOISE, len(domain.sites)) * [one.weight for one in domain.sites]
    happened, sites = sample_events(rng, domain, start=start, length=DAY, rate=level, weights=weights)
    sequences = [count() for _ in domain.sites]
    columns = (happened.tolist(), sites.tolist(), event_ids(rng, happened), bodies(rng, domain, sites))
    for occurred, site, event_id, body in zip(*columns, strict=True):
        yield event_of(
            domain,
            domain.sites[site],
            body,
            event_id=event_id,
            occurred=occurred,
            producer_id=f"history-{run}-{day:%Y%m%d}-{site}",
            sequence=next(sequences[site]),
        )
