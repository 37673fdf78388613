"""The job keeps its queries running, and starts them again when what they were started with has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, ServiceError
from rtlib.pipeline import versions
from rtlib.pipeline.versions import SchemaIds
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


def running(looks: list[tuple[str, ...]], *, fail: str = "") -> tuple[list[Query], int]:
    """The queries that were started while these answers were given, and how many signs of life there were."""
    started: list[Query] = []
    beats: list[Any] = []
    over = threading.Event()

    def start(name: str) -> Callable[[], Query]:
        def begin() -> Query:
            query = Query(name, isActive=name != fail or len(started) > 1)
            started.append(query)
            return query

        return begin

    def outdated() -> tuple[str, ...]:
        answer = looks.pop(0)
        if not looks:
            over.set()
        return answer

    starts: Any = {"kpis": start("kpis"), "archive": start("archive")}
    job.run(
        starts, on_progress=lambda one: None, on_heartbeat=beats.append, stop=over, outdated=outdated, every_seconds=0.0
    )
    return started, len(beats)


def names(started: list[Query]) -> list[str]:
    """In the order of their starts, but for the first two, which start together."""
    told = [one.name for one in started]
    return [*sorted(told[:2]), *told[2:]]


def test_queries_whose_start_has_not_changed_are_left_alone() -> None:
    started, beats = running([(), (), ()])
    assert names(started) == ["archive", "kpis"]
    assert beats == 6
    assert not any(one.isActive for one in started)


def test_both_queries_are_stopped_and_started_again_once_when_what_they_were_started_with_has_changed() -> None:
    started, beats = running([(), ("kpis", "archive"), ()])
    assert names(started) == ["archive", "kpis", "kpis", "archive"]
    assert beats == 6
    assert not any(one.isActive for one in started)


def test_a_query_for_which_nothing_has_changed_goes_on_while_another_is_started_again() -> None:
    started, beats = running([(), ("kpis",), ()])
    assert names(started) == ["archive", "kpis", "kpis"]
    assert beats == 6


def test_the_queries_start_and_stop_together_and_their_first_sign_of_life_comes_at_once() -> None:
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
    job.run(starts, on_progress=lambda one: None, on_heartbeat=lambda told: over.set(), stop=over, every_seconds=600.0)


def test_a_query_that_failed_meanwhile_is_started_once() -> None:
    started, _ = running([("kpis", "archive"), ()], fail="kpis")
    assert sorted(one.name for one in started) == ["archive", "archive", "kpis", "kpis"]


def test_a_schema_registered_meanwhile_is_noticed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [{3}, {3}, {3, 9}, {3, 9}]
    monkeypatch.setattr(versions, "schema_ids", lambda settings, subject: frozenset(answers.pop(0)))
    monkeypatch.setattr(versions, "LOOK_SECONDS", 0.0)
    ids = SchemaIds(Settings())
    assert [(ids.changed(), sorted(ids.known)) for _ in range(3)] == [(False, [3]), (True, [3, 9]), (False, [3, 9])]


def test_the_registry_is_asked_now_and_then_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        versions, "schema_ids", lambda settings, subject: frozenset({len(asked), asked.append(subject)})
    )
    ids = SchemaIds(Settings())
    assert not any(ids.changed() for _ in range(100))
    assert len(asked) == 1


def test_a_registry_that_is_away_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(settings: Settings, subject: str) -> frozenset[int]:
        raise ServiceError("the registry does not answer")

    monkeypatch.setattr(versions, "schema_ids", lambda settings, subject: frozenset({3}))
    monkeypatch.setattr(versions, "LOOK_SECONDS", 0.0)
    ids = SchemaIds(Settings())
    monkeypatch.setattr(versions, "schema_ids", away)
    assert (ids.changed(), ids.known) == (False, frozenset({3}))


# --- what fails again and again is not well --------------------------------------------------------------------------


def heartbeats(starts: dict[str, Callable[[], Any]], *, looks: int) -> list[Heartbeat]:
    """The signs of life of these queries while the job looks at them so often."""
    beats: list[Heartbeat] = []
    over = threading.Event()
    left = iter(range(looks - 1, -1, -1))

    def outdated() -> tuple[str, ...]:
        if next(left) == 0:
            over.set()
        return ()

    job.run(
        starts, on_progress=lambda one: None, on_heartbeat=beats.append, stop=over, outdated=outdated, every_seconds=0.0
    )
    return beats


def torn() -> Query:
    raise CheckpointTorn("the checkpoint is damaged", cure="rtlib rebuild checkpoint kpis")


def test_a_query_with_a_damaged_checkpoint_stays_stopped_and_says_so_while_the_other_goes_on() -> None:
    beats = heartbeats({"kpis": torn, "archive": lambda: Query("archive")}, looks=2)
    told = {(one.part, one.active, one.said, one.numbers.get(job.TORN)) for one in beats}
    assert told == {("kpis", False, "the checkpoint is damaged", 1.0), ("archive", True, "it runs", None)}
    assert len(beats) == 4


def test_a_query_that_still_reads_its_checkpoint_is_not_active() -> None:
    beats = heartbeats({"kpis": lambda: Query("kpis", status={"message": "Initializing sources"})}, looks=1)
    assert [(one.active, one.said) for one in beats] == [(False, "Initializing sources")]


def test_a_query_that_fails_again_and_again_is_not_active_and_says_why() -> None:
    begun = [Query("kpis", isActive=False) for _ in range(3)] + [Query("kpis")]
    beats = heartbeats({"kpis": lambda: begun.pop(0)}, looks=3)
    assert (beats[-1].active, beats[-1].said) == (False, "failed 3 times in the last 2 minutes: it failed")


def test_a_query_that_failed_once_and_runs_again_is_active() -> None:
    begun = [Query("kpis", isActive=False), Query("kpis")]
    beats = heartbeats({"kpis": lambda: begun.pop(0)}, looks=1)
    assert [(one.active, one.said) for one in beats] == [(True, "it runs")]
