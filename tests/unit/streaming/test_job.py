"""The job keeps its queries running, and restarts them when their configuration has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, ServiceError
from rtlib.pipeline.workers import schema_watch
from rtlib.pipeline.workers.schema_watch import SchemaIds
from rtlib.records import Heartbeat
from rtlib.streaming import job


@dataclass
class Query:
    """A query that runs until it is stopped."""

    name: str
    isActive: bool = True
    recentProgress: list[Any] = field(default_factory=list)
    status: dict[str, str] = field(default_factory=lambda: {"message": "it runs"})

    def stop(self) -> None:
        self.isActive = False

    def exception(self) -> str:
        return "it failed"


def running(answers: list[tuple[str, ...]], *, fail: str = "") -> tuple[list[Query], int]:
    """The started queries and the number of heartbeats, with these answers of ``outdated``."""
    started: list[Query] = []
    heartbeats: list[Any] = []
    over = threading.Event()

    def start(name: str) -> Callable[[], Query]:
        def begin() -> Query:
            query = Query(name, isActive=name != fail or len(started) > 1)
            started.append(query)
            return query

        return begin

    def outdated() -> tuple[str, ...]:
        answer = answers.pop(0)
        if not answers:
            over.set()
        return answer

    starts: Any = {"kpis": start("kpis"), "archive": start("archive")}
    job.run(
        starts,
        on_progress=lambda progress: None,
        on_heartbeat=heartbeats.append,
        stop=over,
        outdated=outdated,
        every_seconds=0.0,
    )
    return started, len(heartbeats)


def names(started: list[Query]) -> list[str]:
    """In the order of their starts, except for the first two, which start together."""
    ordered = [query.name for query in started]
    return [*sorted(ordered[:2]), *ordered[2:]]


def test_queries_with_an_unchanged_configuration_keep_running() -> None:
    started, heartbeats = running([(), (), ()])
    assert names(started) == ["archive", "kpis"]
    assert heartbeats == 6
    assert not any(query.isActive for query in started)


def test_both_queries_are_restarted_once_after_a_change_of_their_configuration() -> None:
    started, heartbeats = running([(), ("kpis", "archive"), ()])
    assert names(started) == ["archive", "kpis", "kpis", "archive"]
    assert heartbeats == 6
    assert not any(query.isActive for query in started)


def test_a_query_with_an_unchanged_configuration_keeps_running_while_another_is_restarted() -> None:
    started, heartbeats = running([(), ("kpis",), ()])
    assert names(started) == ["archive", "kpis", "kpis"]
    assert heartbeats == 6


def test_the_queries_start_and_stop_in_parallel_and_send_their_first_heartbeat_at_once() -> None:
    both, over = threading.Barrier(2, timeout=20), threading.Event()

    class Together(Query):
        def stop(self) -> None:
            both.wait()
            super().stop()

    def start(name: str) -> Callable[[], Query]:
        def begin() -> Query:
            both.wait()
            return Together(name)

        return begin

    starts: Any = {"kpis": start("kpis"), "archive": start("archive")}
    job.run(
        starts,
        on_progress=lambda progress: None,
        on_heartbeat=lambda heartbeat: over.set(),
        stop=over,
        every_seconds=600.0,
    )


def test_a_query_that_failed_in_the_meantime_is_started_once() -> None:
    started, _ = running([("kpis", "archive"), ()], fail="kpis")
    assert sorted(query.name for query in started) == ["archive", "archive", "kpis", "kpis"]


def test_a_newly_registered_schema_is_noticed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [{3}, {3}, {3, 9}, {3, 9}]
    monkeypatch.setattr(schema_watch, "schema_ids", lambda settings, subject: frozenset(answers.pop(0)))
    monkeypatch.setattr(schema_watch, "LOOK_SECONDS", 0.0)
    ids = SchemaIds(Settings())
    assert [(ids.changed(), sorted(ids.known)) for _ in range(3)] == [(False, [3]), (True, [3, 9]), (False, [3, 9])]


def test_the_registry_is_queried_only_every_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[str] = []
    monkeypatch.setattr(
        schema_watch, "schema_ids", lambda settings, subject: frozenset({len(requests), requests.append(subject)})
    )
    ids = SchemaIds(Settings())
    assert not any(ids.changed() for _ in range(100))
    assert len(requests) == 1


def test_an_unreachable_registry_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(settings: Settings, subject: str) -> frozenset[int]:
        raise ServiceError("the registry does not answer")

    monkeypatch.setattr(schema_watch, "schema_ids", lambda settings, subject: frozenset({3}))
    monkeypatch.setattr(schema_watch, "LOOK_SECONDS", 0.0)
    ids = SchemaIds(Settings())
    monkeypatch.setattr(schema_watch, "schema_ids", unreachable)
    assert (ids.changed(), ids.known) == (False, frozenset({3}))


# --- a query that fails in a loop is not healthy ----------------------------------------------------------------------


def heartbeats_of(starts: dict[str, Callable[[], Any]], *, checks: int) -> list[Heartbeat]:
    """The heartbeats of these queries over this number of checks."""
    heartbeats: list[Heartbeat] = []
    over = threading.Event()
    left = iter(range(checks - 1, -1, -1))

    def outdated() -> tuple[str, ...]:
        if next(left) == 0:
            over.set()
        return ()

    job.run(
        starts,
        on_progress=lambda progress: None,
        on_heartbeat=heartbeats.append,
        stop=over,
        outdated=outdated,
        every_seconds=0.0,
    )
    return heartbeats


def torn() -> Query:
    raise CheckpointTorn("the checkpoint is damaged", cure="rtlib rebuild checkpoint kpis")


def test_a_query_with_a_damaged_checkpoint_stays_stopped_while_the_other_continues() -> None:
    heartbeats = heartbeats_of({"kpis": torn, "archive": lambda: Query("archive")}, checks=2)
    states = {(beat.part, beat.active, beat.said, beat.numbers.get(job.TORN)) for beat in heartbeats}
    assert states == {("kpis", False, "the checkpoint is damaged", 1.0), ("archive", True, "it runs", None)}
    assert len(heartbeats) == 4


def test_a_query_that_still_reads_its_checkpoint_is_not_active() -> None:
    heartbeats = heartbeats_of({"kpis": lambda: Query("kpis", status={"message": "Initializing sources"})}, checks=1)
    assert [(beat.active, beat.said) for beat in heartbeats] == [(False, "Initializing sources")]


def test_a_query_that_fails_in_a_loop_is_not_active_and_gives_the_reason() -> None:
    queries = [Query("kpis", isActive=False) for _ in range(3)] + [Query("kpis")]
    heartbeats = heartbeats_of({"kpis": lambda: queries.pop(0)}, checks=3)
    assert (heartbeats[-1].active, heartbeats[-1].said) == (False, "failed 3 times in the last 2 minutes: it failed")


def test_a_query_that_failed_once_and_runs_again_is_active() -> None:
    queries = [Query("kpis", isActive=False), Query("kpis")]
    heartbeats = heartbeats_of({"kpis": lambda: queries.pop(0)}, checks=1)
    assert [(beat.active, beat.said) for beat in heartbeats] == [(True, "it runs")]
