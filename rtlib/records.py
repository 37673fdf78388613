"""Records: the immutable values exchanged between layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a site; the value of a record on ``rtlib.<domain>.events``.

    ``occurred_at`` is timezone-aware, in UTC. ``sequence`` counts from 0 without gaps for each ``producer_id``.
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
    """A record that does not match its schema: its unchanged bytes, the reason, and its origin.

    ``topic`` is its intended topic; ``partition`` and ``offset`` are -1 when it was refused before it reached Kafka.
    """

    payload: bytes
    reason: str
    field: str
    topic: str
    partition: int = -1
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Tally:
    """The simulator's count of what it sent: the ground truth for every count downstream.

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
        """The sum of two runs, whose producers have different names."""
        names = ("events", "duplicates", "malformed", "late", "out_of_order", "too_late")
        counts = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Tally(**counts, last_sequence={**self.last_sequence, **other.last_sequence})


@dataclass(frozen=True, slots=True)
class QueryProgress:
    """The progress of a streaming query in a micro-batch or a real-time interval.

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
    """A part's report, about once a second: whether it works, a short text, and its own figures."""

    part: str
    active: bool
    said: str
    at: datetime
    numbers: Mapping[str, float] = field(default_factory=dict)


class BatchJob(StrEnum):
    """A job of the batch path; the value is its name on the command line and in OPS.RUNS."""

    HISTORY = "history"
    DBT = "dbt"
    FORECAST = "forecast"
    PLAN = "plan"
    REPORT = "report"
    RETENTION = "retention"

    @property
    def heartbeat(self) -> str:
        """The name of its heartbeats while it runs."""
        return f"run-{self.value}"


class Status(StrEnum):
    """The state of a node: ``idle`` has not run yet, ``planned`` is not built yet."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    IDLE = "idle"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Reading:
    """A number with its unit and the time of measurement; ``value`` is None when nothing was measured."""

    name: str
    value: float | None
    unit: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """A probe's result for a part: its status, the reason, and its live figures."""

    status: Status
    reason: str
    at: datetime
    readings: tuple[Reading, ...] = ()
