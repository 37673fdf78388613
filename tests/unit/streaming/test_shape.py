"""The shape of a well-made record, as a regular expression; here Python reads it instead of Java."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from rtlib.config import DOMAINS
from rtlib.domains import load_domain
from rtlib.simulator import Simulator
from rtlib.streaming.shape import shape

TOLD_BY_SHAPE = {"type", "required", "additionalProperties", "properties", "pattern"}


@cache
def taken(domain: str) -> re.Pattern[str]:
    """The domain's shape; Python has another name for the end of the text."""
    told = shape(load_domain(domain).schema)
    assert told is not None
    return re.compile(told.replace(r"\z", r"\Z"))


@cache
def texts(domain: str) -> tuple[str, ...]:
    sent = islice(
        Simulator(load_domain(domain), seed=7, start=datetime(2026, 3, 2, 8, tzinfo=UTC), rate=50).records(), 300
    )
    return tuple(one.payload.decode() for one in sent if one.event is not None)


def only_shape(rule: Any) -> Any:
    """A schema without what its shape does not say."""
    if not isinstance(rule, dict):
        return rule
    kept = {key: told for key, told in rule.items() if key in TOLD_BY_SHAPE}
    if "properties" in kept:
        kept["properties"] = {name: only_shape(told) for name, told in kept["properties"].items()}
    return kept


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_good_event_has_the_shape_and_its_group_is_the_attributes(domain: str) -> None:
    for text in texts(domain):
        found = taken(domain).match(text)
        assert found is not None
        assert json.loads(found[1]) == json.loads(text)["attributes"]


def test_the_spaces_that_most_writers_put_are_taken() -> None:
    assert taken("curbside").match(json.dumps(json.loads(texts("curbside")[0])))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"sequence":', '"sequence":7,"sequence":'),
        ('"event_id":', '"unknown":1,"event_id":'),
        ('"domain":"curbside",', ""),
        ('"domain":"curbside"', '"domain":"curbs\\u0069de"'),
        ('"domain":"curbside"', '"domain":7'),
        ('"domain":"curbside"', '"domain":null'),
        ('"domain":"curbside"', '"domain":"curb\nside"'),
        ('"sequence":', '"sequence":1.5e0,"x":'),
        ('"attributes":{', '"attributes":{,'),
        ('Z"', 'Z\n"'),
    ],
)
def test_what_needs_a_closer_look_has_not_the_shape(old: str, new: str) -> None:
    text = texts("curbside")[0]
    assert old in text
    assert not taken("curbside").match(text.replace(old, new, 1))


def test_nothing_may_follow_the_object() -> None:
    text = texts("curbside")[0]
    assert not taken("curbside").match(f"{text}\n")
    assert not taken("curbside").match(f"{text}{{}}")


@pytest.mark.parametrize("pattern", ["^.*$", '^"$', "^[^a]$", r"^\d$", "^(?i)a$", "a"])
def test_a_pattern_that_could_run_over_the_end_of_its_text_makes_no_shape(pattern: str) -> None:
    schema = load_domain("curbside").schema
    properties = {**schema["properties"], "producer_id": {"type": "string", "pattern": pattern}}
    assert shape({**schema, "properties": properties}) is None


def test_a_type_that_is_not_known_makes_no_shape() -> None:
    schema = load_domain("curbside").schema
    assert shape({**schema, "properties": {**schema["properties"], "unit": {"type": "boolean"}}}) is None
    assert shape({"type": "object", "properties": {"unit": {"type": "string"}}}) is None


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8),
    st.dictionaries(st.sampled_from(["channel", "items", "bay", "other"]), st.integers(0, 9), max_size=3),
)  # fmt: skip


@given(domain=st.sampled_from(DOMAINS), data=st.data())
def test_what_has_the_shape_fits_its_schema_but_for_its_values(domain: str, data: st.DataObject) -> None:
    schema = load_domain(domain).schema
    event = json.loads(data.draw(st.sampled_from(texts(domain))))
    for name in data.draw(st.lists(st.sampled_from(sorted(schema["properties"])), max_size=3)):
        event[name] = data.draw(ODD)
    for name in data.draw(st.lists(st.sampled_from(sorted(event)), max_size=2, unique=True)):
        event[name] = event.pop(name)  # now the last
    text = json.dumps(event, ensure_ascii=data.draw(st.booleans()), separators=(",", ":"))
    if taken(domain).match(text):
        assert Draft7Validator(only_shape(schema)).is_valid(json.loads(text))
