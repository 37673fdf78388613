"""History: weeks of events without defects, as input for the batch layer."""

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

AMPLITUDE = 0.15  # of demand over the year: in winter it grows by some 7 % within four weeks
RISING_MEAN, YEAR = date(2025, 12, 21).toordinal(), 365.2425  # a day at the year's mean while demand rises; in days
DAY_NOISE = 0.05  # deviation of a day from the curve: sigma of a lognormal factor
SITE_NOISE = 0.08  # the same for a site's share of a day


def history(
    domain: Domain, *, seed: int, until: datetime, days: int = 28, per_day: int = 5000, run: str = "0"
) -> Iterator[Event]:
    """Events without defects of the ``days`` before ``until``, in the order of ``occurred_at``.

    They follow the domain's hours, weekdays and holidays and the season, with noise for each day and site. Each day is
    drawn independently, so it has the same events in every window. The producers are named ``history-...``, to
    distinguish them from those of a live run.

    Args:
        domain: The kinds of events, the sites and the demand.
        seed: The same seed and arguments give the same events.
        until: The end (with a time zone), exclusive; each day begins at this time of day.
        days: The number of days.
        per_day: Events per day, on average over a year.
        run: Distinguishes the producers of several backfills.

    Raises:
        ConfigError: ``until`` has no time zone, or ``days`` or ``per_day`` is below 1.
    """
    if until.tzinfo is None:
        raise ConfigError(
            f"until is {until}, without a time zone", cure="pass a moment with a time zone, for instance UTC"
        )
    if days < 1 or per_day < 1:
        raise ConfigError(f"a history of {days} days with {per_day} events per day", cure="pass at least 1 for both")
    first = microseconds(until) - days * DAY
    starts = (first + index * DAY for index in range(days))
    return (event for start in starts for event in _day(domain, seed=seed, start=start, per_day=per_day, run=run))


def seasonality(day: date) -> float:
    """The demand at that time of the year, as a multiple of the year's mean."""
    return 1 + AMPLITUDE * sin(2 * pi * (day.toordinal() - RISING_MEAN) / YEAR)


def day_level(rng: np.random.Generator, day: date) -> float:
    """The demand of a day by season and noise, as a multiple of the year's mean; without weekdays and holidays."""
    return seasonality(day) * float(rng.lognormal(0, DAY_NOISE))


def _day(domain: Domain, *, seed: int, start: int, per_day: int, run: str) -> Iterator[Event]:
    day = moment_of(start)
    rng = generator(seed, domain.name, "history", run, str(per_day), day.isoformat())
    level = per_day * day_level(rng, day.date()) / 86_400
    weights = rng.lognormal(0, SITE_NOISE, len(domain.sites)) * [site.weight for site in domain.sites]
    moments, sites = sample_events(rng, domain, start=start, length=DAY, rate=level, weights=weights)
    sequences = [count() for _ in domain.sites]
    columns = (moments.tolist(), sites.tolist(), event_ids(rng, moments), bodies(rng, domain, sites))
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
