"""Cards: valid, small, and free of links in text from outside."""

from __future__ import annotations

import json
from datetime import timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from rtlib.alerts import Change, message, rules_of
from rtlib.alerts.card import MAX_BYTES
from rtlib.domains import load_domain
from rtlib.errors import ConfigError
from support.alerts import DOMAINS, NOON, alert, card_of

SCHEMA = json.loads((files("adaptive_cards") / "schemas" / "schema-1.5.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", DOMAINS)
def test_every_card_of_every_domain_is_valid_and_small(name: str) -> None:
    domain = load_domain(name)
    validator = Draft7Validator(SCHEMA)
    for rule in rules_of(domain):
        for site in domain.sites:
            for change in (Change.RAISED, Change.RECOVERED):
                content = card_of(alert(change, rule=rule, domain=name, site=site.id), site=site.title)
                assert list(validator.iter_errors(content)) == []
                assert len(message(content)) < MAX_BYTES / 4


def test_the_schema_detects_an_invalid_card() -> None:
    broken = card_of() | {"body": [{"type": "TextBlock", "text": 5}]}
    assert list(Draft7Validator(SCHEMA).iter_errors(broken))


def test_a_card_shows_what_happened_since_when_and_what_to_do() -> None:
    text = json.dumps(card_of(zone="Asia/Kolkata"))
    for words in (
        "Act now: Mean wait, Oakland",
        "12.5 min, at or above 10",
        "17:30 in Kolkata (2 min)",
        "240 events",
        "Two more runners",
    ):
        assert words in text
    assert "5 min, below 7" in json.dumps(card_of(alert(Change.RECOVERED, value=5.0)))


def test_the_card_of_an_alert_that_is_no_longer_measured_does_not_call_the_value_good() -> None:
    at, last = NOON + timedelta(seconds=600), NOON + timedelta(seconds=240)
    content = card_of(alert(Change.RECOVERED, at=at, unmeasured_since=last))
    assert list(Draft7Validator(SCHEMA).iter_errors(content)) == []
    assert content["body"][0]["color"] != "Good"
    text = json.dumps(content)
    for words in ("Over: Mean wait", "no longer measured", "12.5 min at 12:04 UTC"):
        assert words in text
    assert "below 7" not in text


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_a_card_stays_valid_small_and_without_links_for_any_text(site: str, advice: str) -> None:
    content = card_of(site=site, advice=advice)
    assert list(Draft7Validator(SCHEMA).iter_errors(content)) == []
    message(content)
    assert not set("[]<>") & set(content["body"][0]["text"] + content["body"][2]["text"])


def test_a_card_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ConfigError, match="too large for Teams"):
        message(card_of() | {"fallbackText": "x" * MAX_BYTES})
