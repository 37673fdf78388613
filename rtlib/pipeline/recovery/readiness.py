"""Readiness: whether every part works again and has caught up, and the waits for the steps on the way there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime

from rtlib.broker.consumer import consumer
from rtlib.broker.errors import broker_errors
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import RtlibError, ServiceError
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.telemetry.progress_topic import ProgressReader, read_progress
from rtlib.records import QueryProgress
from rtlib.services.parts import PARTS, consumer_group
from rtlib.streaming.queries import QUERIES
from rtlib.wait import wait_until
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect

REQUIRED = tuple(part for part in PARTS if part.recovers)
HEARTBEATS = tuple(name for part in REQUIRED for name in part.heartbeats)
LOADER_SECONDS = 60.0  # for the loader to merge what the KPI topic holds
LOADER_LAG = 200  # KPI records: some are always in flight, at a high rate those of a few seconds' events
LOADER_LAG_SECONDS = 6.0  # these few seconds
ARCHIVE_BATCHES = 3.0  # the archive is always behind by the records of two to three micro-batches
REPORT_SECONDS = 6.0  # from the end of a batch until its report is read; also for a shorter interval than a batch takes
PEAK_FACTOR = 2.0  # the rate of a busy hour, relative to the mean


def obstacle(
    settings: Settings, *, since: datetime, ends: Mapping[int, int] | None = None, afresh: bool = False
) -> str | None:
    """The first obstacle to a recovery, in a few words; None once the pipeline has recovered.

    Every part must answer; every query and the loader must have sent a heartbeat since then; both queries must have
    reported a batch close to the end of the topic; and RAW must hold what Kafka holds, except for the last few seconds.

    Args:
        settings: Which stack.
        since: When the fault was over (UTC).
        ends: Partition to the end of the events topic at that time; both queries must have reported reaching it.
        afresh: Both queries started from scratch, so progress reported before ``since`` does not count.
    """
    checks = health.checks()
    for part in REQUIRED:
        try:
            checks[part.name](settings)
        except RtlibError as error:
            return f"{part.name}: {str(error).splitlines()[0]}"
    try:
        reader = read_progress(settings)
        newest = end_offsets(settings, settings.topic("events"))
        progress = {
            name: batches[-1] for name, batches in reader.progress.items() if not afresh or batches[-1].at > since
        }
        return (
            _silent(reader, since, max_lag=max(LOADER_LAG, settings.rate * LOADER_LAG_SECONDS))
            or _replaying(settings, progress, ends or {}, newest, afresh=afresh)
            or _behind(settings, newest)
        )
    except RtlibError as error:
        return str(error).splitlines()[0]


def _silent(reader: ProgressReader, since: datetime, *, max_lag: float) -> str | None:
    for name in HEARTBEATS:
        heartbeat = reader.heartbeats.get(name)
        if heartbeat is None or heartbeat.at <= since:
            return f"no heartbeat of {name} yet"
    loader_lag = reader.heartbeats["loader"].numbers.get("lag", 0)
    return f"the loader is behind: by {loader_lag:,.0f} KPI records" if loader_lag > max_lag else None


def _replaying(
    settings: Settings,
    progress: Mapping[str, QueryProgress],
    ends: Mapping[int, int],
    newest: Mapping[int, int],
    *,
    afresh: bool,
) -> str | None:
    """A query that has not reported reaching ``ends``, or is further from the newest record than a batch takes."""
    interval = settings.real_time_interval_seconds if settings.trigger == "real-time" else 0
    for query, behind_seconds in (("kpis", interval + REPORT_SECONDS), ("archive", archive_seconds(settings))):
        if query not in progress:  # if nothing is sent, there may be no batch and nothing to read
            if afresh and any(newest.values()):
                return f"the {query} query has not reported a batch yet"
            continue
        missing = lag(progress[query], ends)
        allowed = PEAK_FACTOR * settings.rate * behind_seconds
        if missing or lag(progress[query], newest) > allowed:
            return f"the {query} query is behind: by {max(missing, lag(progress[query], newest)):,} records"
    return None


def archive_seconds(settings: Settings) -> float:
    """How far the archive may be behind Kafka while it keeps up, in seconds."""
    return max(REPORT_SECONDS, ARCHIVE_BATCHES * settings.archive_interval_seconds)


def lag(progress: QueryProgress, ends: Mapping[int, int]) -> int:
    """Records before these ends that a query has not read, by its own report. Pure."""
    return sum(max(0, end - progress.end_offsets.get(str(partition), 0)) for partition, end in ends.items())


def _behind(settings: Settings, ends: Mapping[int, int]) -> str | None:
    with closing(connect(settings)) as connection:
        reached = audit.archive_progress(connection, settings.domain).offsets
    missing = sum(ends.values()) - sum(reached.values())
    allowed = settings.rate * archive_seconds(settings)
    return f"the archive is behind: by {missing:,} records" if missing > allowed else None


def wait_until_recovered(settings: Settings, *, seconds: float = 120) -> None:
    """Wait until every part works and has caught up.

    Raises:
        ServiceError: That did not happen in time; the message names the obstacle.
    """
    since = datetime.now(UTC)
    reason = wait_until(
        lambda: obstacle(settings, since=since), seconds=seconds, interval=0.5, holds=lambda reason: reason is None
    )
    if reason is not None:
        raise ServiceError(f"after {seconds:.0f} s the pipeline does not work yet: {reason}", cure="rtlib status")


def last_batches(settings: Settings) -> dict[str, datetime]:
    """For each query that has reported a batch, when the newest batch began (UTC).

    Raises:
        ServiceError: The broker does not answer.
    """
    return {name: batches[-1].at for name, batches in read_progress(settings).progress.items()}


def wait_for_newer_batches(settings: Settings, known: Mapping[str, datetime], *, seconds: float = 60) -> None:
    """Wait until each query has reported a newer batch.

    Args:
        settings: Which stack.
        known: The batches before, as returned by ``last_batches``.
        seconds: The time limit; a real-time batch alone lasts ``real_time_interval_seconds``.

    Raises:
        ServiceError: A query has not, or the broker does not answer.
    """

    def without_newer_batch() -> list[str]:
        batches = last_batches(settings)
        return [query for query in QUERIES if query not in batches or batches[query] == known.get(query)]

    late = wait_until(without_newer_batch, seconds=seconds, interval=0.5, holds=lambda queries: not queries)
    if late:
        raise ServiceError(f"after {seconds:.0f} s no batch of {' and '.join(late)} is over", cure="rtlib logs stream")


def seconds_until_archived(settings: Settings, *, patience: float = 90) -> float:
    """Seconds until RAW holds everything that is in Kafka now, at most about ``patience``.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    began = time.monotonic()
    end = sum(end_offsets(settings, settings.topic("events")).values())
    with closing(connect(settings)) as connection:
        wait_until(
            lambda: sum(audit.archive_progress(connection, settings.domain).offsets.values()) >= end,
            seconds=patience,
            interval=0.2,
        )
    return round(time.monotonic() - began, 2)


def wait_until_merged(settings: Settings) -> None:
    """Wait until the loader has committed the offsets at which the KPI topic ends now.

    Raises:
        ServiceError: It does not get there, or the broker does not answer.
    """
    from kafka import TopicPartition

    topic = settings.topic("kpis")
    ends = {TopicPartition(topic, number): end for number, end in end_offsets(settings, topic).items()}
    with broker_errors(settings), closing(consumer(settings, group=consumer_group(settings, "loader"))) as reader:
        merged = wait_until(
            lambda: all((reader.committed(partition) or 0) >= end for partition, end in ends.items()),
            seconds=LOADER_SECONDS,
            interval=0.2,
        )
    if not merged:
        raise ServiceError(
            f"the loader has not merged all KPI records after {LOADER_SECONDS:.0f} s", cure="rtlib logs loader"
        )
