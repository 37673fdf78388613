"""Records: the frozen values that travel between layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at one site; the value of a record on ``rtlib.<domain>.events``.

    ``occurred_at`` is aware and in UTC. ``sequence`` counts from 0 without gaps for each ``producer_id``.
    """

    event_id: str
    domain: str
    site: str
    kind: str
    occurred_at: datetime
    producer_id: str
    sequence: int
    value: float | None
    unit: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The event as the JSON object that its schema describes (RFC 3339, UTC, microseconds)."""
        return {
            "event_id": self.event_id,
            "domain": self.domain,
            "site": self.site,
            "kind": self.kind,
            "occurred_at": self.occurred_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "producer_id": self.producer_id,
            "sequence": self.sequence,
            "value": self.value,
            "unit": self.unit,
            "attributes": dict(self.attributes),
        }


@dataclass(frozen=True, slots=True)
class Kpi:
    """The measures of one site in one window: a record on ``rtlib.<domain>.kpis`` and a row of SPEED.KPIS.

    ``measures`` maps the domain's KPI names to numbers (None where nothing was measured); ``late`` counts the
    events of the window that Kafka received after the window had ended; ``emitted_at`` is Kafka's timestamp of
    the KPI record.
    """

    domain: str
    site: str
    window_start: datetime
    window_end: datetime
    measures: Mapping[str, float | None]
    events: int
    late: int
    first_event_at: datetime
    last_event_at: datetime
    emitted_at: datetime

    @property
    def key(self) -> str:
        """The key of the compacted topic: ``window_start|site``."""
        return f"{self.window_start.isoformat().replace('+00:00', 'Z')}|{self.site}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that does not fit its schema: the untouched bytes, why, and where it came from.

    ``topic`` is the topic it was meant for; ``partition`` and ``offset`` are -1 when it was refused before it
    reached Kafka.
    """

    payload: bytes
    reason: str
    field: str
    topic: str
    partition: int = -1
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Tally:
    """What a simulator knows it sent: the ground truth that every count downstream is held against.

    ``records`` = ``events`` + ``duplicates`` + ``malformed``: what the events topic must hold. ``late``
    (within the watermark), ``too_late`` (beyond it) and ``out_of_order`` count events among ``events``.
    ``last_sequence`` maps a producer to its newest sequence.
    """

    events: int = 0
    duplicates: int = 0
    malformed: int = 0
    late: int = 0
    out_of_order: int = 0
    too_late: int = 0
    last_sequence: Mapping[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many records the events topic received from this simulator."""
        return self.events + self.duplicates + self.malformed

    def __add__(self, other: Tally) -> Tally:
        """What two runs sent together; their producers have different names."""
        names = ("events", "duplicates", "malformed", "late", "out_of_order", "too_late")
        counts = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Tally(**counts, last_sequence={**self.last_sequence, **other.last_sequence})


@dataclass(frozen=True, slots=True)
class QueryProgress:
    """What one micro-batch (or one real-time interval) of a streaming query did.

    Rates are rows per second; ``watermark`` is None until the query has one; ``dropped_late`` counts rows that
    arrived behind the watermark in this batch; ``end_offsets`` maps a partition to the offset after its last row.
    """

    query: str
    batch_id: int
    at: datetime
    input_rows: int
    input_rate: float
    processed_rate: float
    state_rows: int
    dropped_late: int
    watermark: datetime | None
    start_offsets: Mapping[str, int] = field(default_factory=dict)
    end_offsets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A part's sign of life, about once a second: whether it works, a few words, and its own numbers."""

    part: str
    active: bool
    said: str
    at: datetime
    numbers: Mapping[str, float] = field(default_factory=dict)


class Status(StrEnum):
    """How a node is: ``idle`` has not run yet, ``planned`` is a part of the picture that is not built yet."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    IDLE = "idle"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Reading:
    """One number with its unit and the moment it was true; ``value`` is None when nothing was measured."""

    name: str
    value: float | None
    unit: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """What a probe saw of one part: its status, why, and its live numbers."""

    status: Status
    reason: str
    at: datetime
    readings: tuple[Reading, ...] = ()
