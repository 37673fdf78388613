"""Health: each part has to do its actual work for the check; an open port proves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import requests

from rtlib.broker.registry import subjects
from rtlib.broker.topics import topics
from rtlib.broker.users import ensure_user
from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, ServiceError
from rtlib.pipeline.telemetry.heartbeat import FRESH_SECONDS
from rtlib.pipeline.telemetry.progress_topic import read_progress
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.records import Heartbeat
from rtlib.services import supervisor
from rtlib.services.parts import PARTS, Part
from rtlib.streaming.job import TORN
from rtlib.streaming.queries import QUERIES

if TYPE_CHECKING:
    from rtlib.services.status import HealthCheck

HEARTBEAT_RECORDS = 80  # at the end of the progress topic; they cover some seconds of all parts


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


def stream(settings: Settings) -> str:
    """Check that each query has sent a fresh heartbeat.

    Raises:
        CheckpointTorn: A query is stopped until its checkpoint has been rebuilt.
    """
    heartbeats = _heartbeats(settings, "stream")
    for query in QUERIES:
        heartbeat = heartbeats.get(query)
        if heartbeat and heartbeat.numbers.get(TORN):
            raise CheckpointTorn(heartbeat.said, cure=f"rtlib rebuild checkpoint {query}")
        _fresh(heartbeat, f"the {query} query")
    return "both queries run"


def worker(settings: Settings, part: Part) -> str:
    """Look for a fresh heartbeat of each name that the part has."""
    beats = _heartbeats(settings, part.name)
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


def _heartbeats(settings: Settings, part: str) -> Mapping[str, Heartbeat]:
    """The newest heartbeat of each name, without those of an earlier process of this part."""
    state = supervisor.states(settings).get(part)
    since = state.started_at if state else 0.0
    heartbeats = read_progress(settings, tail=HEARTBEAT_RECORDS).heartbeats
    return {name: heartbeat for name, heartbeat in heartbeats.items() if heartbeat.at.timestamp() >= since}


def _fresh(heartbeat: Heartbeat | None, name: str) -> Heartbeat:
    if heartbeat is None:
        raise ServiceError(f"{name} has not started yet")
    age = (datetime.now(UTC) - heartbeat.at).total_seconds()
    if age > FRESH_SECONDS:
        raise ServiceError(f"{name} was last seen {age:.0f} s ago: {heartbeat.said}")
    if not heartbeat.active:
        raise ServiceError(f"{name} does not run: {heartbeat.said}")
    return heartbeat
