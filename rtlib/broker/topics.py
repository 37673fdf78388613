"""Topics: what the domain's topics are made of, and how they are created, measured and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.config import Settings
from rtlib.errors import ServiceError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

DAY_MS = 24 * 60 * 60 * 1000
MIB = 1024 * 1024
SIZE_ANSWER_MS = 5_000  # a broker that takes longer is asked again later
MAX_RECORD_BYTES = 1_000_000  # of the events topic: far more than an event may have, so that misfits are kept whole
MAX_REJECTED_BYTES = 8 * MIB  # what no topic of events takes is kept whole too


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic: how many partitions, and the settings in which it differs from the broker's own."""

    name: str
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)


# What is written compressed is kept as it is, and must fit the limit so: a megabyte of zstd may hold a gigabyte, which
# would come as one record to every reader.
_WHOLE = {"compression.type": "uncompressed"}
MAX_BATCH_BYTES = 256 * 1024  # of KPI and progress records: some hundreds go in one batch, none is near to that
# Kafka's own clock stamps each record (LogAppendTime): "when Kafka received it" must not depend on a device's clock.
_STAMPED = {"message.timestamp.type": "LogAppendTime"}


def topic_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """The four topics of the domain.

    ``events`` has four partitions, keyed by site, so that a site's events stay in order. ``kpis`` is compacted: the
    newest record of a key stays, the older ones go; keys of windows a week old go too. ``rejected`` takes records
    of up to 8 MiB. ``progress`` has one partition and keeps a day, at most 64 MiB. None keeps compressed records.
    """
    week = {"retention.ms": str(7 * DAY_MS)}
    safe = {"min.insync.replicas": "2"} if settings.kafka_replication_factor >= 3 else {}
    kept = {"cleanup.policy": "compact,delete", "min.cleanable.dirty.ratio": "0.2", "segment.bytes": str(32 * MIB)}
    recent = {"retention.ms": str(DAY_MS), "retention.bytes": str(64 * MIB), "segment.bytes": str(16 * MIB)}
    every = {**_WHOLE, **safe}
    return (
        TopicSpec(settings.topic("events"), 4, {**week, **_STAMPED, **every, **_at_most(MIB)}),
        TopicSpec(settings.topic("kpis"), 2, {**week, **_STAMPED, **every, **kept, **_at_most(MAX_BATCH_BYTES)}),
        TopicSpec(settings.topic("rejected"), 1, {**week, **_STAMPED, **every, **_at_most(MAX_REJECTED_BYTES)}),
        TopicSpec(settings.topic("progress"), 1, {**recent, **every, **_at_most(MAX_BATCH_BYTES)}),
    )


def _at_most(size: int) -> dict[str, str]:
    """The limit of a batch of records, which is the limit of a record too."""
    return {"max.message.bytes": str(size)}


def ensure_topics(settings: Settings) -> list[str]:
    """Create those of the domain's topics that are not there.

    Returns:
        The names of the created ones, in the order of their specs.

    Raises:
        ServiceError: The broker does not answer, or refused to create one.
    """
    from kafka.errors import TopicAlreadyExistsError

    with _admin(settings) as admin:
        there = set(admin.list_topics())
        missing = [spec for spec in topic_specs(settings) if spec.name not in there]
        created = []
        for spec in missing:
            try:
                admin.create_topics({spec.name: _options(spec, settings)}, wait_for_metadata=True)
                created.append(spec.name)
            except TopicAlreadyExistsError:
                continue  # somebody else made it between the question and the request
    return created


def create(settings: Settings, spec: TopicSpec) -> None:
    """Create one topic; it must not be there.

    Raises:
        ServiceError: The broker does not answer, or refused to create it.
    """
    with _admin(settings) as admin:
        admin.create_topics({spec.name: _options(spec, settings)}, wait_for_metadata=True)


def topics(settings: Settings) -> list[str]:
    """The names of all topics that the broker tells of, sorted; inner ones (``__…``) left out.

    Raises:
        ServiceError: The broker does not answer.
    """
    with _admin(settings) as admin:
        return sorted(name for name in admin.list_topics() if not name.startswith("__"))


def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """The offset after the last record of each partition.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import OffsetSpec

    return _offsets(settings, topic, OffsetSpec.LATEST)


def first_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """The offset of the first record that each partition still holds: above 0 once Kafka has deleted the oldest.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import OffsetSpec

    return _offsets(settings, topic, OffsetSpec.EARLIEST)


def committed_offsets(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """The offset that a group has committed in each partition, or that of the first record where it has none.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import TopicPartition

    first = first_offsets(settings, topic)
    with _admin(settings) as admin:
        told = admin.list_group_offsets({group: [TopicPartition(topic, one) for one in first]})[group]
    found = {one.partition: int(entry.offset) for one, entry in told.items()}
    return {one: max(oldest, found.get(one, -1)) for one, oldest in first.items()}


def offsets_at(settings: Settings, topic: str, moment: datetime) -> dict[int, int]:
    """The offset of the first record that each partition took at a moment or later; its end where there is none.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    ends = end_offsets(settings, topic)
    found = _offsets(settings, topic, round(moment.timestamp() * 1000))
    return {one: found[one] if found[one] >= 0 else end for one, end in ends.items()}


class TopicSize:
    """How far a topic reaches and how many bytes it has, asked again and again on a connection that stays open.

    Args:
        settings: Where the broker is.
        topic: Which topic; it is there.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._client: KafkaAdminClient | None = None
        self._numbers: list[int] = []

    def begin(self) -> int:
        """The sum of the partitions' first offsets.

        Raises:
            ServiceError: The broker does not answer.
        """
        from kafka import OffsetSpec

        return self._sum(OffsetSpec.EARLIEST)

    def end(self) -> int:
        """The sum of the offsets after the partitions' last records.

        Raises:
            ServiceError: The broker does not answer.
        """
        from kafka import OffsetSpec

        return self._sum(OffsetSpec.LATEST)

    def size(self) -> int:
        """The size of the partitions' files in bytes, of one copy of each.

        Raises:
            ServiceError: The broker does not answer, or does not tell.
        """
        with broker_errors(self._settings):
            told = self._admin().describe_log_dirs([self._topic])
        sizes: dict[int, int] = {}
        for folder in (one for broker in told for one in broker["log_dirs"]):
            for partition in (one for topic in folder["topics"] for one in topic["partitions"]):
                number = partition["partition_index"]
                sizes[number] = max(sizes.get(number, 0), partition["partition_size"])
        return sum(sizes.values())

    def close(self) -> None:
        """Leave the broker."""
        if self._client is not None:
            self._client.close()

    def _sum(self, which: int) -> int:
        from kafka import TopicPartition

        with broker_errors(self._settings):
            admin = self._admin()
            asked = {TopicPartition(self._topic, one): which for one in self._numbers}
            return sum(int(one.offset) for one in admin.list_partition_offsets(asked).values())

    def _admin(self) -> KafkaAdminClient:
        from kafka import KafkaAdminClient

        if self._client is None:
            options = {**client_options(self._settings), "request_timeout_ms": SIZE_ANSWER_MS}
            self._client = KafkaAdminClient(**options)
        if not self._numbers:
            self._numbers = _partitions(self._client, self._topic)
        return self._client


def keep_versions(settings: Settings, topic: str, *, seconds: int) -> None:
    """Keep compaction away from what a topic was told within the last so many seconds.

    Who reads a compacted topic afterwards, to see when each version of a key came, finds only the newest otherwise.

    Raises:
        ServiceError: The broker does not answer, or refused it.
    """
    from kafka.admin import ConfigResource, ConfigResourceType

    changes = {"min.compaction.lag.ms": str(1000 * seconds)}
    with _admin(settings) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=changes)])


def delete_topics(settings: Settings, *names: str) -> list[str]:
    """Delete topics with everything in them; a name that is not there is passed over.

    Returns:
        The names of the deleted ones, sorted.

    Raises:
        ServiceError: The broker does not answer, or refused to delete one.
    """
    with _admin(settings) as admin:
        there = sorted(set(names) & set(admin.list_topics()))
        if there:
            admin.delete_topics(there)
    return there


def forget_groups(settings: Settings, *groups: str) -> None:
    """Delete the committed offsets of consumer groups, so that their readers begin at the oldest record.

    A group that does not exist is passed over.

    Raises:
        ServiceError: The broker does not answer, or a group is in use.
    """
    from kafka import errors

    # A broker whose first group this is makes the topic of the groups' offsets only now; some say so in their answer.
    starting = (errors.CoordinatorNotAvailableError, errors.NotCoordinatorError, errors.CoordinatorLoadInProgressError)
    names = {one.__name__ for one in starting}
    patiently = Retrying(
        retry=retry_if_exception_type(starting) | retry_if_result(lambda told: not names.isdisjoint(told.values())),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(20),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )
    with _admin(settings) as admin:
        told: dict[str, str] = patiently(lambda: dict(admin.delete_groups(list(groups))))
    for group, said in told.items():
        if said not in ("OK", "GroupIdNotFoundError"):
            raise ServiceError(f"the offsets of {group} could not be deleted ({said})", cure="rtlib status")


def _options(spec: TopicSpec, settings: Settings) -> dict[str, object]:
    return {
        "num_partitions": spec.partitions,
        "replication_factor": settings.kafka_replication_factor,
        "configs": spec.configs,
    }


def _offsets(settings: Settings, topic: str, which: int) -> dict[int, int]:
    from kafka import TopicPartition

    with _admin(settings) as admin:
        partitions = _partitions(admin, topic)
        told = admin.list_partition_offsets({TopicPartition(topic, one): which for one in partitions})
    return {one.partition: int(told[one].offset) for one in sorted(told, key=lambda one: one.partition)}


def _partitions(admin: KafkaAdminClient, topic: str) -> list[int]:
    if topic not in admin.list_topics():
        raise ServiceError(f"the broker has no topic {topic!r}", cure="rtlib up")
    described = admin.describe_topics([topic])[0]
    return [int(one["partition_index"]) for one in described["partitions"]]


@contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    from kafka import KafkaAdminClient

    with broker_errors(settings), KafkaAdminClient(**client_options(settings)) as admin:
        yield admin
