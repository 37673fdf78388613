"""Snapshot: the pipeline's offsets, counts and processes at a moment, to be compared with a later snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rtlib.broker.topics import end_offsets, first_offsets
from rtlib.config import Settings
from rtlib.services import supervisor
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import connect
from rtlib.warehouse.query_batches import dropped
from rtlib.warehouse.reads import Counts, counts, pause


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the pipeline at a moment.

    Attributes:
        at: The time (UTC).
        events: Partition of the events topic to its end.
        counts: What the warehouse holds.
        held: Records that the events topic still holds.
        dropped: Events that the live query dropped because they were behind the watermark.
        raised: Alerts raised so far.
        processes: Part to its process id.
    """

    at: datetime
    events: Mapping[int, int]
    counts: Counts
    held: int = 0
    dropped: int = 0
    raised: int = 0
    processes: Mapping[str, int] = field(default_factory=dict)


def take_snapshot(settings: Settings) -> Snapshot:
    """The state of the pipeline now.

    Raises:
        RtlibError: The broker or the warehouse does not answer.
    """
    with closing(connect(settings)) as connection:
        warehouse_counts = counts(connection, settings.domain)
        behind_watermark = dropped(connection, settings.domain)
        raised = alert_outbox.counts(connection, settings.domain)["raised"]
    ends = event_ends(settings)
    held = sum(ends.values()) - sum(first_offsets(settings, settings.topic("events")).values())
    processes = {name: state.pid for name, state in supervisor.states(settings).items()}
    return Snapshot(datetime.now(UTC), ends, warehouse_counts, held, behind_watermark, raised, processes)


def longest_pause(settings: Settings, since: datetime) -> float:
    """The longest time in seconds, since a moment, in which Kafka received no event; measured in RAW."""
    with closing(connect(settings)) as connection:
        return pause(connection, settings.domain, since=since)


def event_ends(settings: Settings) -> dict[int, int]:
    """Partition of the events topic to its end.

    Raises:
        ServiceError: The broker does not answer.
    """
    return end_offsets(settings, settings.topic("events"))
