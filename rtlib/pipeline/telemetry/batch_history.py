"""Batch history: the recorded batches of a query, and its state at a moment in the past.

The streaming application publishes the progress of every batch: the offsets it read, its watermark, the rows in its
state, and the rows it dropped as too late. The progress topic keeps a day of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rtlib.broker.serde import HEARTBEAT_PREFIX, progress_from_record
from rtlib.broker.topic_scan import contents
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.records import QueryProgress
from rtlib.streaming.queries import QUERIES


def history(settings: Settings, *, query: str | None = None) -> list[QueryProgress]:
    """All recorded batches, in the order of time.

    Args:
        settings: Which domain.
        query: ``kpis`` or ``archive``; None for both.

    Raises:
        ConfigError: There is no such query.
        ServiceError: The broker does not answer.
    """
    if query not in (None, *QUERIES):
        raise ConfigError(f"there is no query {query!r}", cure=f"use one of: {', '.join(QUERIES)}")
    batches = []
    for record in contents(settings, settings.topic("progress")):
        name = (record.key or b"").decode()
        if record.value and not name.startswith(HEARTBEAT_PREFIX) and query in (None, name):
            batches.append(progress_from_record(record.value))
    return sorted(batches, key=lambda batch: batch.at)


def batch_at(batches: Sequence[QueryProgress], moment: datetime) -> QueryProgress | None:
    """The newest batch that had begun at a moment, which holds the query's state then; None before the first batch.

    Spark moves the watermark between batches, so a batch describes the query until the next batch begins.

    Args:
        batches: The batches of a query, in the order of time.
        moment: With a time zone.
    """
    return max((batch for batch in batches if batch.at <= moment), key=lambda batch: batch.at, default=None)
