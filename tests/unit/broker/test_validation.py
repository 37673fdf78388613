"""The fast validator, compared with the jsonschema library."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from jsonschema.validators import extend

from rtlib.broker.validation import compile_schema
from rtlib.domains import domain_names, load_domain
from rtlib.errors import ConfigError, EventRefused
from support.broker_events import fitting, spoilt

SCHEMAS = {name: load_domain(name).schema for name in domain_names()}
VALIDATE = {name: compile_schema(schema) for name, schema in SCHEMAS.items()}
# An integer must be written without a decimal point: Spark, which reads from Kafka, refuses 7.0.
STRICT = extend(
    Draft7Validator, type_checker=Draft7Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
)
REFERENCE = {name: STRICT(schema) for name, schema in SCHEMAS.items()}
SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def curbside(**changes: Any) -> dict[str, Any]:
    event = {
        "event_id": "019aa0b2-3c4d-7e5f-8a6b-9c8d7e6f5a4b",
        "domain": "curbside",
        "site": "oakland-3rd-st",
        "kind": "order_placed",
        "occurred_at": "2026-03-02T08:15:30.123456Z",
        "producer_id": "p1",
        "sequence": 3,
        "value": 41.5,
        "unit": "USD",
        "attributes": {"channel": "app", "items": 3},
    }
    return {**event, **changes}


def fits(domain: str, event: dict[str, Any]) -> bool:
    try:
        VALIDATE[domain](event)
    except EventRefused:
        return False
    return True


@SLOW
@given(data=st.data(), domain=st.sampled_from(domain_names()))
def test_a_valid_event_fits(data: st.DataObject, domain: str) -> None:
    event = data.draw(fitting(SCHEMAS[domain]))
    assert fits(domain, event)
    assert REFERENCE[domain].is_valid(event)


@SLOW
@given(data=st.data(), domain=st.sampled_from(domain_names()))
def test_a_spoilt_event_gets_the_same_verdict_as_from_the_reference(data: st.DataObject, domain: str) -> None:
    event = data.draw(spoilt(SCHEMAS[domain]))
    assert fits(domain, event) == REFERENCE[domain].is_valid(event)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"value": -1}, "value", "below 0"),
        ({"value": 601}, "value", "above 600"),
        ({"value": "41.5"}, "value", "not a number"),
        ({"sequence": 1.5}, "sequence", "not an integer"),
        ({"sequence": True}, "sequence", "not an integer"),
        ({"sequence": 3.0}, "sequence", "not an integer"),
        ({"attributes": {"channel": "app", "items": 3.0}}, "attributes.items", "not an integer"),
        ({"site": None}, "site", "null"),
        ({"domain": "iot"}, "domain", "not 'curbside'"),
        ({"producer_id": ""}, "producer_id", "shorter than 1"),
        ({"occurred_at": "yesterday"}, "occurred_at", "not of the form that its schema asks for"),
        ({"attributes": {"channel": "fax"}}, "attributes.channel", "not one of: app, web, phone"),
        ({"attributes": {"items": 3}}, "attributes.channel", "missing"),
        ({"attributes": []}, "attributes", "not an object"),
        ({"attributes": {"channel": "app", "x": 1}}, "attributes", "has a field that the schema does not know"),
        ({"surprise": 1}, "", "has a field that the schema does not know"),
    ],
)
def test_a_refusal_names_field_and_reason(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(EventRefused) as refused:
        VALIDATE["curbside"](curbside(**changes))
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_a_missing_field_is_named() -> None:
    event = curbside()
    del event["unit"]
    with pytest.raises(EventRefused) as refused:
        VALIDATE["curbside"](event)
    assert (refused.value.field, refused.value.reason) == ("unit", "missing")


def test_a_field_for_any_number_accepts_a_whole_number_with_or_without_a_decimal_point() -> None:
    assert fits("curbside", curbside(value=41)) and fits("curbside", curbside(value=41.0))
    either = compile_schema({"type": "object", "properties": {"n": {"type": ["integer", "number"]}}})
    either({"n": 3.0})


def test_a_time_followed_by_a_line_break_is_refused() -> None:
    assert not fits("curbside", curbside(occurred_at="2026-03-02T08:15:30Z\n"))


def test_validation_does_not_change_the_event() -> None:
    schema = {"type": "object", "properties": {"unit": {"type": "string", "default": "USD"}}}
    event: dict[str, Any] = {}
    compile_schema(schema)(event)
    assert event == {}


def test_an_invalid_schema_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a JSON Schema"):
        compile_schema({"type": "object", "properties": {"unit": {"type": "words"}}})


def test_validation_costs_a_fraction_of_the_reference() -> None:
    event = curbside()

    def seconds(validate: Any) -> float:
        start = time.thread_time()  # of the processor, whatever else the machine does
        for _ in range(300):
            validate(copy.copy(event))
        return time.thread_time() - start

    fast, reference = (
        min(seconds(validate) for _ in range(3)) for validate in (VALIDATE["curbside"], REFERENCE["curbside"].validate)
    )
    assert fast * 5 < reference
