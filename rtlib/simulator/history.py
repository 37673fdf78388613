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
    return (event for start in starts for event in _day(law, start=start, per_day=per_day, run=run))


def _day(law: DemandLaw, *, start: int, per_day: int, run: str) -> Iterator[Event]:
    domain, day = law.domain, moment_of(start)
    rng = generator(law.seed, domain.name, "history", run, str(per_day), day.isoformat())
    sequences = [count() for _ in domain.sites]
    length = HOUR * min(max(24_000 // per_day, 1), 24)  # about a thousand events, drawn together
    for begin in range(start, start + DAY, length):
        moments, sites = sample_events(rng, law, start=begin, length=min(length, start + DAY - begin))
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
