"""Rejected records, to Kafka and back."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError

from rtlib.broker.rejected import HEADERS, from_record, publish, to_record
from rtlib.records import Rejected

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
REJECTED = st.builds(Rejected, st.binary(), TEXT, TEXT, TEXT, st.integers(-1, 2**31), st.integers(-1, 2**63))


@given(rejected=REJECTED)
def test_a_rejected_record_survives_the_round_trip_through_kafka(rejected: Rejected) -> None:
    assert from_record(*to_record(rejected)) == rejected


def test_the_bytes_are_untouched_and_the_headers_are_text() -> None:
    value, headers = to_record(Rejected(b"\xff\x00", "not valid UTF-8", "", "rtlib.iot.events", 2, 41))
    assert value == b"\xff\x00"
    assert tuple(name for name, _ in headers) == HEADERS
    assert dict(headers)["offset"] == b"41"


def test_missing_headers_become_empty_texts_and_minus_one() -> None:
    assert from_record(b"?", []) == Rejected(b"?", "", "", "", -1, -1)
    assert from_record(None, [("offset", b"far"), ("reason", None)]).offset == -1


class Answer(Future[None]):
    """The future of a record, with kafka-python's method ``get``."""

    def get(self, timeout: float) -> None:
        self.result(timeout)


class RefusingProducer:
    """A producer whose flush succeeds although Kafka refused the second of its records."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, topic: str, *, value: bytes, headers: Any) -> Answer:
        self.sent += 1
        answer = Answer()
        answer.set_exception(MessageSizeTooLargeError("too large")) if self.sent == 2 else answer.set_result(None)
        return answer

    def flush(self, timeout: float) -> None: ...


def test_a_record_that_kafka_refuses_is_an_error_although_the_flush_succeeds() -> None:
    records = [Rejected(b"?", "not a JSON object", "", "rtlib.iot.events", 0, offset) for offset in range(3)]
    with pytest.raises(MessageSizeTooLargeError):
        publish(cast(KafkaProducer, RefusingProducer()), "rtlib.iot.rejected", records)
