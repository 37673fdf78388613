"""Records in flight: acknowledgements, failures and the limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import MessageSizeTooLargeError

from rtlib.broker import delivery
from rtlib.broker.delivery import SLOT_BYTES, Delivery
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.limits import MAX_EVENT_BYTES


class Answer:
    """The future of a record, with kafka-python's interface."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], None]] = []
        self.errbacks: list[Callable[[Any], None]] = []

    def add_callback(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.append(callback)

    def add_errback(self, errback: Callable[[Any], None]) -> None:
        self.errbacks.append(errback)

    def add_both(self, callback: Callable[[Any], None]) -> None:
        self.add_callback(callback)
        self.add_errback(callback)

    def succeed(self) -> None:
        for callback in self.callbacks:
            callback(None)

    def fail(self) -> None:
        for errback in self.errbacks:
            errback(MessageSizeTooLargeError("too large"))


@pytest.fixture
def flight(tmp_path: Path) -> Delivery:
    return Delivery(Settings(home=tmp_path, kafka_bootstrap_servers="broker:9092"), max_waiting=3)


def send(flight: Delivery, *, size: int = 10, event: bool = True) -> Any:
    answer: Any = Answer()
    flight.track(answer, size=size, event=event)
    return answer


def test_only_events_count_as_acknowledged(flight: Delivery) -> None:
    for answer in (send(flight), send(flight, event=False)):
        answer.succeed()
    assert (flight.acked, flight.failed) == (1, 0)
    flight.raise_failures()


@pytest.mark.parametrize("event", [True, False])
def test_a_record_that_kafka_does_not_accept_is_reported_once_whichever_topic_it_was_for(
    flight: Delivery, event: bool
) -> None:
    send(flight).succeed()
    send(flight, event=event).fail()
    with pytest.raises(ServiceError, match="did not accept 1 record: .*too large"):
        flight.raise_failures()
    flight.raise_failures()
    assert (flight.acked, flight.failed) == (1, 1)


def test_unanswered_records_are_limited_and_a_large_record_takes_several_slots(flight: Delivery) -> None:
    first = send(flight)
    assert flight.has_room
    large = send(flight, size=MAX_EVENT_BYTES + SLOT_BYTES)
    assert not flight.has_room
    large.succeed()
    assert flight.has_room
    first.succeed()


def test_a_full_producer_waits_for_an_answer(flight: Delivery) -> None:
    answers = [send(flight) for _ in range(3)]
    waiting = threading.Thread(target=flight.wait_for_room)
    waiting.start()
    answers[0].succeed()
    waiting.join(timeout=30)
    assert not waiting.is_alive()


def test_a_broker_that_answers_nothing_is_named_in_the_error(flight: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_BLOCK_SECONDS", 0)
    for _ in range(3):
        send(flight)
    with pytest.raises(ServiceError, match="3 records wait for the broker at broker:9092"):
        flight.wait_for_room()
