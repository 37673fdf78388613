"""Expect: what a fault must have done to the pipeline's counts; a recovery from nothing proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rtlib.records import Tally

HOT_SHARE, HOT_SENT = 0.5, 0.8  # of all that Kafka took meanwhile, and of what the fault sent, in one partition
AGAIN_SHARE = 0.9  # the topic also holds copies and broken records
OVER_SHARE = 0.2  # an event that is some seconds late often still finds its window open
DROPPED_SHARE = 0.5
PAUSE_SECONDS, PAUSE_EVENTS = 4.0, 20  # a pause is longer than both: these seconds, and the time of so many events


@dataclass(frozen=True, slots=True)
class Effect:
    """What changed from the beginning of a fault to the end of its recovery.

    Attributes:
        sent: What the fault itself sent, by its own tally.
        taken: Partition to the records that Kafka took until the harm was over.
        held: Records that Kafka held before.
        archived, removed, rejected: Events that RAW got, copies that it left out, records that were refused.
        late: Events that were counted after the end of their window.
        dropped: Events that the live query left out because they were behind the watermark.
        raised: Alerts.
        restarted: Parts that have another process than before.
        seconds: How long all of it took.
        pause_seconds: The longest time in which Kafka received no event.
    """

    sent: Tally = Tally()
    taken: Mapping[int, int] = field(default_factory=dict)
    held: int = 0
    archived: int = 0
    removed: int = 0
    rejected: int = 0
    late: int = 0
    dropped: int = 0
    raised: int = 0
    restarted: frozenset[str] = frozenset()
    seconds: float = 0.0
    pause_seconds: float = 0.0


Check = Callable[[Effect], str | None]  # what is missing, in a few words; None when all is as expected


def both(one: Check, other: Check) -> Check:
    """The first thing that is missing of either."""
    return lambda seen: one(seen) or other(seen)


def restarted(part: str) -> Check:
    """The part has a new process."""
    return lambda seen: None if part in seen.restarted else f"{part} has the process that it had before"


def same_process(part: str) -> Check:
    """The part came back to itself; nobody had to start it."""
    return lambda seen: f"{part} was started again" if part in seen.restarted else None


def no_pause(seen: Effect) -> str | None:
    """Events went on arriving."""
    allowed = max(PAUSE_SECONDS, PAUSE_EVENTS * seen.seconds / max(1, seen.archived))
    if not seen.archived or seen.pause_seconds <= allowed:
        return None
    return f"for {seen.pause_seconds:.1f} s no event arrived"


def read_again(seen: Effect) -> str | None:
    """What Kafka held was read a second time, and RAW let it pass by."""
    return _at_least("copies left out", seen.removed, AGAIN_SHARE * seen.held)


def copies_removed(seen: Effect) -> str | None:
    """Each second copy was left out."""
    return _at_least("copies left out", seen.removed, seen.sent.duplicates)


def misfits_rejected(seen: Effect) -> str | None:
    """Each broken record was rejected."""
    return _at_least("records rejected", seen.rejected, seen.sent.malformed)


def late_counted(seen: Effect) -> str | None:
    """Late events were counted in windows that were over."""
    return _at_least("events counted after their window", seen.late, OVER_SHARE * seen.sent.late)


def too_late_dropped(seen: Effect) -> str | None:
    """The live query left out what was beyond the watermark, and RAW has it all."""
    few = _at_least("events dropped by the watermark", seen.dropped, DROPPED_SHARE * seen.sent.too_late)
    return few or all_archived(seen)


def all_archived(seen: Effect) -> str | None:
    """RAW has every good event that was sent."""
    return _at_least("events archived", seen.archived, seen.sent.events)


def one_partition_hot(seen: Effect) -> str | None:
    """One partition took nearly all that was sent, and most of all that came meanwhile."""
    hottest, total = max(seen.taken.values(), default=0), sum(seen.taken.values())
    return _at_least("records in one partition", hottest, max(HOT_SENT * seen.sent.records, HOT_SHARE * total, 1))


def somebody_called(seen: Effect) -> str | None:
    """A card was sent."""
    return _at_least("alerts raised", seen.raised, 1)


def _at_least(what: str, count: int, wanted: float) -> str | None:
    return None if count >= wanted else f"{what}: {count:,}, where at least {wanted:,.0f} were expected"
