"""The streaming application's verdict on a record, held against the jsonschema library's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from rtlib.broker.framing import frame
from rtlib.broker.serde import decode
from rtlib.broker.validation import compile_schema
from rtlib.config import DOMAINS
from rtlib.domains import load_domain
from rtlib.errors import EventRefused
from rtlib.limits import MAX_EVENT_BYTES, MAX_EVENT_DEPTH, TOO_DEEP, TOO_LARGE
from rtlib.simulator import Simulator
from rtlib.simulator.malformed import BREAKAGES, malformed_payload
from support import hostile

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
FRAME = b"\x00\x00\x00\x00\x01"
GOOD = 200  # good events of each domain
BROKEN = 5  # events that are broken in every way

# Which field the verdict names; none where it is the whole record.
FIELDS = {
    "truncated": "",
    "not UTF-8": "",
    "not JSON": "",
    "an empty object": "event_id",
    "an array": "",
    "value is text": "value",
    "value out of range": "value",
    "sequence is text": "sequence",
    "sequence is negative": "sequence",
    "no event_id": "event_id",
    "no occurred_at": "occurred_at",
    "event_id is no UUID": "event_id",
    "unknown kind": "kind",
    "unknown site": "site",
    "another domain": "domain",
    "local time": "occurred_at",
    "impossible month": "occurred_at",
    "attributes is null": "attributes",
    "an unexpected field": "",
}
# What a client in another language, or a careless one, may write in any field.
ODD_VALUES: tuple[Any, ...] = (None, "", "text", "7", 7, -7, 7.5, 1e300, 10**30, True, [], ["a"], {}, {"a": 1})


@dataclass(frozen=True)
class Verdict:
    """What Spark says of a record; ``reason`` is None for one that fits."""

    reason: str | None
    field: str | None
    row: dict[str, Any]


def verdicts(
    spark: SparkSession, domain: str, values: Sequence[bytes | None], *, schema_ids: Sequence[int] | None = None
) -> list[Verdict]:
    """Spark's verdict on records that Kafka received an hour after ``START``, in their order."""
    from rtlib.streaming.validation import validate_records

    columns = "value binary, topic string, partition int, offset bigint, timestamp timestamp"
    received = START + timedelta(hours=1)
    rows = [(value, "events", number % 4, number, received) for number, value in enumerate(values)]
    source, schema = spark.createDataFrame(rows, columns), load_domain(domain).schema
    told = validate_records(source, schema, future_seconds=60, schema_ids=schema_ids).collect()
    told.sort(key=lambda row: row["kafka_offset"])
    return [Verdict(row["reason"], row["field"], row.asDict()) for row in told]


@cache
def events(domain: str, count: int = GOOD) -> tuple[dict[str, Any], ...]:
    """Good events of the simulator, as JSON objects."""
    world = Simulator(load_domain(domain), seed=7, start=START, rate=50)
    return tuple(sent.event.to_json() for sent in islice(world.records(), count) if sent.event is not None)


def fits(domain: str, payload: bytes) -> bool:
    """The jsonschema library's verdict."""
    try:
        told = json.loads(payload.decode())
    except ValueError:
        return False
    return bool(Draft7Validator(load_domain(domain).schema).is_valid(told))


def as_json(fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def record(**changes: Any) -> bytes:
    return FRAME + as_json({**events("curbside")[0], **changes})


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_good_event_is_accepted_with_all_its_fields(spark: SparkSession, domain: str) -> None:
    sent = events(domain)
    told = verdicts(spark, domain, [FRAME + as_json(one) for one in sent])
    assert len(told) == GOOD
    assert [one.reason for one in told] == [None] * GOOD
    for one, event in zip(told, sent, strict=True):
        assert one.row["occurred_at"].astimezone(UTC) == datetime.fromisoformat(event["occurred_at"])
        assert json.loads(one.row["attributes"]) == event["attributes"]
        plain = set(event) - {"occurred_at", "attributes"}
        assert {name: one.row[name] for name in plain} == {name: event[name] for name in plain}


def test_every_breakage_of_the_simulator_has_an_expected_field() -> None:
    assert set(FIELDS) == set(BREAKAGES)


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_breakage_is_refused_by_spark_and_by_the_library_and_names_its_field(
    spark: SparkSession, domain: str
) -> None:
    cases = [(name, malformed_payload(name, event)) for name in BREAKAGES for event in events(domain)[:BROKEN]]
    told = verdicts(spark, domain, [FRAME + payload for _, payload in cases])
    assert [name for name, payload in cases if fits(domain, payload)] == []
    assert {name for (name, _), one in zip(cases, told, strict=True) if not one.reason} == set()
    assert {name: one.field for (name, _), one in zip(cases, told, strict=True)} == FIELDS
    assert [one.row["payload"] for one in told] == [FRAME + payload for _, payload in cases]


@pytest.mark.parametrize("domain", DOMAINS)
def test_whatever_stands_in_a_field_spark_and_the_library_agree(spark: SparkSession, domain: str) -> None:
    event = events(domain)[0]
    odd = [(name, {**event, name: value}) for name in event for value in ODD_VALUES]
    gone = [(name, {key: value for key, value in event.items() if key != name}) for name in event]
    inner = event["attributes"]
    nested = [
        (f"attributes.{name}", {**event, "attributes": {**inner, name: value}})
        for name in inner
        for value in ODD_VALUES
    ]
    cases = [*odd, *gone, *nested]
    told = verdicts(spark, domain, [FRAME + as_json(fields) for _, fields in cases])
    disagree = [
        (name, fields, one.reason)
        for (name, fields), one in zip(cases, told, strict=True)
        if fits(domain, as_json(fields)) != (one.reason is None)
    ]
    assert disagree == []


def test_an_integer_written_with_a_decimal_point_is_refused_more_strictly_than_by_the_library(
    spark: SparkSession,
) -> None:
    payload = as_json({**events("curbside")[0], "sequence": 7.0})
    (told,) = verdicts(spark, "curbside", [FRAME + payload])
    assert fits("curbside", payload)  # JSON Schema counts 7.0 as an integer
    assert not hostile.fits(FRAME + payload, compile_schema(load_domain("curbside").schema), 1)
    assert (told.reason, told.field) == ("not an integer", "sequence")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty: the record has no value"),
        (b"", "shorter than the 5-byte frame"),
        (FRAME, "shorter than the 5-byte frame"),
        (b"\x01" + record()[1:], "no Confluent frame: the first byte is not 0"),
        (record()[5:], "no Confluent frame: the first byte is not 0"),
        (FRAME + b'{"kind":"\xff\xfe"}', "not valid UTF-8"),
        (FRAME + b"[]", "not a JSON object"),
        (FRAME + b"null", "not a JSON object"),
        (FRAME + b"\x00", "not a JSON object"),
    ],
)
def test_a_record_that_is_no_framed_json_object_is_refused(
    spark: SparkSession, value: bytes | None, reason: str
) -> None:
    (told,) = verdicts(spark, "curbside", [value])
    assert (told.reason, told.field) == (reason, "")
    assert told.row["payload"] == value


def test_an_event_from_the_future_is_refused_and_a_clock_a_little_ahead_is_not(spark: SparkSession) -> None:
    received = START + timedelta(hours=1)
    moments = [received + timedelta(seconds=ahead) for ahead in (59, 60, 61, 86_400 * 365)]
    values = [record(occurred_at=f"{one:%Y-%m-%dT%H:%M:%S}.000000Z") for one in moments]
    told = verdicts(spark, "curbside", values)
    ahead = ("more than 60 s in the future", "occurred_at")
    assert [(one.reason, one.field) for one in told] == [(None, None), (None, None), ahead, ahead]


def test_a_sequence_may_be_as_large_as_its_schema_says_and_no_larger(spark: SparkSession) -> None:
    validate = compile_schema(load_domain("curbside").schema)
    sequences = [99_999_999, 100_000_000, 2**53 - 1, 2**53, 2**63]
    told = verdicts(spark, "curbside", [record(sequence=one) for one in sequences])
    assert [one.reason is None for one in told] == [True, True, True, False, False]
    assert [hostile.fits(record(sequence=one), validate, 1) for one in sequences] == [True, True, True, False, False]


def test_a_schema_id_that_is_not_the_topics_own_is_refused(spark: SparkSession) -> None:
    good = as_json(events("curbside")[0])
    values = [frame(one, good) for one in (3, 4, 2**32 - 1, 12)]
    told = verdicts(spark, "curbside", values, schema_ids=[3, 12])
    assert [one.reason is None for one in told] == [True, False, False, True]
    assert told[1].reason == "a schema id that is not this topic's"


def test_a_day_that_is_in_no_calendar_is_refused(spark: SparkSession) -> None:
    (told,) = verdicts(spark, "curbside", [record(occurred_at="2026-02-30T08:00:00.000000Z")])
    assert (told.reason, told.field) == ("not a time", "occurred_at")


def test_a_reason_tells_what_is_allowed(spark: SparkSession) -> None:
    (site, value) = verdicts(spark, "curbside", [record(site="atlantis"), record(value=-1)])
    assert site.reason == f"not one of: {', '.join(one.id for one in load_domain('curbside').sites)}"
    assert value.reason == "below 0"


def test_every_hostile_record_is_refused_with_a_reason_and_its_bytes_untouched(spark: SparkSession) -> None:
    good = next(one for one in events("curbside") if "items" in one["attributes"])
    values, validate = hostile.by_hand(good, 1), compile_schema(load_domain("curbside").schema)
    # No pattern tells how many days February has; the ledger looks at that itself.
    assert [name for name, one in values.items() if hostile.fits(one, validate, 1)] == ["the 30th of February"]
    told = verdicts(spark, "curbside", list(values.values()), schema_ids=[1])
    assert [name for name, one in zip(values, told, strict=True) if not one.reason] == []
    assert [bytes(one.row["payload"]) for one in told] == list(values.values())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_come_spark_and_the_producers_side_agree(spark: SparkSession, data: st.DataObject) -> None:
    schema = load_domain("curbside").schema
    validate = compile_schema(schema)
    records = data.draw(st.lists(hostile.drawn(events("curbside")[0], 1), min_size=40, max_size=80))
    records.append(frame(1, as_json(events("curbside")[0]).replace(b"2026-", b"2036-", 1)))
    told = verdicts(spark, "curbside", records, schema_ids=[1])
    disagree = [
        (record, one.reason)
        for record, one in zip(records, told, strict=True)
        if hostile.fits(record, validate, 1) != (one.reason is None or one.reason == "more than 60 s in the future")
    ]
    assert disagree == []


def sized(size: int) -> bytes:
    """A record of this size, too large only by a text that its schema does not bound."""
    short = record(producer_id="p")
    return record(producer_id="p" * (size - len(short) + 1))


BOUNDARIES = {
    "the largest event": (sized(MAX_EVENT_BYTES), None),
    "one byte more": (sized(MAX_EVENT_BYTES + 1), TOO_LARGE),
    "900 kB in one field": (sized(900_000), TOO_LARGE),
    "900 kB that are no JSON": (FRAME + b"x" * 900_000, TOO_LARGE),
    "nested too deep": (record(attributes=json.loads("[" * MAX_EVENT_DEPTH + "]" * MAX_EVENT_DEPTH)), TOO_DEEP),
    "brackets without end": (FRAME + b"[" * 8_000, TOO_DEEP),
    "escapes without end": (record(producer_id='"' * 3_500, value="text"), "not a number"),
}


def test_spark_and_python_draw_the_limits_of_size_and_depth_at_the_same_place(spark: SparkSession) -> None:
    validate = compile_schema(load_domain("curbside").schema)

    def reason(value: bytes) -> str | None:
        try:
            validate(decode(value))
        except EventRefused as refused:
            return refused.reason
        return None

    values = [value for value, _ in BOUNDARIES.values()]
    expected = [why for _, why in BOUNDARIES.values()]
    assert [one.reason for one in verdicts(spark, "curbside", values)] == expected
    assert [reason(one) for one in values] == expected
