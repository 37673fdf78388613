"""Topic specs: partitions, retention and size limits of the domain's four topics."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtlib.config import Settings

DAY_MS = 24 * 60 * 60 * 1000
MIB = 1024 * 1024
MAX_RECORD_BYTES = 1_000_000  # of the events topic: far more than an event may have, so that misfits are kept whole
MAX_REJECTED_BYTES = 8 * MIB  # records that are too large for the events topic are kept whole too
MAX_BATCH_BYTES = 256 * 1024  # of KPI and progress records: a batch holds some hundreds, none is near this size

# Topics keep compressed batches as they are, so these must fit the limit too: a megabyte of zstd may hold a gigabyte,
# which would reach every reader as a single record.
_UNCOMPRESSED = {"compression.type": "uncompressed"}
# Kafka's own clock stamps each record (LogAppendTime): "received by Kafka" must not depend on a device's clock.
_STAMPED = {"message.timestamp.type": "LogAppendTime"}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic: its number of partitions, and the settings that differ from the broker's defaults."""

    name: str
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """The four topics of the domain.

    ``events`` has four partitions, keyed by site, so that a site's events stay in order. ``kpis`` is compacted: the
    newest record of a key stays, older records are deleted; keys of windows a week old are deleted too. ``rejected``
    accepts records of up to 8 MiB. ``progress`` has one partition and keeps a day, at most 64 MiB. No topic keeps
    compressed records.
    """
    week = {"retention.ms": str(7 * DAY_MS)}
    safe = {"min.insync.replicas": "2"} if settings.kafka_replication_factor >= 3 else {}
    kept = {"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0.2", "segment.bytes": str(32 * MIB)}
    recent = {"retention.ms": str(DAY_MS), "retention.bytes": str(64 * MIB), "segment.bytes": str(16 * MIB)}
    every = {**_UNCOMPRESSED, **safe}
    return (
        TopicSpec(settings.topic("events"), 4, {**week, **_STAMPED, **every, **_limited(MIB)}),
        TopicSpec(settings.topic("kpis"), 2, {**week, **_STAMPED, **every, **kept, **_limited(MAX_BATCH_BYTES)}),
        TopicSpec(settings.topic("rejected"), 1, {**week, **_STAMPED, **every, **_limited(MAX_REJECTED_BYTES)}),
        TopicSpec(settings.topic("progress"), 1, {**recent, **every, **_limited(MAX_BATCH_BYTES)}),
    )


def _limited(size: int) -> dict[str, str]:
    """The limit of a batch of records, which limits a single record too."""
    return {"max.message.bytes": str(size)}
