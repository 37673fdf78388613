"""Serde: events, KPIs, query progress and heartbeats, to bytes and back; arbitrary bytes never break the reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.broker.framing import frame
from rtlib.broker.serde import (
    decode,
    encode,
    encode_lossy,
    heartbeat_from_record,
    heartbeat_to_json,
    kpi_from_record,
    progress_from_record,
    progress_to_json,
)
from rtlib.errors import EventRefused
from rtlib.records import Heartbeat, QueryProgress
from support.broker_events import JSON, kpi_value

MOMENTS = st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1))
PROGRESS = st.builds(
    QueryProgress,
    query=st.sampled_from(["kpis", "archive"]),
    batch_id=st.integers(0),
    at=MOMENTS,
    watermark=st.none() | MOMENTS,
    input_rate=st.floats(0, 1e6),
    processed_rate=st.floats(0, 1e6),
    start_offsets=st.dictionaries(st.sampled_from("0123"), st.integers(0)),
    end_offsets=st.dictionaries(st.sampled_from("0123"), st.integers(0)),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(value=JSON, name=TEXT)
def test_any_json_survives_the_round_trip(value: Any, name: str) -> None:
    event = {name: value}
    try:
        record = encode(event)
    except EventRefused as refused:  # text may hold half of a surrogate pair, which UTF-8 cannot
        assert refused.reason == "not valid UTF-8"
    else:
        assert json.loads(record.decode()) == event


@pytest.mark.parametrize(
    ("event", "field", "reason"),
    [
        ({"site": "a", "value": float("nan")}, "value", "not JSON"),
        ({"value": float("inf")}, "value", "not JSON"),
        ({"attributes": {"bay": 1, "seen": {1, 2}}}, "attributes.seen", "not JSON"),
        ({"producer_id": "\ud800"}, "producer_id", "not valid UTF-8"),
    ],
)
def test_a_value_that_json_lacks_is_refused_by_its_field_and_can_still_be_shown(
    event: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(EventRefused) as refused:
        encode(event)
    assert refused.value.field == field
    assert refused.value.reason.startswith(reason)
    assert field.rpartition(".")[2].encode() in encode_lossy(event)


def test_a_recursive_event_is_refused_and_its_field_names_are_shown() -> None:
    event: dict[str, Any] = {"site": "a"}
    event["attributes"] = event
    with pytest.raises(EventRefused, match="not JSON"):
        encode(event)
    assert encode_lossy(event) == b"['attributes', 'site']"


def test_an_event_is_decoded_from_its_frame() -> None:
    assert decode(frame(3, '{"site": "Köln"}'.encode())) == {"site": "Köln"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"site": "\xff"}', "not valid UTF-8"),
        (b"{", "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b'{"value": NaN}', "not a JSON object"),
        (b'{"value": -Infinity}', "not a JSON object"),
        (b'{"a":' * 1_000, "nested deeper than 8 levels"),
        (b'{"a":' * 100_000, "larger than 8,192 bytes"),
        (b'{"sequence": ' + b"9" * 5_000 + b"}", "not a JSON object"),
    ],
)
def test_a_payload_that_is_not_a_json_object_is_refused_with_the_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(EventRefused) as refused:
        decode(frame(3, payload))
    assert refused.value.reason == reason


@given(record=st.binary() | st.binary().map(lambda payload: frame(3, payload)) | st.none())
def test_any_bytes_are_decoded_or_refused(record: bytes | None) -> None:
    try:
        assert isinstance(decode(record), dict)
    except EventRefused as refused:
        assert refused.reason


def test_a_kpi_carries_kafkas_timestamp() -> None:
    kpi = kpi_from_record(b"2026-03-02T08:15:00Z|north", kpi_value(), 1_772_439_300_123)
    assert kpi.key == "2026-03-02T08:15:00Z|north"
    assert kpi.measures == {"readings": 3.0, "mean_temperature": None}
    assert (kpi.events, kpi.late) == (3, 1)
    assert kpi.last_event_at == datetime(2026, 3, 2, 8, 15, 59, 999_999, tzinfo=UTC)
    assert kpi.emitted_at == datetime(2026, 3, 2, 8, 15, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b'"kpi"',
        b"{}",
        kpi_value(window_start="2026-03-02T08:15:00"),
        kpi_value(window_end="9999-12-31T23:59:59Z"),
        kpi_value(first_event_at="0001-01-01T00:00:00+14:00"),
        kpi_value(events=float("inf")),
        kpi_value(events=10**30),
        kpi_value(events=2.5),
        kpi_value(late=-1),
        kpi_value(late=True),
        kpi_value(measures={"readings": "many"}),
        kpi_value(measures={"readings": 10**400}),
        kpi_value(measures=None),
        kpi_value(site=7),
        kpi_value(site="\ud800"),
        kpi_value(domain="a\0b"),
        kpi_value(measures={"readings": float("nan")}),
        kpi_value(site="n\u00f6rdlich").replace(b"\\u00f6", b"\xff"),
        b'{"measures":' + b"[" * 7_000 + b"]" * 7_000 + b"}",
    ],
)
def test_a_record_that_is_not_a_kpi_is_refused_and_its_key_is_quoted(value: bytes | None) -> None:
    with pytest.raises(EventRefused, match="its key is b'k'"):
        kpi_from_record(b"k", value, 0)


def test_a_record_far_larger_than_a_kpi_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(EventRefused, match="larger than 16,384 bytes"):
        kpi_from_record(b"k", kpi_value(padding="x" * 20_000), 0)


def test_a_reason_is_short_whatever_the_record_holds() -> None:
    for value in (kpi_value(site=["x" * 9_000]), kpi_value(window_start="y" * 9_000)):
        with pytest.raises(EventRefused) as refused:
            kpi_from_record(b"k" * 5_000, value, 0)
        assert len(refused.value.reason) < 400


@given(progress=PROGRESS)
def test_query_progress_survives_the_round_trip(progress: QueryProgress) -> None:
    assert progress_from_record(progress_to_json(progress)) == progress


def test_query_progress_with_read_only_offsets_can_be_encoded() -> None:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    offsets: Any = MappingProxyType({"0": 7})
    progress = QueryProgress("kpis", 1, moment, 2, 1.0, 1.0, 0, 0, None, offsets, offsets)
    assert progress_from_record(progress_to_json(progress)).end_offsets == {"0": 7}


def test_a_record_that_is_not_query_progress_is_refused() -> None:
    with pytest.raises(EventRefused, match="not a progress record"):
        progress_from_record(b'{"at": "2026-03-02T08:15:00Z", "watermark": null}')


def test_a_heartbeat_survives_the_round_trip() -> None:
    beat = Heartbeat("loader", True, "it runs", datetime(2026, 3, 2, tzinfo=UTC), MappingProxyType({"lag": 3.0}))
    assert heartbeat_from_record(heartbeat_to_json(beat)) == beat


@pytest.mark.parametrize("field", [{"at": "2030-01-01T00:00:00"}, {"part": ["loader"]}, {"active": "no"}, {"said": 7}])
def test_a_record_that_is_not_a_heartbeat_is_refused(field: dict[str, Any]) -> None:
    beat = json.loads(heartbeat_to_json(Heartbeat("loader", True, "it runs", datetime.now(UTC))))
    with pytest.raises(EventRefused, match="not a heartbeat"):
        heartbeat_from_record(json.dumps({**beat, **field}).encode())
