"""The regular expression for a well-formed record; here Python evaluates it instead of Java."""

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
from rtlib.streaming.fast_path import record_regex

CHECKED_KEYWORDS = {"type", "required", "additionalProperties", "properties", "pattern"}


@cache
def pattern_of(domain: str) -> re.Pattern[str]:
    """The domain's expression; Python writes the end of the text differently."""
    text = record_regex(load_domain(domain).schema)
    assert text is not None
    return re.compile(text.replace(r"\z", r"\Z"))


@cache
def texts(domain: str) -> tuple[str, ...]:
    sent = islice(
        Simulator(load_domain(domain), seed=7, start=datetime(2026, 3, 2, 8, tzinfo=UTC), rate=50).records(), 300
    )
    return tuple(record.payload.decode() for record in sent if record.event is not None)


def without_values(rule: Any) -> Any:
    """A schema with only the keywords that the expression checks."""
    if not isinstance(rule, dict):
        return rule
    kept = {key: value for key, value in rule.items() if key in CHECKED_KEYWORDS}
    if "properties" in kept:
        kept["properties"] = {name: without_values(property_) for name, property_ in kept["properties"].items()}
    return kept


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_valid_event_matches_and_its_group_is_the_attributes(domain: str) -> None:
    for text in texts(domain):
        match = pattern_of(domain).match(text)
        assert match is not None
        assert json.loads(match[1]) == json.loads(text)["attributes"]


def test_the_spaces_of_most_json_writers_match() -> None:
    assert pattern_of("curbside").match(json.dumps(json.loads(texts("curbside")[0])))


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
def test_a_record_that_needs_a_full_check_does_not_match(old: str, new: str) -> None:
    text = texts("curbside")[0]
    assert old in text
    assert not pattern_of("curbside").match(text.replace(old, new, 1))


def test_nothing_may_follow_the_object() -> None:
    text = texts("curbside")[0]
    assert not pattern_of("curbside").match(f"{text}\n")
    assert not pattern_of("curbside").match(f"{text}{{}}")


@pytest.mark.parametrize("pattern", ["^.*$", '^"$', "^[^a]$", r"^\d$", "^(?i)a$", "a"])
def test_a_pattern_that_could_match_beyond_its_text_gives_no_expression(pattern: str) -> None:
    schema = load_domain("curbside").schema
    properties = {**schema["properties"], "producer_id": {"type": "string", "pattern": pattern}}
    assert record_regex({**schema, "properties": properties}) is None


def test_an_unsupported_type_gives_no_expression() -> None:
    schema = load_domain("curbside").schema
    assert record_regex({**schema, "properties": {**schema["properties"], "unit": {"type": "boolean"}}}) is None
    assert record_regex({"type": "object", "properties": {"unit": {"type": "string"}}}) is None


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8),
    st.dictionaries(st.sampled_from(["channel", "items", "bay", "other"]), st.integers(0, 9), max_size=3),
)  # fmt: skip


@given(domain=st.sampled_from(DOMAINS), data=st.data())
def test_a_matching_record_fits_its_schema_except_for_its_values(domain: str, data: st.DataObject) -> None:
    schema = load_domain(domain).schema
    event = json.loads(data.draw(st.sampled_from(texts(domain))))
    for name in data.draw(st.lists(st.sampled_from(sorted(schema["properties"])), max_size=3)):
        event[name] = data.draw(ODD)
    for name in data.draw(st.lists(st.sampled_from(sorted(event)), max_size=2, unique=True)):
        event[name] = event.pop(name)  # now the last
    text = json.dumps(event, ensure_ascii=data.draw(st.booleans()), separators=(",", ":"))
    if pattern_of(domain).match(text):
        assert Draft7Validator(without_values(schema)).is_valid(json.loads(text))
