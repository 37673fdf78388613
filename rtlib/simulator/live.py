"""Live: the endless stream of one run, ordered by sending time; pure, so that the same seed makes the same bytes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from rtlib.domains import Domain
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator.malformed import BREAKAGES, broken
from rtlib.simulator.records import Defect, SimulatedRecord, encode
from rtlib.simulator.sampling import (
    Body,
    Floats,
    Integers,
    bodies,
    event_ids,
    event_of,
    generator,
    microseconds,
    moment_of,
    sample_events,
)

SECOND = 1_000_000  # in microseconds
MENU = tuple(BREAKAGES)
HOT_SHARE = 0.95


class Slot(NamedTuple):
    """One event about to be sent; times in microseconds, ``again`` and ``breakage`` are -1 for most."""

    sent: int
    occurred: int
    site: int
    event_id: str
    body: Body
    flaw: Defect | None
    again: int
    breakage: int


@dataclass(frozen=True)
class Simulator:
    """The outside world of one domain.

    Args:
        domain: What happens, where and how often.
        seed: Same seed and arguments, same bytes.
        start: When the stream begins (aware). With another start all times are others, and with them, where the
            stream is shaped, how many events there are at a time.
        rate: Distinct well-formed events per second, the mean over a week without holidays; duplicates and malformed
            come on top.
        late_share: Share of events 5 s to 80 % of the watermark behind.
        too_late_share: Share of events two to four watermarks behind.
        out_of_order_share: Share of events 1 to 5 s behind.
        duplicate_share: Share of events sent again, up to 5 s later.
        malformed_share: Malformed records for each event.
        watermark_seconds: How far behind an event may be and still count.
        producers: How many producers there are; each speaks for the same sites throughout.
        run: Sets one run's producers and identifiers apart from another's, and changes nothing else.
        stream: Which of the streams of a seed it is: another name, other events.
        shaped: Follow the hours (UTC), weekdays and holidays; False for the same intensity at all times.
        hot_site: The id of a site that gets 95 % of all events; None for the domain's own weights.
        level: Every value is so many times what it would be, within its kind's bounds. With a hot site: only there.
        level_kinds: The kinds of events whose values that is true of; none means all.
        breakages: The ways in which malformed records are broken, of ``BREAKAGES``.
        skew_seconds: How far the producers' clocks are ahead (or, below 0, behind): it moves ``occurred_at``.
        future_seconds: Events further ahead than this will be rejected, so they count as malformed.

    Raises:
        ConfigError: An argument cannot work; the message names it.

    Example:
        >>> from datetime import UTC
        >>> from itertools import islice
        >>> from rtlib.domains import load_domain
        >>> world = Simulator(load_domain("iot"), seed=7, start=datetime(2026, 1, 5, tzinfo=UTC), rate=50)
        >>> [sent.event.sequence for sent in islice(world.records(), 100) if sent.event.producer_id == "sim-0-0"][:3]
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
    breakages: Sequence[str] = MENU
    skew_seconds: float = 0.0
    future_seconds: float = 60.0

    def __post_init__(self) -> None:
        shares = [name for name in self.__dataclass_fields__ if name.endswith("_share")]
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", cure="give a share from 0 to 1")
        behind = self.late_share + self.too_late_share + self.out_of_order_share
        if behind > 1:
            raise ConfigError(f"late, too late and out of order make {behind:g} of the events", cure="at most 1 in all")
        for name in ("rate", "watermark_seconds", "producers"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", cure="give a number above 0")
        if self.hot_site is not None and self.hot_site not in [one.id for one in self.domain.sites]:
            raise ConfigError(
                f"hot_site is {self.hot_site!r}", cure=f"one of: {', '.join(one.id for one in self.domain.sites)}"
            )
        if not self.breakages or not set(self.breakages) <= set(MENU):
            raise ConfigError(f"breakages are {list(self.breakages)}", cure=f"some of: {', '.join(MENU)}")
        if self.start.tzinfo is None:
            raise ConfigError(f"start is {self.start}, without a time zone", cure="give an aware moment, as in UTC")

    def records(self) -> Iterator[SimulatedRecord]:
        """All records from ``start`` on, without end, ordered by ``send_at``; each call begins anew."""
        names = [f"sim-{self.run}-{number}" for number in range(self.producers)]
        sequences = [0] * self.producers
        waiting: list[tuple[int, int, SimulatedRecord]] = []  # duplicates to come; the number in the middle breaks ties
        broken_so_far = 0
        for number, slot in enumerate(self._slots()):
            while waiting and waiting[0][0] <= slot.sent:
                yield heapq.heappop(waiting)[2]
            producer = slot.site % self.producers
            event = self._event(slot, names[producer], sequences[producer])
            sequences[producer] += 1
            sent = SimulatedRecord(moment_of(slot.sent), event.site, encode(event), event, slot.flaw)
            if slot.occurred - slot.sent > self.future_seconds * SECOND:
                sent = replace(sent, event=None, flaw=Defect.MALFORMED)
            yield sent
            if slot.again >= 0:
                flaw = Defect.DUPLICATE if sent.event else Defect.MALFORMED
                copy = replace(sent, send_at=moment_of(slot.again), flaw=flaw)
                heapq.heappush(waiting, (slot.again, number, copy))
            if slot.breakage >= 0:
                yield self._malformed(slot, broken_so_far)
                broken_so_far += 1

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
        """A broken record from a broken producer, which counts for itself: the others' sequences have no gap."""
        event = self._event(slot, f"sim-{self.run}-broken", count)
        payload = broken(self.breakages[slot.breakage], event.to_json())
        return SimulatedRecord(moment_of(slot.sent), event.site, payload, None, Defect.MALFORMED)

    def _slots(self) -> Iterator[Slot]:
        rng = generator(self.seed, self.domain.name, self.stream)
        # Two runs of a seed that begin at the same moment are alike but for this: they must not share an identifier.
        ids = generator(self.seed, self.domain.name, self.stream, self.run)
        weights = self._weights()
        length = round(min(max(1000 / self.rate, 0.5), 3600) * SECOND)  # about a thousand events, drawn together
        start = microseconds(self.start)
        while True:
            sent, sites = sample_events(
                rng, self.domain, start=start, length=length, rate=self.rate, weights=weights, shaped=self.shaped
            )
            flaws, occurred = self._flaws(rng, sent)
            again = np.where(rng.random(len(sent)) < self.duplicate_share, sent + _between(rng, sent, 0, 5), -1)
            breakages = rng.integers(0, len(self.breakages), len(sent))
            breakages[rng.random(len(sent)) >= self.malformed_share] = -1
            yield from map(
                Slot,
                sent.tolist(),
                occurred.tolist(),
                sites.tolist(),
                event_ids(ids, occurred),
                bodies(rng, self.domain, sites, level=self._levels(sites), level_kinds=self.level_kinds),
                flaws,
                again.tolist(),
                breakages.tolist(),
            )
            start += length

    def _weights(self) -> list[float]:
        """How likely each site is."""
        if self.hot_site is None:
            return [one.weight for one in self.domain.sites]
        others = HOT_SHARE / (1 - HOT_SHARE) * sum(one.weight for one in self.domain.sites if one.id != self.hot_site)
        return [others if one.id == self.hot_site else one.weight for one in self.domain.sites]

    def _levels(self, sites: Integers) -> float | Floats:
        """What each value is multiplied by, for each entry of ``sites``."""
        if self.hot_site is None:
            return self.level
        hot = [one.id for one in self.domain.sites].index(self.hot_site)
        return np.where(sites == hot, self.level, 1.0)

    def _flaws(self, rng: np.random.Generator, sent: Integers) -> tuple[list[Defect | None], Integers]:
        """How each event is behind, and when it happened then."""
        latest = 0.8 * self.watermark_seconds
        ways: tuple[tuple[Defect | None, float, float, float], ...] = (
            (Defect.LATE, self.late_share, min(5.0, latest), latest),
            (Defect.TOO_LATE, self.too_late_share, 2.0 * self.watermark_seconds, 4.0 * self.watermark_seconds),
            (Defect.OUT_OF_ORDER, self.out_of_order_share, 1.0, 5.0),
            (None, 1.0, 0.001, 0.02),
        )
        bounds = np.cumsum([share for _, share, _, _ in ways[:-1]])
        chosen = np.searchsorted(bounds, rng.random(len(sent)), side="right")
        behind = np.choose(chosen, [_between(rng, sent, low, high) for _, _, low, high in ways])
        skew = round(self.skew_seconds * SECOND)
        return [ways[index][0] for index in chosen.tolist()], sent - behind + skew


def _between(rng: np.random.Generator, like: Integers, low: float, high: float) -> Integers:
    """Microseconds between two numbers of seconds, one for each of ``like``."""
    return (rng.uniform(low, high, len(like)) * SECOND).astype(np.int64)
