"""Records in flight: acknowledgements, failures and the limit."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from kafka.errors import MessageSizeTooLargeError
from kafka.future import Future

from rtlib.broker import delivery
from rtlib.broker.delivery import SLOT_BYTES, Delivery
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.limits import MAX_EVENT_BYTES


@pytest.fixture
def flight(tmp_path: Path) -> Delivery:
    return Delivery(Settings(home=tmp_path, kafka_bootstrap_servers="broker:9092"), max_waiting=3)


def send(flight: Delivery, *, size: int = 10, event: bool = True) -> Future:
    future = Future()
    flight.track(future, size=size, event=event)
    return future


def test_only_events_count_as_acknowledged(flight: Delivery) -> None:
    for future in (send(flight), send(flight, event=False)):
        future.success(None)
    assert (flight.acked, flight.failed) == (1, 0)
    flight.raise_failures()


@pytest.mark.parametrize("event", [True, False])
def test_a_record_that_kafka_does_not_accept_is_reported_once_whichever_topic_it_was_for(
    flight: Delivery, event: bool
) -> None:
    send(flight).success(None)
    send(flight, event=event).failure(MessageSizeTooLargeError("too large"))
    with pytest.raises(ServiceError, match="did not accept 1 record: .*too large"):
        flight.raise_failures()
    flight.raise_failures()
    assert (flight.acked, flight.failed) == (1, 1)


def test_unanswered_records_are_limited_and_a_large_record_takes_several_slots(flight: Delivery) -> None:
    first = send(flight)
    assert flight.has_room
    large = send(flight, size=MAX_EVENT_BYTES + SLOT_BYTES)
    assert not flight.has_room
    large.success(None)
    assert flight.has_room
    first.success(None)


def test_a_full_producer_waits_for_an_answer(flight: Delivery) -> None:
    futures = [send(flight) for _ in range(3)]
    waiting = threading.Thread(target=flight.wait_for_room)
    waiting.start()
    futures[0].success(None)
    waiting.join(timeout=30)
    assert not waiting.is_alive()


def test_a_broker_that_answers_nothing_is_named_in_the_error(flight: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_BLOCK_SECONDS", 0)
    for _ in range(3):
        send(flight)
    with pytest.raises(ServiceError, match="3 records wait for the broker at broker:9092"):
        flight.wait_for_room()
