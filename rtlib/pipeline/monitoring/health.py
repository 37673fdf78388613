"""Health: each part is asked to do the thing it is there for; a port that is open proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import requests
from kafka.errors import KafkaError

from rtlib.broker.registry import subjects
from rtlib.broker.topics import topics
from rtlib.broker.users import ensure_user
from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, ServiceError
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.records import Heartbeat
from rtlib.services import supervisor
from rtlib.services.parts import PARTS, Part
from rtlib.streaming.job import TORN
from rtlib.streaming.queries import QUERIES

if TYPE_CHECKING:
    from rtlib.services.status import HealthCheck

OLD_SECONDS = 10.0


def checks() -> Mapping[str, HealthCheck]:
    """The health check of each part: a request to a server, or the fresh heartbeats of a worker."""
    own = {"broker": broker, "registry": registry, "warehouse": warehouse, "receiver": receiver, "stream": stream}
    return {part.name: own.get(part.name) or partial(worker, part=part) for part in PARTS}


def checks_at_start() -> Mapping[str, HealthCheck]:
    """The same while the stack starts: on a shared machine the broker's user has to be created first."""
    return {**checks(), "broker": _broker_at_start}


def _broker_at_start(settings: Settings) -> str:
    ensure_user(settings)
    return broker(settings)


def broker(settings: Settings) -> str:
    """Ask the broker for its topics."""
    return f"answers for {len(topics(settings))} topics"


def registry(settings: Settings) -> str:
    """Ask the registry for its subjects."""
    return f"answers for {len(subjects(settings))} subjects"


def warehouse(settings: Settings) -> str:
    """Ask the warehouse a question that every warehouse can answer."""
    from rtlib.warehouse.connection import connect, query

    connection = connect(settings)
    try:
        query(connection, "select 1 as one")
    finally:
        connection.close()
    return "answers a query"


def stream(settings: Settings) -> str:
    """Look for a fresh heartbeat of each query.

    Raises:
        CheckpointTorn: A query is stopped until its checkpoint has been rebuilt.
    """
    beats = _heartbeats(settings, "stream")
    for query in QUERIES:
        beat = beats.get(query)
        if beat and beat.numbers.get(TORN):
            raise CheckpointTorn(beat.said, cure=f"rtlib rebuild checkpoint {query}")
        _fresh(beat, f"the {query} query")
    return "both queries run"


def worker(settings: Settings, part: Part) -> str:
    """Look for a fresh heartbeat of each name that the part has."""
    beats = _heartbeats(settings, part.name)
    return "; ".join(_fresh(beats.get(name), name).said for name in part.heartbeats)


def receiver(settings: Settings) -> str:
    """Ask the local receiver for the cards it took."""
    address = receiver_address(settings)
    try:
        answer = requests.get(address.cards, headers=address.headers(), timeout=5)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise ServiceError(
            f"the receiver does not answer ({type(error).__name__})",
            cure="rtlib up starts the stack; rtlib logs receiver shows what it said last",
        ) from error
    return f"holds {len(answer.json())} cards"


def _heartbeats(settings: Settings, part: str) -> Mapping[str, Heartbeat]:
    """The newest heartbeat of each name, without those that an earlier process of this part has left behind."""
    state = supervisor.states(settings).get(part)
    reader = ProgressReader(settings, tail=80)
    try:
        reader.catch_up()
        since = state.started_at if state else 0.0
        return {name: beat for name, beat in reader.heartbeats.items() if beat.at.timestamp() >= since}
    except KafkaError as error:
        raise ServiceError(f"the broker does not answer ({type(error).__name__})", cure="rtlib logs broker") from error
    finally:
        reader.close()


def _fresh(beat: Heartbeat | None, who: str) -> Heartbeat:
    if beat is None:
        raise ServiceError(f"{who} has not started yet")
    age = (datetime.now(UTC) - beat.at).total_seconds()
    if age > OLD_SECONDS:
        raise ServiceError(f"{who} was last seen {age:.0f} s ago: {beat.said}")
    if not beat.active:
        raise ServiceError(f"{who} does not run: {beat.said}")
    return beat
