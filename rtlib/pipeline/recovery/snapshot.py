"""Marks: where the pipeline is at a moment, to be held against where it is later."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Where the pipeline is at a moment.

    Attributes:
        at: When.
        events: Partition of the events topic to its end.
        counts: What the warehouse holds.
        held: Records that the events topic still holds.
        dropped: Events that the live query left out because they were behind the watermark.
        raised: Alerts so far.
        processes: Part to the process that it has.
    """

    at: datetime
    events: Mapping[int, int]
    counts: Counts
    held: int = 0
    dropped: int = 0
    raised: int = 0
    processes: Mapping[str, int] = field(default_factory=dict)


def take_snapshot(settings: Settings) -> Snapshot:
    """Where the pipeline is now.

    Raises:
        RtlibError: The broker or the warehouse does not answer.
    """
    connection = connect(settings)
    try:
        held = counts(connection, settings.domain)
        behind = dropped(connection, settings.domain)
        raised = alert_outbox.counts(connection, settings.domain)["raised"]
    finally:
        connection.close()
    ends = event_ends(settings)
    kept = sum(ends.values()) - sum(first_offsets(settings, settings.topic("events")).values())
    parts = {name: one.pid for name, one in supervisor.states(settings).items()}
    return Snapshot(datetime.now(UTC), ends, held, kept, behind, raised, parts)


def longest_pause(settings: Settings, since: datetime) -> float:
    """The longest time in seconds since a moment in which Kafka received no event, by what RAW holds."""
    connection = connect(settings)
    try:
        return pause(connection, settings.domain, since=since)
    finally:
        connection.close()


def event_ends(settings: Settings) -> dict[int, int]:
    """Partition of the events topic to its end.

    Raises:
        ServiceError: The broker does not answer.
    """
    return end_offsets(settings, settings.topic("events"))
