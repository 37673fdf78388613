"""Sanitize: only text, layout and web links of a foreign card are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.alerts import Alert, Change, card, rules_of
from rtlib.alerts.sanitize import MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT, sanitize, web_link
from rtlib.domains import load_domain

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "text", "items", "columns", "actions", "facts", "url", "title", "id", "body"]),
            inner | st.sampled_from(["TextBlock", "Container", "ColumnSet", "Column", "FactSet", "Action.OpenUrl"]),
            max_size=4,
        )
    ),
    max_leaves=30,
)


def card_with(*body: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "AdaptiveCard", "body": list(body), **fields}


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "TextBlock", "text": "deep"}
    for _ in range(depth):
        inner = {"type": "Container", "items": [inner]}
    return inner


@pytest.mark.parametrize("change", [Change.RAISED, Change.RECOVERED])
@pytest.mark.parametrize("name", ["curbside", "ecommerce", "gaming", "iot"])
def test_a_card_of_the_alerting_service_is_unchanged(name: str, change: Change) -> None:
    domain = load_domain(name)
    for rule in rules_of(domain):
        alert = Alert(name, "a-site", rule, change, 12.5, NOON, NOON, NOON, {"events": 240})
        content = card(alert, site="A site", advice=rule.advice, link="http://127.0.0.1:18866/?node=kpis", zone="UTC")
        assert sanitize(content) == content


@pytest.mark.parametrize(
    "element",
    [
        {"type": "Input.Text", "id": "password", "style": "password"},
        {"type": "Input.ChoiceSet", "choices": []},
        {"type": "Image", "url": "http://127.0.0.1:9/pixel.png"},
        {"type": "Image", "url": "data:image/svg+xml,<svg onload=alert(1)>"},
        {"type": "Media", "sources": [{"url": "http://127.0.0.1:9/a.mp4"}]},
        {"type": "ActionSet", "actions": [{"type": "Action.Submit", "title": "Send"}]},
        {"type": ["TextBlock"], "text": "a list is not a type"},
        {"type": "<script>", "text": "x"},
        "not an element",
        None,
    ],
)
def test_an_element_that_does_more_than_show_text_is_removed(element: Any) -> None:
    kept = json.dumps(sanitize(card_with(element, {"type": "TextBlock", "text": "kept"})))
    assert "kept" in kept
    assert "Not shown here" in kept
    for word in ("password", "http://", "data:", "Send", "<script>", "choices", "sources"):
        assert word not in kept


def test_the_last_line_names_only_the_types_of_removed_elements() -> None:
    sanitized = sanitize(card_with({"type": "Image"}, {"type": "Input.Text"}, {"type": "call 555-1234"}))
    (line,) = sanitized["body"]
    assert line["text"] == "Not shown here: Image, Input.Text, other elements"


@pytest.mark.parametrize("name", ["selectAction", "backgroundImage", "fallback", "speak", "refresh", "iconUrl"])
def test_a_property_that_could_act_or_load_something_is_removed(name: str) -> None:
    harm = {"type": "Action.OpenUrl", "url": "javascript:alert(1)"}
    element = {"type": "Container", "items": [{"type": "TextBlock", "text": "a", name: harm}], name: harm}
    kept = sanitize(card_with(element, **{name: harm}))
    assert kept == card_with({"type": "Container", "items": [{"type": "TextBlock", "text": "a"}]})


@pytest.mark.parametrize("url", ["http://127.0.0.1/?node=kpis", "https://example.com/a?b=c#d", "HTTPS://example.com"])
def test_a_web_link_is_kept(url: str) -> None:
    assert web_link(url) == url


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "\x01javascript:1",
     "data:text/html,<script>", "file:///etc/passwd", "vbscript:x", "ftp://example.com", "//example.com", "/a", "",
     "http:", "http://", "https:example.com", "http://user@example.com", "http://teams.com\\@example.com",
     "http://example.com/a b", "http://[::1", "http://example.com:99999", "http://ex\u0430mple.com",
     "http://example.com/" + "a" * 2_000, None, 3, ["http://example.com"], {"url": "http://example.com"}],
)  # fmt: skip
def test_any_other_link_is_removed_with_its_button(url: Any) -> None:
    assert web_link(url) is None
    action = {"type": "Action.OpenUrl", "title": "Press", "url": url}
    kept = sanitize(card_with(actions=[action]))
    assert "actions" not in kept
    assert "Press" not in json.dumps(kept)


@pytest.mark.parametrize("kind", ["Action.Submit", "Action.Execute", "Action.ShowCard", "Action.ToggleVisibility"])
def test_a_button_that_does_more_than_open_a_link_is_removed(kind: str) -> None:
    harm = {"type": kind, "url": "http://example.com", "card": card_with({"type": "Input.Text"}), "data": {"a": 1}}
    assert "actions" not in sanitize(card_with(actions=[harm]))


def test_depth_count_and_length_are_bounded() -> None:
    assert "deep" in json.dumps(sanitize(card_with(nested(MAX_DEPTH - 1))))
    assert "deep" not in json.dumps(sanitize(card_with(nested(MAX_DEPTH))))
    many = sanitize(card_with(*[{"type": "TextBlock", "text": "a" * 10_000}] * 1_000))
    assert len(many["body"]) == MAX_ELEMENTS + 1
    assert len(many["body"][0]["text"]) == MAX_TEXT
    facts = sanitize(card_with({"type": "FactSet", "facts": [{"title": "a", "value": "b"}] * 1_000}))
    assert len(facts["body"][0]["facts"]) == MAX_ELEMENTS - 1


def test_a_sanitized_card_can_always_be_encoded_as_json() -> None:
    kept = sanitize(
        card_with({"type": "TextBlock", "text": "half a \ud800 pair", "size": float("nan"), "id": "\udfff"})
    )
    assert json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()


@given(JSON, JSON)
def test_any_input_gives_a_card_and_stays_unchanged(body: Any, actions: Any) -> None:
    given_card = {"type": "AdaptiveCard", "body": body, "actions": actions}
    before = repr(given_card)
    kept = sanitize(given_card)
    assert repr(given_card) == before
    assert sanitize(kept) == kept
    assert json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()
