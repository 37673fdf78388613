"""Live: the endless stream of a run, in the order of sending; pure, so that the same seed gives the same bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from rtlib.domains import Domain
from rtlib.domains.law import DemandLaw, Law, SteadyLaw
from rtlib.domains.seeded import generator
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator.malformed import BREAKAGES, malformed_payload
from rtlib.simulator.records import Defect, SimulatedRecord, encode
from rtlib.simulator.sampling import (
    Body,
    Floats,
    Integers,
    bodies,
    event_ids,
    event_of,
    microseconds,
    moment_of,
    sample_events,
)

SECOND = 1_000_000  # in microseconds
ALL_BREAKAGES = tuple(BREAKAGES)
HOT_SHARE = 0.95


class Slot(NamedTuple):
    """An event to be sent, with times in microseconds.

    ``resend`` is the time of its duplicate, ``breakage`` the index of the malformed record after it; -1 for none.
    """

    sent: int
    occurred: int
    site: int
    event_id: str
    body: Body
    defect: Defect | None
    resend: int
    breakage: int


@dataclass(frozen=True)
class Simulator:
    """The outside world of a domain.

    Args:
        domain: The kinds of events, the sites and the demand.
        seed: The same seed and arguments give the same bytes.
        start: The begin of the stream (with a time zone). Another start changes all times and, in a shaped stream, the
            number of events at each time.
        rate: Distinct well-formed events per second, the mean over a year without holidays; duplicates and malformed
            records are additional.
        late_share: Share of events 5 s to 80 % of the watermark behind.
        too_late_share: Share of events two to four watermarks behind.
        out_of_order_share: Share of events 1 to 5 s behind.
        duplicate_share: Share of events sent again, up to 5 s later.
        malformed_share: Malformed records per event.
        watermark_seconds: The delay up to which an event still counts.
        producers: The number of producers; each serves the same sites throughout.
        run: Distinguishes the producers and identifiers of several runs; it changes nothing else.
        stream: The name of a stream of the seed: another name gives other events.
        shaped: Follow the domain's demand, in each site's local time; False for a constant rate.
        hot_site: The id of a site that receives 95 % of all events; None for the domain's own weights.
        level: A factor for every value, within its kind's bounds. With a hot site: only for values of that site.
        level_kinds: The kinds of events whose values are scaled; empty means all.
        breakages: The ways in which malformed records are broken, from ``BREAKAGES``.
        skew_seconds: How far the producers' clocks are ahead (or, below 0, behind): it shifts ``occurred_at``.
        future_seconds: Events further ahead than this will be rejected, so they count as malformed.

    Raises:
        ConfigError: An argument is invalid; the message names it.

    Example:
        >>> from datetime import UTC
        >>> from itertools import islice
        >>> from rtlib.domains import load_domain
        >>> world = Simulator(load_domain("iot"), seed=7, start=datetime(2026, 1, 5, tzinfo=UTC), rate=50)
        >>> events = [record.event for record in islice(world.records(), 100)]
        >>> [event.sequence for event in events if event.producer_id == "sim-0-0"][:3]
        [0, 1, 2]
    """

    domain: Domain
    _: KW_ONLY
    seed: int
    start: datetime
    rate: float
    late_share: float = 0.0
    too_late_share: float = 0.0
    out_of_order_share: float = 0.0
    duplicate_share: float = 0.0
    malformed_share: float = 0.0
    watermark_seconds: float = 60.0
    producers: int = 4
    run: str = "0"
    stream: str = "live"
    shaped: bool = True
    hot_site: str | None = None
    level: float = 1.0
    level_kinds: Sequence[str] = ()
    breakages: Sequence[str] = ALL_BREAKAGES
    skew_seconds: float = 0.0
    future_seconds: float = 60.0

    def __post_init__(self) -> None:
        shares = [name for name in self.__dataclass_fields__ if name.endswith("_share")]
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", cure="pass a share from 0 to 1")
        behind = self.late_share + self.too_late_share + self.out_of_order_share
        if behind > 1:
            raise ConfigError(
                f"late_share, too_late_share and out_of_order_share sum to {behind:g}",
                cure="pass shares that sum to at most 1",
            )
        for name in ("rate", "watermark_seconds", "producers"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", cure="pass a number above 0")
        if self.hot_site is not None and self.hot_site not in [site.id for site in self.domain.sites]:
            sites = ", ".join(site.id for site in self.domain.sites)
            raise ConfigError(f"hot_site is {self.hot_site!r}", cure=f"use one of: {sites}")
        if not self.breakages or not set(self.breakages) <= set(ALL_BREAKAGES):
            raise ConfigError(f"breakages are {list(self.breakages)}", cure=f"use some of: {', '.join(ALL_BREAKAGES)}")
        if self.start.tzinfo is None:
            raise ConfigError(
                f"start is {self.start}, without a time zone", cure="pass a moment with a time zone, for instance UTC"
            )

    def records(self) -> Iterator[SimulatedRecord]:
        """All records from ``start`` on, endless, in the order of ``send_at``; each call begins anew."""
        names = [f"sim-{self.run}-{number}" for number in range(self.producers)]
        sequences = [0] * self.producers
        duplicates: list[tuple[int, int, SimulatedRecord]] = []  # a heap by time; the number breaks ties
        malformed = 0
        for number, slot in enumerate(self._slots()):
            while duplicates and duplicates[0][0] <= slot.sent:
                yield heapq.heappop(duplicates)[2]
            producer = slot.site % self.producers
            event = self._event(slot, names[producer], sequences[producer])
            sequences[producer] += 1
            record = SimulatedRecord(moment_of(slot.sent), event.site, encode(event), event, slot.defect)
            if slot.occurred - slot.sent > self.future_seconds * SECOND:
                record = replace(record, event=None, defect=Defect.MALFORMED)
            yield record
            if slot.resend >= 0:
                defect = Defect.DUPLICATE if record.event else Defect.MALFORMED
                copy = replace(record, send_at=moment_of(slot.resend), defect=defect)
                heapq.heappush(duplicates, (slot.resend, number, copy))
            if slot.breakage >= 0:
                yield self._malformed(slot, malformed)
                malformed += 1

    def _event(self, slot: Slot, producer_id: str, sequence: int) -> Event:
        return event_of(
            self.domain,
            self.domain.sites[slot.site],
            slot.body,
            event_id=slot.event_id,
            occurred=slot.occurred,
            producer_id=producer_id,
            sequence=sequence,
        )

    def _malformed(self, slot: Slot, count: int) -> SimulatedRecord:
        """A malformed record from a producer of its own, so that the sequences of the others have no gap."""
        event = self._event(slot, f"sim-{self.run}-broken", count)
        payload = malformed_payload(self.breakages[slot.breakage], event.to_json())
        return SimulatedRecord(moment_of(slot.sent), event.site, payload, None, Defect.MALFORMED)

    def _slots(self) -> Iterator[Slot]:
        rng = generator(self.seed, self.domain.name, self.stream)
        # Two runs of a seed that start at the same moment differ only here: they must not share identifiers.
        ids = generator(self.seed, self.domain.name, self.stream, self.run)
        law = self._law()
        length = round(min(max(1000 / self.rate, 0.5), 3600) * SECOND)  # about a thousand events, drawn together
        start = microseconds(self.start)
        while True:
            sent, sites = sample_events(rng, law, start=start, length=length)
            defects, occurred = self._defects(rng, sent)
            resend = np.where(rng.random(len(sent)) < self.duplicate_share, sent + _between(rng, sent, 0, 5), -1)
            breakages = rng.integers(0, len(self.breakages), len(sent))
            breakages[rng.random(len(sent)) >= self.malformed_share] = -1
            yield from map(
                Slot,
                sent.tolist(),
                occurred.tolist(),
                sites.tolist(),
                event_ids(ids, occurred),
                bodies(rng, self.domain, sites, level=self._levels(sites), level_kinds=self.level_kinds),
                defects,
                resend.tolist(),
                breakages.tolist(),
            )
            start += length

    def _law(self) -> Law:
        """The expected events of each site at each time."""
        domain = self.domain
        if self.hot_site is not None:
            others = sum(site.weight for site in domain.sites if site.id != self.hot_site)
            hot = HOT_SHARE / (1 - HOT_SHARE) * others
            sites = [replace(site, weight=hot) if site.id == self.hot_site else site for site in domain.sites]
            domain = replace(domain, sites=tuple(sites))
        return DemandLaw(domain, self.rate, self.seed) if self.shaped else SteadyLaw(domain, self.rate)

    def _levels(self, sites: Integers) -> float | Floats:
        """The factor of the value for each entry of ``sites``."""
        if self.hot_site is None:
            return self.level
        hot = [site.id for site in self.domain.sites].index(self.hot_site)
        return np.where(sites == hot, self.level, 1.0)

    def _defects(self, rng: np.random.Generator, sent: Integers) -> tuple[list[Defect | None], Integers]:
        """The defect of each event by its delay, and the time at which it occurred."""
        latest = 0.8 * self.watermark_seconds
        delays: tuple[tuple[Defect | None, float, float, float], ...] = (
            (Defect.LATE, self.late_share, min(5.0, latest), latest),
            (Defect.TOO_LATE, self.too_late_share, 2.0 * self.watermark_seconds, 4.0 * self.watermark_seconds),
            (Defect.OUT_OF_ORDER, self.out_of_order_share, 1.0, 5.0),
            (None, 1.0, 0.001, 0.02),
        )
        bounds = np.cumsum([share for _, share, _, _ in delays[:-1]])
        chosen = np.searchsorted(bounds, rng.random(len(sent)), side="right")
        behind = np.choose(chosen, [_between(rng, sent, low, high) for _, _, low, high in delays])
        skew = round(self.skew_seconds * SECOND)
        return [delays[index][0] for index in chosen.tolist()], sent - behind + skew


def _between(rng: np.random.Generator, like: Integers, low: float, high: float) -> Integers:
    """A random number of microseconds for each entry of ``like``, between two numbers of seconds."""
    return (rng.uniform(low, high, len(like)) * SECOND).astype(np.int64)
