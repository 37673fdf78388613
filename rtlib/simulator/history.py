"""History: weeks of events without defects, as input for the batch layer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rtlib.domains import Domain
from rtlib.domains.law import DemandLaw
from rtlib.domains.seeded import generator
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator.sampling import (
    DAY,
    Integers,
    bodies,
    draw_kinds,
    event_ids,
    event_of,
    microseconds,
    moment_of,
    sample_events,
)

if TYPE_CHECKING:
    import pandas as pd

Block: TypeAlias = tuple[np.random.Generator, Integers, Integers]

HOUR = DAY // 24
BLOCK = 1000  # events drawn together, about
EVENT_FIELDS = [field.name for field in fields(Event)]


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


def history_between(domain: Domain, *, seed: int, rate: float, start: datetime, end: datetime) -> pd.DataFrame:
    """Events without defects in [start, end), such as the part of an interval before the live stream begins.

    They are drawn as columns, because objects for tens of thousands of events take seconds.

    Args:
        domain: The kinds of events, the sites and the demand.
        seed: The same seed, rate and times give the same events.
        rate: Events per second, on average over a year without holidays.
        start, end: With a time zone.

    Returns:
        The fields of ``rtlib.records.Event`` in the order of ``occurred_at``, which is in UTC and has no time zone;
        ``value`` is in the kind's unit, NaN for kinds without a value, and ``attributes`` is JSON text.
    """
    import pandas as pd

    law, bounds = DemandLaw(domain, rate, seed), (microseconds(start), microseconds(end))
    name = f"{moment_of(bounds[0]):%Y%m%dT%H%M}"
    blocks = [_columns(domain, *block) for block in _blocks(law, *bounds, key=("between", str(rate)))]
    if not blocks:
        return pd.DataFrame(columns=EVENT_FIELDS)
    drawn = {field: np.concatenate([block[field] for block in blocks]) for field in blocks[0]}
    sites = drawn.pop("site")
    named = {
        "domain": domain.name,
        "site": np.array([site.id for site in domain.sites], dtype=object)[sites],
        "producer_id": np.array([f"history-{name}-{site}" for site in range(len(domain.sites))], dtype=object)[sites],
        "sequence": pd.Series(sites).groupby(sites).cumcount(),
    }
    return pd.DataFrame({**drawn, **named})[EVENT_FIELDS]


def _events(law: DemandLaw, start: int, end: int, *, key: tuple[str, str], name: str) -> Iterator[Event]:
    """Events in [start, end), both in microseconds; the generator depends on ``key`` and ``start``."""
    domain = law.domain
    sequences = [count() for _ in domain.sites]
    for rng, moments, sites in _blocks(law, start, end, key=key):
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


def _blocks(law: DemandLaw, start: int, end: int, *, key: tuple[str, str]) -> Iterator[Block]:
    """Moments (microseconds) and sites (indices) in [start, end), and the generator for the other fields of a block."""
    rng = generator(law.seed, law.domain.name, "history", *key, moment_of(start).isoformat())
    # A whole number of hours, or the part of an hour that has ``BLOCK`` events.
    hours = BLOCK / (law.rate * 3600)
    length = HOUR * min(int(hours), 24) if hours >= 1 else max(int(HOUR * hours), 1)
    for begin in range(start, end, length):
        yield rng, *sample_events(rng, law, start=begin, length=min(length, end - begin))


def _columns(domain: Domain, rng: np.random.Generator, moments: Integers, sites: Integers) -> dict[str, NDArray[Any]]:
    """The fields of a block of events that are not counted; ``site`` is an index."""
    identifiers = np.array(event_ids(rng, moments), dtype=object)
    kinds, units, attributes = (np.empty(len(sites), dtype=object) for _ in range(3))
    values = np.full(len(sites), np.nan)
    for draw in draw_kinds(rng, domain, sites):
        places = draw.places
        kinds[places], units[places] = draw.kind.name, draw.kind.unit
        if draw.values is not None:
            values[places] = draw.values
        entries = [_entries(name, column) for name, column in draw.attributes.items()]
        attributes[places] = [f"{{{', '.join(row)}}}" for row in zip(*entries, strict=True)]
    return {
        "event_id": identifiers,
        "site": sites,
        "kind": kinds,
        "occurred_at": moments.astype("datetime64[us]"),
        "value": values,
        "unit": units,
        "attributes": attributes,
    }


def _entries(name: str, column: Sequence[Any]) -> list[str]:
    """An entry of a JSON object for each value; each distinct value is encoded once."""
    texts = {value: f"{json.dumps(name)}: {json.dumps(value)}" for value in set(column)}
    return [texts[value] for value in column]
