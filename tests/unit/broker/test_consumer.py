"""What records mean: events, KPIs and progress; and that no bytes whatever break the reader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from rtlib.broker.consumer import decode, kpi_from_record, newest_kpis, progress_from_record, progress_to_json
from rtlib.broker.framing import frame
from rtlib.domains.kpi_rules import KpiRules
from rtlib.errors import EventRefused
from rtlib.records import Kpi, QueryProgress

KPI = {
    "domain": "iot",
    "site": "north",
    "window_start": "2026-03-02T08:15:00.000000Z",
    "window_end": "2026-03-02T08:16:00.000000Z",
    "measures": {"readings": 3.0, "mean_temperature": None},
    "events": 3,
    "late": 1,
    "first_event_at": "2026-03-02T08:15:00.250000Z",
    "last_event_at": "2026-03-02T08:15:59.999999Z",
}
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
def test_what_is_not_a_json_object_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(EventRefused) as refused:
        decode(frame(3, payload))
    assert refused.value.reason == reason


@given(record=st.binary() | st.binary().map(lambda payload: frame(3, payload)) | st.none())
def test_any_bytes_are_decoded_or_refused(record: bytes | None) -> None:
    try:
        assert isinstance(decode(record), dict)
    except EventRefused as refused:
        assert refused.reason


def test_a_kpi_is_read_with_kafkas_timestamp() -> None:
    kpi = kpi_from_record(b"2026-03-02T08:15:00Z|north", json.dumps(KPI).encode(), 1_772_439_300_123)
    assert kpi.key == "2026-03-02T08:15:00Z|north"
    assert kpi.measures == {"readings": 3.0, "mean_temperature": None}
    assert (kpi.events, kpi.late) == (3, 1)
    assert kpi.last_event_at == datetime(2026, 3, 2, 8, 15, 59, 999_999, tzinfo=UTC)
    assert kpi.emitted_at == datetime(2026, 3, 2, 8, 15, 0, 123_000, tzinfo=UTC)


def kpi(**changes: Any) -> bytes:
    return json.dumps({**KPI, **changes}).encode()


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[]",
        b'"kpi"',
        b"{}",
        kpi(window_start="2026-03-02T08:15:00"),
        kpi(window_end="9999-12-31T23:59:59Z"),
        kpi(first_event_at="0001-01-01T00:00:00+14:00"),
        kpi(events=float("inf")),
        kpi(events=10**30),
        kpi(events=2.5),
        kpi(late=-1),
        kpi(late=True),
        kpi(measures={"readings": "many"}),
        kpi(measures={"readings": 10**400}),
        kpi(measures=None),
        kpi(site=7),
        kpi(site="\ud800"),
        kpi(domain="a\0b"),
        kpi(measures={"readings": float("nan")}),
        kpi(site="n\u00f6rdlich").replace(b"\\u00f6", b"\xff"),
        b'{"measures":' + b"[" * 7_000 + b"]" * 7_000 + b"}",
    ],
)
def test_what_is_no_kpi_is_refused_by_its_key(value: bytes | None) -> None:
    with pytest.raises(EventRefused, match="its key is b'k'"):
        kpi_from_record(b"k", value, 0)


def test_a_record_far_larger_than_a_kpi_is_refused_before_it_is_read() -> None:
    with pytest.raises(EventRefused, match="larger than 16,384 bytes"):
        kpi_from_record(b"k", kpi(padding="x" * 20_000), 0)


def test_a_reason_is_short_whatever_the_record_holds() -> None:
    for value in (kpi(site=["x" * 9_000]), kpi(window_start="y" * 9_000)):
        with pytest.raises(EventRefused) as refused:
            kpi_from_record(b"k" * 5_000, value, 0)
        assert len(refused.value.reason) < 400


def test_a_refused_record_says_where_it_came_from() -> None:
    _, refused = newest_kpis([told(b"a", b"{")], cast(KpiRules, Everything()))
    shown = refused[0].rejected()
    assert (shown.payload, shown.topic, shown.field) == (b"{", "kpis", "")
    assert shown.reason.startswith("not a KPI record")


def told(key: bytes, value: bytes | None) -> Message:
    """A record of the KPI topic."""
    return Message(topic="kpis", key=key, value=value, timestamp=(1, 1_772_439_300_123))


class Everything:
    """Rules that take every KPI."""

    def check(self, kpi: Kpi, key: bytes | None) -> None:
        pass


def newest(*records: Message) -> tuple[list[int], int]:
    """How many events the newest KPIs count, and how many records were passed over."""
    found, refused = newest_kpis(records, cast(KpiRules, Everything()))
    return sorted(one.events for one in found), len(refused)


def test_of_each_key_the_newest_kpi_counts() -> None:
    assert newest(told(b"a", kpi(events=3)), told(b"b", kpi(events=7)), told(b"a", kpi(events=4))) == ([4, 7], 0)


def test_a_tombstone_is_passed_over_and_does_not_hide_the_kpi_before_it() -> None:
    assert newest(told(b"a", kpi(events=3)), told(b"a", kpi(events=4)), told(b"a", None)) == ([4], 1)


def test_a_record_before_the_newest_is_not_even_read() -> None:
    assert newest(told(b"a", b"{broken"), told(b"a", kpi(events=4))) == ([4], 0)


@given(values=st.lists(st.none() | st.binary() | st.just(kpi(events=1)), max_size=8))
def test_whatever_the_kpi_topic_holds_a_key_has_one_kpi_or_none(values: list[bytes | None]) -> None:
    found, refused = newest(*(told(b"a", value) for value in values))
    assert len(found) == (kpi(events=1) in values)
    assert refused == next((n for n, one in enumerate(reversed(values)) if one == kpi(events=1)), len(values))


@given(progress=PROGRESS)
def test_progress_comes_back_as_it_was(progress: QueryProgress) -> None:
    assert progress_from_record(progress_to_json(progress)) == progress


def test_progress_with_read_only_offsets_can_be_written() -> None:
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    offsets: Any = MappingProxyType({"0": 7})
    progress = QueryProgress("kpis", 1, moment, 2, 1.0, 1.0, 0, 0, None, offsets, offsets)
    assert progress_from_record(progress_to_json(progress)).end_offsets == {"0": 7}


def test_what_is_no_progress_is_refused() -> None:
    with pytest.raises(EventRefused, match="not a progress record"):
        progress_from_record(b'{"at": "2026-03-02T08:15:00Z", "watermark": null}')
