"""Effects: the change that a fault must cause in the pipeline's counts; a recovery from nothing proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rtlib.records import Tally

HOT_SHARE, HOT_SENT = 0.5, 0.8  # in a single partition: share of all records meanwhile, and of the fault's records
REREAD_SHARE = 0.9  # of the topic's records; it also holds copies and malformed records
LATE_SHARE = 0.2  # an event that is a few seconds late often still finds its window open
DROPPED_SHARE = 0.5
PAUSE_SECONDS, PAUSE_EVENTS = 4.0, 20  # a pause exceeds these seconds, and the time in which this many events arrive


@dataclass(frozen=True, slots=True)
class Effect:
    """What changed from the start of a fault to the end of its recovery.

    Attributes:
        sent: What the fault itself sent, by its own tally.
        taken: Partition to the records that Kafka accepted until the fault was over.
        held: Records that Kafka held before.
        archived, removed, rejected: New events in RAW, copies left out, and records rejected.
        late: Events counted after the end of their window.
        dropped: Events that the live query dropped because they were behind the watermark.
        raised: Alerts.
        restarted: Parts with a new process.
        seconds: The duration.
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


Check = Callable[[Effect], str | None]  # what is missing, in a few words; None if the effect is as expected


def both(first: Check, second: Check) -> Check:
    """Both checks; the first thing that is missing."""
    return lambda effect: first(effect) or second(effect)


def restarted(part: str) -> Check:
    """The part has a new process."""
    return lambda effect: None if part in effect.restarted else f"{part} still has the same process"


def same_process(part: str) -> Check:
    """The part recovered without a restart."""
    return lambda effect: f"{part} was restarted" if part in effect.restarted else None


def no_pause(effect: Effect) -> str | None:
    """Events kept arriving."""
    allowed = max(PAUSE_SECONDS, PAUSE_EVENTS * effect.seconds / max(1, effect.archived))
    if not effect.archived or effect.pause_seconds <= allowed:
        return None
    return f"for {effect.pause_seconds:.1f} s no event arrived"


def read_again(effect: Effect) -> str | None:
    """Kafka's records were read a second time, and RAW left them out."""
    return _at_least("copies left out", effect.removed, REREAD_SHARE * effect.held)


def copies_removed(effect: Effect) -> str | None:
    """Each second copy was left out."""
    return _at_least("copies left out", effect.removed, effect.sent.duplicates)


def malformed_rejected(effect: Effect) -> str | None:
    """Each malformed record was rejected."""
    return _at_least("records rejected", effect.rejected, effect.sent.malformed)


def late_counted(effect: Effect) -> str | None:
    """Late events were counted in windows that were over."""
    return _at_least("events counted after their window", effect.late, LATE_SHARE * effect.sent.late)


def too_late_dropped(effect: Effect) -> str | None:
    """The live query dropped the events behind the watermark, and RAW has them all."""
    missing = _at_least("events dropped by the watermark", effect.dropped, DROPPED_SHARE * effect.sent.too_late)
    return missing or all_archived(effect)


def all_archived(effect: Effect) -> str | None:
    """RAW has every valid event that was sent."""
    return _at_least("events archived", effect.archived, effect.sent.events)


def one_partition_hot(effect: Effect) -> str | None:
    """A single partition received nearly all of the fault's records, and most of all records meanwhile."""
    hottest, total = max(effect.taken.values(), default=0), sum(effect.taken.values())
    return _at_least("records in one partition", hottest, max(HOT_SENT * effect.sent.records, HOT_SHARE * total, 1))


def alert_raised(effect: Effect) -> str | None:
    """An alert was raised."""
    return _at_least("alerts raised", effect.raised, 1)


def _at_least(what: str, count: int, expected: float) -> str | None:
    return None if count >= expected else f"{what}: {count:,}, where at least {expected:,.0f} were expected"
