"""The record limit of the archive query's batches, from the size of the records."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.workers import batch_size
from rtlib.pipeline.workers.batch_size import BATCH_BYTES, MAX_ROWS, BatchSize

USUAL, LARGE = 400, 900_000  # bytes
MAX_BYTES = BATCH_BYTES["laptop"]


class Topic:
    """The events topic as the broker reports it."""

    def __init__(self) -> None:
        self.records = self.bytes = 0
        self.unreachable = False

    def add(self, count: int, size: int) -> None:
        self.records, self.bytes = self.records + count, self.bytes + count * size

    def begin(self) -> int:
        return 0

    def end(self) -> int:
        if self.unreachable:
            raise ServiceError("the broker does not answer")
        return self.records

    def size(self) -> int:
        return self.bytes

    def close(self) -> None: ...


Make = Callable[[], tuple[Topic, BatchSize]]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    monkeypatch.setattr(batch_size, "LOOK_SECONDS", 0.0)
    return Topic()


def sized(topic: Topic, tmp_path: Path) -> BatchSize:
    return BatchSize(Settings(home=tmp_path), topic=cast(Any, topic))


def test_usual_events_are_limited_only_in_number_for_any_backlog(topic: Topic, tmp_path: Path) -> None:
    topic.add(2_000_000, USUAL)
    size = sized(topic, tmp_path)
    topic.add(2_000_000, USUAL)
    assert (size.changed(), size.rows) == (False, MAX_ROWS)


def test_a_sudden_flood_of_large_records_makes_batches_small_until_it_is_archived(topic: Topic, tmp_path: Path) -> None:
    topic.add(10_000, USUAL)
    size = sized(topic, tmp_path)
    size.end({"0": 10_000})
    assert not size.is_reduced
    topic.add(400, LARGE)
    assert size.changed()
    assert size.is_reduced
    assert 1 < size.rows * LARGE <= MAX_BYTES
    assert not size.changed()
    size.end({"0": 10_390})
    assert (size.changed(), size.rows) == (True, MAX_ROWS)


def test_the_first_batch_is_already_small_when_a_flood_waits_at_the_start(topic: Topic, tmp_path: Path) -> None:
    topic.add(5_000, LARGE)
    assert sized(topic, tmp_path).rows * LARGE <= MAX_BYTES


def test_a_few_large_records_that_fit_in_a_batch_change_nothing(topic: Topic, tmp_path: Path) -> None:
    size = sized(topic, tmp_path)
    topic.add(20, LARGE)
    assert not size.changed()


def test_large_records_that_are_already_archived_change_nothing(topic: Topic, tmp_path: Path) -> None:
    size = sized(topic, tmp_path)
    size.end({"0": 400, "1": 600})
    topic.add(1_000, LARGE)
    assert not size.changed()


def test_an_unreachable_broker_changes_nothing(topic: Topic, tmp_path: Path) -> None:
    size = sized(topic, tmp_path)
    topic.add(1_000, LARGE)
    topic.unreachable = True
    assert (size.changed(), size.rows) == (False, MAX_ROWS)


def test_the_query_restarts_between_two_batches_and_the_finished_batch_waits_for_it(
    topic: Topic, tmp_path: Path
) -> None:
    size = sized(topic, tmp_path)
    size.begin()
    topic.add(1_000, LARGE)
    assert not size.changed()
    ended = threading.Thread(target=size.end, args=({"0": 100},))
    ended.start()
    while not size.changed():
        assert ended.is_alive()
    ended.join()
    assert size.rows < MAX_ROWS
