"""Validation by Spark, compared with the jsonschema library."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
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
VALID = 200  # valid events of each domain
BROKEN = 5  # events broken in every way

# Breakage to the field named in the result; empty for the whole record.
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
# Values that a client in another language, or a careless client, may write in any field.
ODD_VALUES: tuple[Any, ...] = (None, "", "text", "7", 7, -7, 7.5, 1e300, 10**30, True, [], ["a"], {}, {"a": 1})


@dataclass(frozen=True)
class Verdict:
    """Spark's result for a record; ``reason`` is None for a valid record."""

    reason: str | None
    field: str | None
    row: dict[str, Any]


def verdicts(
    spark: SparkSession, domain: str, values: Sequence[bytes | None], *, schema_ids: Sequence[int] | None = None
) -> list[Verdict]:
    """Spark's results for records that Kafka received an hour after ``START``, in order."""
    from rtlib.streaming.validation import validate_records

    columns = "value binary, topic string, partition int, offset bigint, timestamp timestamp"
    received = START + timedelta(hours=1)
    rows = [(value, "events", number % 4, number, received) for number, value in enumerate(values)]
    source, schema = spark.createDataFrame(rows, columns), load_domain(domain).schema
    validated = validate_records(source, schema, future_seconds=60, schema_ids=schema_ids).collect()
    validated.sort(key=lambda row: row["kafka_offset"])
    return [Verdict(row["reason"], row["field"], row.asDict()) for row in validated]


@cache
def events(domain: str, count: int = VALID) -> tuple[dict[str, Any], ...]:
    """Valid events of the simulator, as JSON objects."""
    simulator = Simulator(load_domain(domain), seed=7, start=START, rate=50)
    return tuple(sent.event.to_json() for sent in islice(simulator.records(), count) if sent.event is not None)


def fits(domain: str, payload: bytes) -> bool:
    """The jsonschema library's result."""
    try:
        event = json.loads(payload.decode())
    except ValueError:
        return False
    return bool(Draft7Validator(load_domain(domain).schema).is_valid(event))


def as_json(fields: Any) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def record(**changes: Any) -> bytes:
    return FRAME + as_json({**events("curbside")[0], **changes})


Judged = Callable[[str], tuple[list[Verdict], list[Verdict], list[Verdict]]]


@dataclass(frozen=True)
class Cases:
    """Records of a domain, without their frames: valid events, events broken by breakage, and odd values by field."""

    valid: list[dict[str, Any]]
    broken: list[tuple[str, bytes]]
    odd: list[tuple[str, dict[str, Any]]]

    @property
    def payloads(self) -> list[bytes]:
        return [
            *map(as_json, self.valid),
            *(payload for _, payload in self.broken),
            *(as_json(fields) for _, fields in self.odd),
        ]


@cache
def cases(domain: str) -> Cases:
    broken = [(name, malformed_payload(name, event)) for name in BREAKAGES for event in events(domain)[:BROKEN]]
    event = events(domain)[0]
    odd = [(name, {**event, name: value}) for name in event for value in ODD_VALUES]
    missing = [(name, {key: value for key, value in event.items() if key != name}) for name in event]
    inner = event["attributes"]
    nested = [
        (f"attributes.{name}", {**event, "attributes": {**inner, name: value}})
        for name in inner
        for value in ODD_VALUES
    ]
    return Cases(list(events(domain)), broken, [*odd, *missing, *nested])


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> Judged:
    """Spark's results for the valid, broken and odd cases of a domain, from one job."""

    @cache
    def judge(domain: str) -> tuple[list[Verdict], list[Verdict], list[Verdict]]:
        chosen = cases(domain)
        results = verdicts(spark, domain, [FRAME + payload for payload in chosen.payloads])
        valid, broken = len(chosen.valid), len(chosen.valid) + len(chosen.broken)
        return results[:valid], results[valid:broken], results[broken:]

    return judge


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_valid_event_is_accepted_with_all_its_fields(judged: Judged, domain: str) -> None:
    results, _, _ = judged(domain)
    assert len(results) == VALID
    assert [result.reason for result in results] == [None] * VALID
    for result, event in zip(results, cases(domain).valid, strict=True):
        assert result.row["occurred_at"].astimezone(UTC) == datetime.fromisoformat(event["occurred_at"])
        assert json.loads(result.row["attributes"]) == event["attributes"]
        plain = set(event) - {"occurred_at", "attributes"}
        assert {name: result.row[name] for name in plain} == {name: event[name] for name in plain}


def test_every_breakage_of_the_simulator_has_an_expected_field() -> None:
    assert set(FIELDS) == set(BREAKAGES)


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_breakage_is_refused_by_spark_and_by_the_library_and_names_its_field(judged: Judged, domain: str) -> None:
    _, results, _ = judged(domain)
    broken = cases(domain).broken
    assert [name for name, payload in broken if fits(domain, payload)] == []
    assert {name for (name, _), result in zip(broken, results, strict=True) if not result.reason} == set()
    assert {name: result.field for (name, _), result in zip(broken, results, strict=True)} == FIELDS
    assert [result.row["payload"] for result in results] == [FRAME + payload for _, payload in broken]


@pytest.mark.parametrize("domain", DOMAINS)
def test_spark_and_the_library_agree_on_any_value_of_any_field(judged: Judged, domain: str) -> None:
    _, _, results = judged(domain)
    disagree = [
        (name, fields, result.reason)
        for (name, fields), result in zip(cases(domain).odd, results, strict=True)
        if fits(domain, as_json(fields)) != (result.reason is None)
    ]
    assert disagree == []


def test_an_integer_written_with_a_decimal_point_is_refused_more_strictly_than_by_the_library(
    spark: SparkSession,
) -> None:
    payload = as_json({**events("curbside")[0], "sequence": 7.0})
    (result,) = verdicts(spark, "curbside", [FRAME + payload])
    assert fits("curbside", payload)  # JSON Schema counts 7.0 as an integer
    assert not hostile.fits(FRAME + payload, compile_schema(load_domain("curbside").schema), 1)
    assert (result.reason, result.field) == ("not an integer", "sequence")


UNFRAMED = (
    (None, "empty: the record has no value"),
    (b"", "shorter than the 5-byte frame"),
    (FRAME, "shorter than the 5-byte frame"),
    (b"\x01" + record()[1:], "no Confluent frame: the first byte is not 0"),
    (record()[5:], "no Confluent frame: the first byte is not 0"),
    (FRAME + b'{"kind":"\xff\xfe"}', "not valid UTF-8"),
    (FRAME + b"[]", "not a JSON object"),
    (FRAME + b"null", "not a JSON object"),
    (FRAME + b"\x00", "not a JSON object"),
)


def test_a_record_that_is_not_a_framed_json_object_is_refused(spark: SparkSession) -> None:
    results = verdicts(spark, "curbside", [value for value, _ in UNFRAMED])
    assert [(result.reason, result.field) for result in results] == [(reason, "") for _, reason in UNFRAMED]
    assert [result.row["payload"] for result in results] == [value for value, _ in UNFRAMED]


def test_an_event_from_the_future_is_refused_and_a_clock_a_little_ahead_is_not(spark: SparkSession) -> None:
    received = START + timedelta(hours=1)
    moments = [received + timedelta(seconds=ahead) for ahead in (59, 60, 61, 86_400 * 365)]
    values = [record(occurred_at=f"{moment:%Y-%m-%dT%H:%M:%S}.000000Z") for moment in moments]
    results = verdicts(spark, "curbside", values)
    ahead = ("more than 60 s in the future", "occurred_at")
    assert [(result.reason, result.field) for result in results] == [(None, None), (None, None), ahead, ahead]


def test_a_sequence_may_be_as_large_as_its_schema_allows_and_no_larger(spark: SparkSession) -> None:
    validate = compile_schema(load_domain("curbside").schema)
    sequences = [99_999_999, 100_000_000, 2**53 - 1, 2**53, 2**63]
    results = verdicts(spark, "curbside", [record(sequence=sequence) for sequence in sequences])
    assert [result.reason is None for result in results] == [True, True, True, False, False]
    assert [hostile.fits(record(sequence=sequence), validate, 1) for sequence in sequences] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_schema_id_that_is_not_the_topics_own_is_refused(spark: SparkSession) -> None:
    valid = as_json(events("curbside")[0])
    values = [frame(schema_id, valid) for schema_id in (3, 4, 2**32 - 1, 12)]
    results = verdicts(spark, "curbside", values, schema_ids=[3, 12])
    assert [result.reason is None for result in results] == [True, False, False, True]
    assert results[1].reason == "a schema id that is not this topic's"


def test_a_nonexistent_day_is_refused(spark: SparkSession) -> None:
    (result,) = verdicts(spark, "curbside", [record(occurred_at="2026-02-30T08:00:00.000000Z")])
    assert (result.reason, result.field) == ("not a time", "occurred_at")


def test_a_reason_lists_the_allowed_values(spark: SparkSession) -> None:
    (site, value) = verdicts(spark, "curbside", [record(site="atlantis"), record(value=-1)])
    assert site.reason == f"not one of: {', '.join(site.id for site in load_domain('curbside').sites)}"
    assert value.reason == "below 0"


def test_every_hostile_record_is_refused_with_a_reason_and_its_bytes_unchanged(spark: SparkSession) -> None:
    valid = next(event for event in events("curbside") if "items" in event["attributes"])
    values, validate = hostile.by_hand(valid, 1), compile_schema(load_domain("curbside").schema)
    # No pattern knows the days of February; the ledger checks them itself.
    assert [name for name, value in values.items() if hostile.fits(value, validate, 1)] == ["the 30th of February"]
    results = verdicts(spark, "curbside", list(values.values()), schema_ids=[1])
    assert [name for name, result in zip(values, results, strict=True) if not result.reason] == []
    assert [bytes(result.row["payload"]) for result in results] == list(values.values())


def drawn() -> list[bytes]:
    """Records of any bytes, from twelve lists of 40 to 80; drawn before Spark judges them all in one job."""
    records: list[bytes] = []

    @settings(max_examples=12, deadline=None, database=None, phases=[Phase.generate])
    @given(some=st.lists(hostile.drawn(events("curbside")[0], 1), min_size=40, max_size=80))
    def draw(some: list[bytes]) -> None:
        records.extend(some)

    draw()
    return records


def test_spark_and_the_producer_side_agree_on_any_bytes(spark: SparkSession) -> None:
    schema = load_domain("curbside").schema
    validate = compile_schema(schema)
    records = [*drawn(), frame(1, as_json(events("curbside")[0]).replace(b"2026-", b"2036-", 1))]
    assert len(records) > 12 * 40
    results = verdicts(spark, "curbside", records, schema_ids=[1])
    disagree = [
        (record, result.reason)
        for record, result in zip(records, results, strict=True)
        if hostile.fits(record, validate, 1) != (result.reason in (None, "more than 60 s in the future"))
    ]
    assert disagree == []


def sized(size: int) -> bytes:
    """A record of this size; only a text without a length limit in its schema is large."""
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


def test_spark_and_python_have_the_same_limits_of_size_and_depth(spark: SparkSession) -> None:
    validate = compile_schema(load_domain("curbside").schema)

    def reason(value: bytes) -> str | None:
        try:
            validate(decode(value))
        except EventRefused as refused:
            return refused.reason
        return None

    values = [value for value, _ in BOUNDARIES.values()]
    expected = [why for _, why in BOUNDARIES.values()]
    assert [result.reason for result in verdicts(spark, "curbside", values)] == expected
    assert [reason(value) for value in values] == expected
