"""Travel: back through what each batch of a query did, and what it knew at a moment.

The streaming application publishes the progress of every batch: which offsets it read, where its watermark stood, how
many rows its state held, and how many it dropped as too late. The topic keeps a day of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rtlib.broker.serde import progress_from_record
from rtlib.broker.topic_scan import contents
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.telemetry.progress_topic import HEARTBEAT_PREFIX
from rtlib.records import QueryProgress
from rtlib.streaming.queries import QUERIES


def history(settings: Settings, *, query: str | None = None) -> list[QueryProgress]:
    """Every batch that is still recorded, in the order of time.

    Args:
        settings: Which domain.
        query: ``kpis`` or ``archive``; None for both.

    Raises:
        ConfigError: There is no such query.
        ServiceError: The broker does not answer.
    """
    if query not in (None, *QUERIES):
        raise ConfigError(f"no query is called {query!r}", cure=f"use one of: {', '.join(QUERIES)}")
    found = []
    for record in contents(settings, settings.topic("progress")):
        name = (record.key or b"").decode()
        if record.value and not name.startswith(HEARTBEAT_PREFIX) and query in (None, name):
            found.append(progress_from_record(record.value))
    return sorted(found, key=lambda one: one.at)


def knew_at(batches: Sequence[QueryProgress], moment: datetime) -> QueryProgress | None:
    """The newest batch that had begun by a moment: what the query knew then. None before the first.

    Spark moves the watermark between batches, so what a batch tells holds until the next one.

    Args:
        batches: In the order of time, of one query.
        moment: Aware.
    """
    return max((one for one in batches if one.at <= moment), key=lambda one: one.at, default=None)
