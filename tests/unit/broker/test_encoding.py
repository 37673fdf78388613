"""Events as bytes, and what JSON cannot hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.broker.encoding import encode, encode_anyhow
from rtlib.errors import EventRefused
from support.broker_events import JSON

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(value=JSON, name=TEXT)
def test_what_json_can_hold_comes_back(value: Any, name: str) -> None:
    told = {name: value}
    try:
        record = encode(told)
    except EventRefused as refused:  # text may hold half of a surrogate pair, which UTF-8 cannot
        assert refused.reason == "not valid UTF-8"
    else:
        assert json.loads(record.decode()) == told


@pytest.mark.parametrize(
    ("told", "field", "reason"),
    [
        ({"site": "a", "value": float("nan")}, "value", "not JSON"),
        ({"value": float("inf")}, "value", "not JSON"),
        ({"attributes": {"bay": 1, "seen": {1, 2}}}, "attributes.seen", "not JSON"),
        ({"producer_id": "\ud800"}, "producer_id", "not valid UTF-8"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_name_and_can_still_be_shown(
    told: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(EventRefused) as refused:
        encode(told)
    assert refused.value.field == field
    assert refused.value.reason.startswith(reason)
    assert field.rpartition(".")[2].encode() in encode_anyhow(told)


def test_an_endless_event_is_refused_and_its_names_are_shown() -> None:
    told: dict[str, Any] = {"site": "a"}
    told["attributes"] = told
    with pytest.raises(EventRefused, match="not JSON"):
        encode(told)
    assert encode_anyhow(told) == b"['attributes', 'site']"
