"""History: weeks of events without defects, as input for the batch layer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count

from rtlib.domains import Domain
from rtlib.domains.law import DemandLaw
from rtlib.domains.seeded import generator
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator.sampling import DAY, bodies, event_ids, event_of, microseconds, moment_of, sample_events

HOUR = DAY // 24
BLOCK = 1000  # events drawn together, about


def history(
    domain: Domain, *, seed: int, until: datetime, days: int = 28, per_day: int = 5000, run: str = "0"
) -> Iterator[Event]:
    """Events without defects of the ``days`` before ``until``, in the order of ``occurred_at``.

    They follow the law of the domain (``rtlib.domains.law``), as a live stream of the same seed and rate does. Each day
    is drawn independently, so it has the same events in every window. The producers are named ``history-...``, to
    distinguish them from those of a live run.

    Args:
        domain: The kinds of events, the sites and the demand.
        seed: The same seed and arguments give the same events.
        until: The end (with a time zone), exclusive; each day begins at this time of day.
        days: The number of days.
        per_day: Events per day, on average over a year without holidays: 86,400 times the rate of the law.
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
    law = DemandLaw(domain, per_day / 86_400, seed)
    first = microseconds(until) - days * DAY
    starts = (first + index * DAY for index in range(days))
    return (
        event
        for start in starts
        for event in _events(law, start, start + DAY, key=(run, str(per_day)), name=f"{run}-{moment_of(start):%Y%m%d}")
    )


def history_between(domain: Domain, *, seed: int, rate: float, start: datetime, end: datetime) -> Iterator[Event]:
    """Events without defects in [start, end), such as the part of an interval before the live stream begins.

    Args:
        domain: The kinds of events, the sites and the demand.
        seed: The same seed, rate and times give the same events.
        rate: Events per second, on average over a year without holidays.
        start, end: With a time zone.
    """
    law, bounds = DemandLaw(domain, rate, seed), (microseconds(start), microseconds(end))
    return _events(law, *bounds, key=("between", str(rate)), name=f"{moment_of(bounds[0]):%Y%m%dT%H%M}")


def _events(law: DemandLaw, start: int, end: int, *, key: tuple[str, str], name: str) -> Iterator[Event]:
    """Events in [start, end), both in microseconds; the generator depends on ``key`` and ``start``."""
    domain = law.domain
    rng = generator(law.seed, domain.name, "history", *key, moment_of(start).isoformat())
    sequences = [count() for _ in domain.sites]
    # A whole number of hours, or the part of an hour that has ``BLOCK`` events.
    hours = BLOCK / (law.rate * 3600)
    length = HOUR * min(int(hours), 24) if hours >= 1 else max(int(HOUR * hours), 1)
    for begin in range(start, end, length):
        moments, sites = sample_events(rng, law, start=begin, length=min(length, end - begin))
        columns = (moments.tolist(), sites.tolist(), event_ids(rng, moments), bodies(rng, domain, sites))
        for occurred, site, event_id, body in zip(*columns, strict=True):
            yield event_of(
                domain,
                domain.sites[site],
                body,
                event_id=event_id,
                occurred=occurred,
                producer_id=f"history-{name}-{site}",
                sequence=next(sequences[site]),
            )
