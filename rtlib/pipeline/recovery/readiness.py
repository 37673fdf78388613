"""Recovery: has everything come back, and has everything arrived that was sent until a moment?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime

from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from rtlib.broker.consumer import consumer
from rtlib.broker.errors import broker_errors
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import RtlibError, ServiceError
from rtlib.pipeline.audit.evidence import is_settled
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.records import QueryProgress
from rtlib.services.parts import PARTS, consumer_group
from rtlib.streaming.queries import QUERIES
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect

REQUIRED = tuple(part for part in PARTS if part.recovers)


def obstacle(
    settings: Settings, *, since: datetime, ends: Mapping[int, int] | None = None, afresh: bool = False
) -> str | None:
    """What still stands in the way of a recovery since this moment, in a few words; None once there is nothing.

    Every part must answer, every query and the loader must have given a sign of life after it, both queries must have
    told of a batch that leaves little before them, and RAW must hold what Kafka holds, but for the newest few seconds'
    worth.

    Args:
        settings: Which stack.
        since: When the harm was over.
        ends: Partition to the end that the events topic had then: both queries must have told that they reached it.
        afresh: Both queries began anew, so that what they told before says nothing.
    """
    checks = health.checks()
    for part in (required.name for required in REQUIRED):
        try:
            checks[part](settings)
        except RtlibError as error:
            return f"{part}: {str(error).splitlines()[0]}"
    try:
        reader = _signs(settings)
        newest = end_offsets(settings, settings.topic("events"))
        told = {name: batches[-1] for name, batches in reader.progress.items() if not afresh or batches[-1].at > since}
        return (
            _silent(reader, since, most=max(LOADER_LAG, settings.rate * ARCHIVE_SECONDS))
            or _replaying(settings, told, ends or {}, newest, afresh=afresh)
            or _behind(settings, newest)
        )
    except RtlibError as error:
        return str(error).splitlines()[0]


def _signs(settings: Settings) -> ProgressReader:
    with broker_errors(settings):
        reader = ProgressReader(settings)
        try:
            reader.catch_up()
        finally:
            reader.close()
    return reader


def _silent(reader: ProgressReader, since: datetime, *, most: float) -> str | None:
    for name in (name for part in REQUIRED for name in part.heartbeats):
        beat = reader.heartbeats.get(name)
        if beat is None or beat.at <= since:
            return f"no sign of life of {name} yet"
    lag = reader.heartbeats["loader"].numbers.get("lag", 0)
    return f"the loader is behind: by {lag:,.0f} KPI records" if lag > most else None


LOADER_SECONDS = 60.0  # how long the loader may take to merge what the KPI topic holds
LOADER_LAG = 200  # KPI records: some are always on their way, and as many as a few seconds' events at a high rate
ARCHIVE_SECONDS = 6.0  # the archive always has those of about two micro-batches before it
BUSY = 2.0  # at a busy hour so many times the mean rate is sent


def _replaying(
    settings: Settings,
    told: Mapping[str, QueryProgress],
    ends: Mapping[int, int],
    newest: Mapping[int, int],
    *,
    afresh: bool,
) -> str | None:
    """A query that has not told yet that it reached ``ends``, or is further from the newest than a batch takes."""
    live = settings.real_time_interval_seconds if settings.trigger == "real-time" else 0
    for query, batch_seconds in (("kpis", live), ("archive", settings.archive_interval_seconds)):
        if query not in told:  # where nothing is sent there may be no batch to tell of, and nothing to read
            if afresh and any(newest.values()):
                return f"the {query} query has not told of a batch yet"
            continue
        missing = lag(told[query], ends)
        allowed = BUSY * settings.rate * (batch_seconds + ARCHIVE_SECONDS)
        if missing or lag(told[query], newest) > allowed:
            return f"the {query} query is behind: by {max(missing, lag(told[query], newest)):,} records"
    return None


def lag(told: QueryProgress, ends: Mapping[int, int]) -> int:
    """Records before these ends that a query had not read by its own account. Pure."""
    return sum(max(0, end - told.end_offsets.get(str(partition), 0)) for partition, end in ends.items())


def _behind(settings: Settings, ends: Mapping[int, int]) -> str | None:
    connection = connect(settings)
    try:
        reached = audit.archive_progress(connection, settings.domain).offsets
    finally:
        connection.close()
    missing = sum(ends.values()) - sum(reached.values())
    return f"the archive is behind: by {missing:,} records" if missing > settings.rate * ARCHIVE_SECONDS else None


def wait_until_recovered(settings: Settings, *, seconds: float = 120) -> None:
    """Wait until every part works and has caught up.

    Raises:
        ServiceError: That did not come; with what stood in the way.
    """
    since = datetime.now(UTC)
    patiently = Retrying(
        retry=retry_if_result(lambda reason: reason is not None),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    reason = patiently(obstacle, settings, since=since)
    if reason is not None:
        raise ServiceError(f"after {seconds:.0f} s the pipeline does not work yet: {reason}", cure="rtlib status")


def last_batches(settings: Settings) -> dict[str, datetime]:
    """For each query that has told of a batch, when the newest of them began.

    Raises:
        ServiceError: The broker does not answer.
    """
    return {name: batches[-1].at for name, batches in _signs(settings).progress.items()}


def wait_for_newer_batches(settings: Settings, known: Mapping[str, datetime], *, seconds: float = 60) -> None:
    """Wait until each query has told of a batch that began after the one known of it.

    Args:
        settings: Which stack.
        known: What ``last_batches`` told before.
        seconds: How long that may take; a real-time batch alone lasts ``real_time_interval_seconds``.

    Raises:
        ServiceError: One has not, or the broker does not answer.
    """

    def old() -> list[str]:
        told = last_batches(settings)
        return [query for query in QUERIES if query not in told or told[query] == known.get(query)]

    try:
        Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.5), stop=stop_after_delay(seconds))(old)
    except RetryError as error:
        names = " and ".join(error.last_attempt.result())
        raise ServiceError(f"after {seconds:.0f} s no batch of {names} is over", cure="rtlib logs stream") from error


def wait_until_settled(settings: Settings, *, seconds: float = 240) -> bool:
    """Wait until everything that is in Kafka has arrived; False when it has not by then."""
    patiently = Retrying(
        retry=retry_if_result(lambda settled: not settled) | retry_if_exception_type(RtlibError),
        wait=wait_fixed(1.0),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda state: False,
    )
    return bool(patiently(is_settled, settings))


def seconds_until_archived(settings: Settings, *, patience: float = 90) -> float:
    """Seconds from now until RAW has all that is in Kafka; the patience when it has not by then.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    began = time.monotonic()
    ends = sum(end_offsets(settings, settings.topic("events")).values())
    connection = connect(settings)
    try:
        Retrying(
            retry=retry_if_result(lambda reached: reached < ends),
            wait=wait_fixed(0.2),
            stop=stop_after_delay(patience),
            retry_error_callback=lambda state: -1,
        )(lambda: sum(audit.archive_progress(connection, settings.domain).offsets.values()))
    finally:
        connection.close()
    return round(time.monotonic() - began, 2)


def wait_until_merged(settings: Settings) -> None:
    """Wait until the loader has committed the offsets that are the ends of the KPI topic now.

    Raises:
        ServiceError: It does not get there, or the broker does not answer.
    """
    from kafka import TopicPartition

    topic = settings.topic("kpis")
    ends = {TopicPartition(topic, number): end for number, end in end_offsets(settings, topic).items()}
    with broker_errors(settings), closing(consumer(settings, group=consumer_group(settings, "loader"))) as reader:
        try:
            Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.2), stop=stop_after_delay(LOADER_SECONDS))(
                lambda: [one for one, end in ends.items() if (reader.committed(one) or 0) < end]
            )
        except RetryError as error:
            raise ServiceError(
                f"the loader has not merged all KPI records after {LOADER_SECONDS:.0f} s", cure="rtlib logs loader"
            ) from error
