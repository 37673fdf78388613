"""History: weeks of clean events in one go, so that batch work has something to work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import count

from rtlib.domains import Domain
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator.draw import Floats, arrivals, bodies, event_ids, event_of, generator, microseconds, pick

DAY = 86_400_000_000  # in microseconds
GROWTH = 0.003  # a day: demand at the end of four weeks is some 8 % above that at their beginning
DAY_NOISE = 0.05  # how far a day strays from the curve, as the sigma of a factor
SITE_NOISE = 0.08  # the same for one site's share of a day


def history(
    domain: Domain, *, seed: int, until: datetime, days: int = 28, per_day: int = 5000, run: str = "0"
) -> Iterator[Event]:
    """Clean events of the ``days`` before ``until``, in the order in which they happened.

    They follow the domain's hours and weekdays, grow a little, and no day or site is quite like another. Their
    producers are called ``history-...``, so that nobody takes them for a live run's.

    Args:
        domain: What happens, where and how often.
        seed: Same seed and arguments, same events.
        until: The end (aware), itself excluded.
        days: How many days.
        per_day: Events a day, on average.
        run: Sets one backfill's producers apart from another's.

    Raises:
        ConfigError: ``until`` has no time zone, or ``days`` or ``per_day`` is below 1.
    """
    if until.tzinfo is None:
        raise ConfigError(f"until is {until}, without a time zone", cure="give an aware moment, as in UTC")
    if days < 1 or per_day < 1:
        raise ConfigError(f"a history of {days} days with {per_day} events each", cure="give at least 1 of both")
    return _events(domain, seed=seed, end=microseconds(until), days=days, per_day=per_day, run=run)


def _events(domain: Domain, *, seed: int, end: int, days: int, per_day: int, run: str) -> Iterator[Event]:
    rng = generator(seed, domain.name, "history", run)
    sequences = [count() for _ in domain.sites]
    for day in range(days):
        growth = 1 + GROWTH * (day - (days - 1) / 2)
        level = per_day / 86_400 * growth * rng.lognormal(0, DAY_NOISE)
        start = end - (days - day) * DAY
        happened = arrivals(
            rng, start=start, length=DAY, rate=_intensity(domain, level), peak=level * domain.demand.peak
        )
        noise = rng.lognormal(0, SITE_NOISE, len(domain.sites))
        sites = pick(rng, noise * [one.weight for one in domain.sites], len(happened))
        columns = (happened.tolist(), sites.tolist(), event_ids(rng, happened), bodies(rng, domain, sites))
        for occurred, site, event_id, body in zip(*columns, strict=True):
            yield event_of(
                domain,
                domain.sites[site],
                body,
                event_id=event_id,
                occurred=occurred,
                producer_id=f"history-{run}-{site}",
                sequence=next(sequences[site]),
            )


def _intensity(domain: Domain, level: float) -> Callable[[Floats], Floats]:
    return lambda epoch_seconds: level * domain.demand.factor(epoch_seconds)
