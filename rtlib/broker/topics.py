"""Topics: create, list and delete topics; their offsets and the consumer groups that read them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.broker.topic_specs import TopicSpec, topic_specs
from rtlib.config import Settings
from rtlib.errors import ServiceError

if TYPE_CHECKING:
    from kafka import KafkaAdminClient


def ensure_topics(settings: Settings) -> list[str]:
    """Create the domain's missing topics.

    Returns:
        The names of the created topics, in the order of their specs.

    Raises:
        ServiceError: The broker does not answer, or refused to create a topic.
    """
    from kafka.errors import TopicAlreadyExistsError, for_code

    with _admin(settings) as admin:
        existing = set(admin.list_topics())
        missing = {spec.name: _options(spec, settings) for spec in topic_specs(settings) if spec.name not in existing}
        if not missing:
            return []
        # In one request, because the wait for a topic's metadata takes as long as that for all.
        answers = admin.create_topics(missing, raise_errors=False)["topics"]
        codes = {answer["name"]: int(answer["error_code"]) for answer in answers}
        for name, code in codes.items():
            if code not in (0, TopicAlreadyExistsError.errno):  # another client may have created it meanwhile
                raise for_code(code)(name)
        admin.wait_for_topics(list(missing))
    return [name for name in missing if codes[name] == 0]


def create(settings: Settings, spec: TopicSpec) -> None:
    """Create a topic that does not exist yet.

    Raises:
        ServiceError: The broker does not answer, or refused to create it.
    """
    with _admin(settings) as admin:
        admin.create_topics({spec.name: _options(spec, settings)}, wait_for_metadata=True)


def topics(settings: Settings) -> list[str]:
    """The names of all topics of the broker, sorted, without the internal ones (``__…``).

    Raises:
        ServiceError: The broker does not answer.
    """
    with _admin(settings) as admin:
        return sorted(name for name in admin.list_topics() if not name.startswith("__"))


def check_topics(settings: Settings, names: Collection[str]) -> None:
    """Verify that these topics exist and that each partition answers, over a single connection.

    Raises:
        ServiceError: The broker does not answer, or lacks a topic.
    """
    from kafka import OffsetSpec, TopicPartition

    with _admin(settings) as admin:
        partitions = [TopicPartition(name, number) for name in names for number in partitions_of(admin, name)]
        admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))


def end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """The offset after the last record of each partition.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import OffsetSpec

    return _offsets(settings, topic, OffsetSpec.LATEST)


def first_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """The offset of the oldest record of each partition: above 0 once Kafka has deleted records.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import OffsetSpec

    return _offsets(settings, topic, OffsetSpec.EARLIEST)


def committed_offsets(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """The committed offset of a group in each partition, or the offset of the oldest record without a commit.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    from kafka import TopicPartition

    first = first_offsets(settings, topic)
    with _admin(settings) as admin:
        entries = admin.list_group_offsets({group: [TopicPartition(topic, partition) for partition in first]})[group]
    committed = {place.partition: int(entry.offset) for place, entry in entries.items()}
    return {partition: max(oldest, committed.get(partition, -1)) for partition, oldest in first.items()}


def offsets_at(settings: Settings, topic: str, moment: datetime) -> dict[int, int]:
    """The offset of the first record of each partition received at or after a moment; the end if there is none.

    Raises:
        ServiceError: The broker does not answer, or has no such topic.
    """
    ends = end_offsets(settings, topic)
    offsets = _offsets(settings, topic, round(moment.timestamp() * 1000))
    return {partition: offsets[partition] if offsets[partition] >= 0 else end for partition, end in ends.items()}


def keep_versions(settings: Settings, topic: str, *, seconds: int) -> None:
    """Protect the records of the last ``seconds`` from compaction.

    Otherwise a later reader of a compacted topic finds only the newest version of a key, and not when each version
    arrived.

    Raises:
        ServiceError: The broker does not answer, or refused the change.
    """
    from kafka.admin import ConfigResource, ConfigResourceType

    changes = {"min.compaction.lag.ms": str(1000 * seconds)}
    with _admin(settings) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=changes)])


def delete_topics(settings: Settings, *names: str) -> list[str]:
    """Delete topics with all their records; names without a topic are ignored.

    Returns:
        The names of the deleted topics, sorted, once the broker no longer lists any of them.

    Raises:
        ServiceError: The broker does not answer, refused to delete a topic, or still lists one after 20 s.
    """
    with _admin(settings) as admin:
        existing = sorted(set(names) & set(admin.list_topics()))
        if existing:
            admin.delete_topics(existing)
            _wait_until_unlisted(admin, existing)
    return existing


def forget_groups(settings: Settings, *groups: str) -> None:
    """Delete the committed offsets of consumer groups, so that their readers begin at the oldest record.

    Unknown groups are ignored.

    Raises:
        ServiceError: The broker does not answer, or a group is in use.
    """
    from kafka import errors

    # For its first group the broker still has to create the offsets topic; some report that in their answer.
    starting = (errors.CoordinatorNotAvailableError, errors.NotCoordinatorError, errors.CoordinatorLoadInProgressError)
    names = {error.__name__ for error in starting}
    retrying = Retrying(
        retry=retry_if_exception_type(starting)
        | retry_if_result(lambda results: not names.isdisjoint(results.values())),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(20),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )
    with _admin(settings) as admin:
        results: dict[str, str] = retrying(lambda: dict(admin.delete_groups(list(groups))))
    for group, result in results.items():
        if result not in ("OK", "GroupIdNotFoundError"):
            raise ServiceError(f"the offsets of {group} could not be deleted ({result})", cure="rtlib status")


def partitions_of(admin: KafkaAdminClient, topic: str) -> list[int]:
    """The numbers of a topic's partitions.

    Raises:
        ServiceError: The broker has no such topic.
    """
    if topic not in admin.list_topics():
        raise ServiceError(f"the broker has no topic {topic!r}", cure="rtlib up")
    described = admin.describe_topics([topic])[0]
    return [int(partition["partition_index"]) for partition in described["partitions"]]


def _wait_until_unlisted(admin: KafkaAdminClient, names: list[str]) -> None:
    """Wait for the broker's metadata, which follow the controller's by a moment."""
    gone = set(names).isdisjoint
    try:
        Retrying(retry=retry_if_result(lambda done: not done), wait=wait_fixed(0.05), stop=stop_after_delay(20))(
            lambda: gone(admin.list_topics())
        )
    except RetryError as error:
        raise ServiceError(
            f"the broker still lists topics that were deleted: {', '.join(names)}", cure="rtlib status"
        ) from error


def _options(spec: TopicSpec, settings: Settings) -> dict[str, object]:
    return {
        "num_partitions": spec.partitions,
        "replication_factor": settings.kafka_replication_factor,
        "configs": spec.configs,
    }


def _offsets(settings: Settings, topic: str, which: int) -> dict[int, int]:
    from kafka import TopicPartition

    with _admin(settings) as admin:
        request = {TopicPartition(topic, partition): which for partition in partitions_of(admin, topic)}
        results = admin.list_partition_offsets(request)
    return {place.partition: int(results[place].offset) for place in sorted(results, key=lambda place: place.partition)}


@contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    from kafka import KafkaAdminClient

    with broker_errors(settings), KafkaAdminClient(**client_options(settings)) as admin:
        yield admin
