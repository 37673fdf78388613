"""Consumer: a KafkaConsumer with this project's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.config import Settings

if TYPE_CHECKING:
    from kafka import KafkaConsumer


def consumer(
    settings: Settings,
    *topics: str,
    group: str | None = None,
    from_beginning: bool = True,
    read_committed: bool = True,
    **options: object,
) -> KafkaConsumer:
    """A KafkaConsumer of these topics; without topics, call ``assign`` or ``subscribe`` yourself.

    Args:
        settings: Where the broker is.
        topics: The topics to read.
        group: The consumer group that shares the partitions and commits offsets; None reads without a group.
        from_beginning: Where to begin without a committed offset: at the oldest record, or at the next new record.
        read_committed: Skip records of aborted transactions.
        options: Further arguments of KafkaConsumer; these take precedence. Offsets are committed when you call
            ``commit``, unless you pass ``enable_auto_commit=True``.

    Raises:
        ServiceError: The broker does not answer.
    """
    from kafka import KafkaConsumer

    defaults: dict[str, object] = {
        **client_options(settings),
        "group_id": group,
        "auto_offset_reset": "earliest" if from_beginning else "latest",
        "isolation_level": "read_committed" if read_committed else "read_uncommitted",
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
    }
    with broker_errors(settings):
        return KafkaConsumer(*topics, **{**defaults, **options})
