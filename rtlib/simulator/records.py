"""Sent: a record as the simulator sends it, its bytes, and the count of what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from json import JSONEncoder

from rtlib.records import Event, Tally

compact = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Defect(StrEnum):
    """What is wrong with a record, if anything is.

    ``late`` is within the watermark, ``too_late`` is beyond it, ``out_of_order`` is off by a few seconds.
    """

    LATE = "late"
    TOO_LATE = "too_late"
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class SimulatedRecord:
    """One record on its way to Kafka.

    Attributes:
        send_at: When it is sent (aware, UTC).
        key: The site.
        payload: The event as compact JSON in UTF-8, without a frame; or something broken.
        event: The event; None when the record is malformed.
        flaw: What is wrong with it, or None.
    """

    send_at: datetime
    key: str
    payload: bytes
    event: Event | None
    flaw: Defect | None


def encode(event: Event) -> bytes:
    """The event's JSON object as compact UTF-8, equal to what ``json.dumps`` makes of ``event.to_json()``.

    It is written by hand because it runs for every event, and three times as fast this way; the names that it puts
    in are the domain's own and need no escaping.
    """
    value = "null" if event.value is None else repr(event.value)
    return (
        f'{{"event_id":"{event.event_id}","domain":"{event.domain}","site":"{event.site}","kind":"{event.kind}",'
        f'"occurred_at":"{event.occurred_at.isoformat(timespec="microseconds")[:26]}Z",'
        f'"producer_id":"{event.producer_id}","sequence":{event.sequence},"value":{value},'
        f'"unit":"{event.unit}","attributes":{compact(event.attributes)}}}'
    ).encode()


class TallyKeeper:
    """Counts records as they are sent; it changes in place, because it is asked thousands of times a second."""

    def __init__(self) -> None:
        self._events = 0
        self._flaws = dict.fromkeys(Defect, 0)
        self._last_sequence: dict[str, int] = {}

    def add(self, sent: SimulatedRecord) -> None:
        """Count one record."""
        if sent.flaw is not None:
            self._flaws[sent.flaw] += 1
        if sent.event is not None and sent.flaw is not Defect.DUPLICATE:
            self._events += 1
            self._last_sequence[sent.event.producer_id] = sent.event.sequence

    def tally(self) -> Tally:
        """What was counted so far; later records do not change it."""
        return Tally(
            events=self._events,
            duplicates=self._flaws[Defect.DUPLICATE],
            malformed=self._flaws[Defect.MALFORMED],
            late=self._flaws[Defect.LATE],
            too_late=self._flaws[Defect.TOO_LATE],
            out_of_order=self._flaws[Defect.OUT_OF_ORDER],
            last_sequence=dict(self._last_sequence),
        )
