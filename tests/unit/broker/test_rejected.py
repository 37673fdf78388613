"""Rejected records, to Kafka and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtlib.broker.rejected import HEADERS, from_record, to_record
from rtlib.records import Rejected

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
REJECTED = st.builds(Rejected, st.binary(), TEXT, TEXT, TEXT, st.integers(-1, 2**31), st.integers(-1, 2**63))


@given(rejected=REJECTED)
def test_a_rejected_record_comes_back_from_kafka_as_it_was(rejected: Rejected) -> None:
    assert from_record(*to_record(rejected)) == rejected


def test_the_bytes_are_untouched_and_the_headers_are_text() -> None:
    value, headers = to_record(Rejected(b"\xff\x00", "not valid UTF-8", "", "rtlib.iot.events", 2, 41))
    assert value == b"\xff\x00"
    assert tuple(name for name, _ in headers) == HEADERS
    assert dict(headers)["offset"] == b"41"


def test_a_record_without_headers_is_told_without_a_reason() -> None:
    assert from_record(b"?", []) == Rejected(b"?", "", "", "", -1, -1)
    assert from_record(None, [("offset", b"far"), ("reason", None)]).offset == -1
