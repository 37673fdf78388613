"""Health: each part has to do its actual work for the check; an open port proves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import requests

from rtlib.broker.errors import broker_errors
from rtlib.broker.registry import subjects
from rtlib.broker.topics import topics
from rtlib.broker.users import ensure_user
from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, ServiceError
from rtlib.pipeline.telemetry.heartbeat import FRESH_SECONDS
from rtlib.pipeline.telemetry.progress_topic import ProgressReader, read_progress
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.records import Heartbeat
from rtlib.services import supervisor
from rtlib.services.parts import PARTS, Part
from rtlib.streaming.job import TORN
from rtlib.streaming.queries import QUERIES

if TYPE_CHECKING:
    from rtlib.services.status import HealthCheck

SHARED_SECONDS = 0.3  # how long a reading of the heartbeats serves further checks
HEARTBEAT_RECORDS = 80  # at the end of the progress topic; they cover some seconds of all parts
Read = Callable[[Settings], Mapping[str, Heartbeat]]


def checks() -> Mapping[str, HealthCheck]:
    """The health check of each part: a request to a server, or the fresh heartbeats of a worker."""
    return _checks(_newest_heartbeats)


def _checks(newest: Read) -> Mapping[str, HealthCheck]:
    read = _Shared(newest)  # a round of checks reads the topic once
    own: dict[str, HealthCheck] = {
        "broker": broker,
        "registry": registry,
        "warehouse": warehouse,
        "receiver": receiver,
        "stream": partial(stream, read=read),
    }
    return {part.name: own.get(part.name) or partial(worker, part=part, read=read) for part in PARTS}


@contextmanager
def checks_at_start() -> Iterator[Mapping[str, HealthCheck]]:
    """The same while the stack starts, over one connection to the broker, because they are repeated many times.

    On a shared machine the broker's user has to be created first.
    """
    with closing(_ProgressTail()) as tail:
        yield {**_checks(tail.newest), "broker": _broker_at_start}


def _broker_at_start(settings: Settings) -> str:
    ensure_user(settings)
    return broker(settings)


def broker(settings: Settings) -> str:
    """Request the list of topics."""
    return f"answers for {len(topics(settings))} topics"


def registry(settings: Settings) -> str:
    """Request the list of subjects."""
    return f"answers for {len(subjects(settings))} subjects"


def warehouse(settings: Settings) -> str:
    """Run a query that works on every warehouse."""
    from rtlib.warehouse.connection import connect, query

    with closing(connect(settings)) as connection:
        query(connection, "select 1 as n")
    return "answers a query"


class _Shared:
    """Reads the newest heartbeats; calls shortly after one another share a reading."""

    def __init__(self, newest: Read) -> None:
        self._newest, self._read_at = newest, float("-inf")
        self._heartbeats: Mapping[str, Heartbeat] = {}

    def __call__(self, settings: Settings) -> Mapping[str, Heartbeat]:
        if time.monotonic() - self._read_at > SHARED_SECONDS:
            self._heartbeats = self._newest(settings)
            self._read_at = time.monotonic()
        return self._heartbeats


class _ProgressTail:
    """The end of the progress topic, over a connection that stays open until an error."""

    def __init__(self) -> None:
        self._reader: ProgressReader | None = None

    def newest(self, settings: Settings) -> Mapping[str, Heartbeat]:
        """The newest heartbeats.

        Raises:
            ServiceError: The broker does not answer.
        """
        try:
            with broker_errors(settings):
                self._reader = self._reader or ProgressReader(settings, tail=HEARTBEAT_RECORDS)
                self._reader.catch_up()
        except ServiceError:
            self.close()
            raise
        return self._reader.heartbeats

    def close(self) -> None:
        """Disconnect from the broker."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _newest_heartbeats(settings: Settings) -> Mapping[str, Heartbeat]:
    return read_progress(settings, tail=HEARTBEAT_RECORDS).heartbeats


def stream(settings: Settings, *, read: Read = _newest_heartbeats) -> str:
    """Check that each query has sent a fresh heartbeat.

    Raises:
        CheckpointTorn: A query is stopped until its checkpoint has been rebuilt.
    """
    heartbeats = _of_this_process(settings, "stream", read)
    for query in QUERIES:
        heartbeat = heartbeats.get(query)
        if heartbeat and heartbeat.numbers.get(TORN):
            raise CheckpointTorn(heartbeat.said, cure=f"rtlib rebuild checkpoint {query}")
        _fresh(heartbeat, f"the {query} query")
    return "both queries run"


def worker(settings: Settings, part: Part, *, read: Read = _newest_heartbeats) -> str:
    """Look for a fresh heartbeat of each name that the part has."""
    beats = _of_this_process(settings, part.name, read)
    return "; ".join(_fresh(beats.get(name), name).said for name in part.heartbeats)


def receiver(settings: Settings) -> str:
    """Request the cards that the local receiver holds."""
    address = receiver_address(settings)
    try:
        answer = requests.get(address.cards, headers=address.headers(), timeout=5)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise ServiceError(
            f"the receiver does not answer ({type(error).__name__})",
            cure="rtlib up starts the stack; rtlib logs receiver shows its last lines",
        ) from error
    return f"holds {len(answer.json())} cards"


def _of_this_process(settings: Settings, part: str, read: Read) -> Mapping[str, Heartbeat]:
    """The newest heartbeat of each name, without those of an earlier process of this part."""
    state = supervisor.states(settings).get(part)
    since = state.started_at if state else 0.0
    return {name: heartbeat for name, heartbeat in read(settings).items() if heartbeat.at.timestamp() >= since}


def _fresh(heartbeat: Heartbeat | None, name: str) -> Heartbeat:
    if heartbeat is None:
        raise ServiceError(f"{name} has not started yet")
    age = (datetime.now(UTC) - heartbeat.at).total_seconds()
    if age > FRESH_SECONDS:
        raise ServiceError(f"{name} was last seen {age:.0f} s ago: {heartbeat.said}")
    if not heartbeat.active:
        raise ServiceError(f"{name} does not run: {heartbeat.said}")
    return heartbeat
