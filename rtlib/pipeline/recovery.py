"""Recovery: has everything come back, and has everything arrived that was sent until a moment?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import RtlibError, ServiceError
from rtlib.pipeline import health
from rtlib.pipeline.evidence import is_settled
from rtlib.pipeline.signs import SignReader
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect
from rtlib.warehouse.serve import Counts, counts

PARTS = ("broker", "registry", "warehouse", "stream", "loader")
BEATS = ("kpis", "archive", "loader")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the pipeline is at a moment: the ends of its topics by partition, and what the warehouse holds."""

    at: datetime
    events: Mapping[int, int]
    counts: Counts | None


def mark(settings: Settings) -> Mark:
    """Where the pipeline is now.

    Raises:
        RtlibError: The broker or the warehouse does not answer.
    """
    connection = connect(settings)
    try:
        held = counts(connection, settings.domain)
    finally:
        connection.close()
    return Mark(datetime.now(UTC), end_offsets(settings, settings.topic("events")), held)


def obstacle(settings: Settings, *, since: datetime) -> str | None:
    """What still stands in the way of a recovery since this moment, in a few words; None once there is nothing.

    Every part must answer, every query and the loader must have given a sign of life after it, and the archive must
    have read what Kafka holds now, but for the newest few seconds' worth.
    """
    checks = health.checks()
    for part in PARTS:
        try:
            checks[part](settings)
        except RtlibError as error:
            return f"{part}: {str(error).splitlines()[0]}"
    try:
        return _silent(settings, since) or _behind(settings)
    except RtlibError as error:
        return str(error).splitlines()[0]


def _silent(settings: Settings, since: datetime) -> str | None:
    reader = SignReader(settings, tail=60)
    try:
        reader.catch_up()
    finally:
        reader.close()
    for name in BEATS:
        beat = reader.heartbeats.get(name)
        if beat is None or beat.at <= since:
            return f"no sign of life of {name} yet"
    lag = reader.heartbeats["loader"].numbers.get("lag", 0)
    return f"the loader is {lag:,.0f} KPI records behind" if lag > LOADER_LAG else None


LOADER_LAG = 5_000  # at a high rate the loader always has some records before it
ARCHIVE_SECONDS = 6.0  # and the archive those of about two micro-batches


def _behind(settings: Settings) -> str | None:
    ends = end_offsets(settings, settings.topic("events"))
    connection = connect(settings)
    try:
        reached = audit.archive_progress(connection, settings.domain).offsets
    finally:
        connection.close()
    missing = sum(ends.values()) - sum(reached.values())
    return f"the archive is {missing:,} records behind" if missing > settings.rate * ARCHIVE_SECONDS else None


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
