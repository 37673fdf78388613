"""Sanitize: keeps only text, layout and web links of an Adaptive Card from any sender. Pure.

This is an allow-list: elements, properties and values that are not listed here are removed. That removes images,
inputs, media, ``selectAction``, ``backgroundImage``, ``fallback``, and every action except a link. Depth and sizes are
bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from rtlib.alerts.card import SCHEMA

MAX_DEPTH = 6  # containers within containers
MAX_ELEMENTS = 100  # in a card, including facts and actions
MAX_TEXT = 2_000  # characters of a text
MAX_URL = 2_000  # characters of a link
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
FLAGS = ("wrap", "isSubtle", "separator")
# These values are case-insensitive.
CHOICES = {
    "size": ("default", "small", "medium", "large", "extralarge"),
    "weight": ("lighter", "default", "bolder"),
    "color": ("default", "dark", "light", "accent", "good", "warning", "attention"),
    "horizontalAlignment": ("left", "center", "right"),
    "fontType": ("default", "monospace"),
    "spacing": ("none", "default", "small", "medium", "large", "extralarge", "padding"),
    "style": ("default", "emphasis", "accent", "good", "warning", "attention", "heading", "positive", "destructive"),
    "width": ("auto", "stretch"),
}
# Types of the format whose names may be displayed; any other name could be the sender's text.
REMOVED_TYPES = (
    *("Image", "ImageSet", "Media", "RichTextBlock", "Table", "Input.Text", "Input.Number", "Input.Date"),
    *("Input.Time", "Input.Toggle", "Input.ChoiceSet", "Action.Submit", "Action.Execute", "Action.ShowCard"),
    *("Action.ToggleVisibility", "Action.OpenUrl"),
)


def sanitize(card: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a card with only the allowed parts; the last line names the removed types.

    Example:
        >>> sanitize({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Hello", "speak": "no"}]})
        {'type': 'AdaptiveCard', 'body': [{'type': 'TextBlock', 'text': 'Hello'}]}
    """
    allowed = _Allowed()
    kept: dict[str, Any] = {"type": "AdaptiveCard"}
    if card.get("$schema") == SCHEMA:
        kept["$schema"] = SCHEMA
    if card.get("version") in VERSIONS:
        kept["version"] = card["version"]
    kept["body"] = allowed.elements(card.get("body"), depth=1)
    if actions := allowed.actions(card.get("actions")):
        kept["actions"] = actions
    if allowed.removed:
        names = ", ".join(sorted(allowed.removed))
        kept["body"].append({"type": "TextBlock", "text": f"Not shown here: {names}", "isSubtle": True, "wrap": True})
    return kept


def web_link(url: object) -> str | None:
    """The address if it is an http or https link that a browser parses as we do; else None."""
    if not isinstance(url, str) or len(url) > MAX_URL or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    plain = parts.scheme in ("http", "https") and host and "@" not in parts.netloc
    return url if plain and not set(url) & set(" \\\"'<>") else None


class _Allowed:
    """Copies the allowed parts of a card, within the bounds, and collects the removed types."""

    def __init__(self) -> None:
        self.removed: set[str] = set()
        self._room = MAX_ELEMENTS
        self._kinds: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
            "TextBlock": lambda element, depth: {"text": _text(element.get("text"))},
            "FactSet": lambda element, depth: {"facts": self._facts(element.get("facts"))},
            "Container": lambda element, depth: {"items": self.elements(element.get("items"), depth=depth + 1)},
            "Column": lambda element, depth: {"items": self.elements(element.get("items"), depth=depth + 1)},
            "ColumnSet": lambda element, depth: {"columns": self.elements(element.get("columns"), depth=depth + 1)},
            "ActionSet": lambda element, depth: {"actions": self.actions(element.get("actions"))},
        }

    def elements(self, elements: object, *, depth: int) -> list[dict[str, Any]]:
        kept = [self._element(element, depth) for element in elements] if isinstance(elements, list) else []
        return [copy for copy in kept if copy is not None]

    def actions(self, actions: object) -> list[dict[str, Any]]:
        kept = [self._action(action) for action in actions] if isinstance(actions, list) else []
        return [copy for copy in kept if copy is not None]

    def _element(self, element: object, depth: int) -> dict[str, Any] | None:
        kind = _kind(element)
        if not isinstance(element, dict) or kind not in self._kinds or depth > MAX_DEPTH or not self._take():
            self._note_removed(kind)
            return None
        return {"type": kind, **_appearance(element), **self._kinds[kind](element, depth)}

    def _action(self, action: object) -> dict[str, Any] | None:
        kind = _kind(action)
        link = web_link(action.get("url")) if isinstance(action, dict) and kind == "Action.OpenUrl" else None
        if link is None or not isinstance(action, dict) or not self._take():
            self._note_removed(kind)
            return None
        return {"type": kind, "title": _text(action.get("title")), "url": link}

    def _facts(self, facts: object) -> list[dict[str, str]]:
        rows = [fact for fact in facts if isinstance(fact, dict)] if isinstance(facts, list) else []
        return [{name: _text(row.get(name)) for name in ("title", "value")} for row in rows if self._take()]

    def _take(self) -> bool:
        self._room -= 1
        return self._room >= 0

    def _note_removed(self, kind: str) -> None:
        self.removed.add(kind if kind in REMOVED_TYPES else "other elements")


def _kind(element: object) -> str:
    kind = element.get("type") if isinstance(element, dict) else None
    return kind if isinstance(kind, str) else ""


def _appearance(element: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that only affect the appearance of an element, and its ``id``."""
    kept: dict[str, Any] = {name: element[name] for name in FLAGS if isinstance(element.get(name), bool)}
    for name, values in CHOICES.items():
        value = element.get(name)
        if isinstance(value, str) and value.lower() in values:
            kept[name] = value
    return {**kept, "id": _text(element["id"])} if isinstance(element.get("id"), str) else kept


def _text(value: object) -> str:
    """A text of bounded length that can be encoded as UTF-8; half a surrogate pair is replaced."""
    return value[:MAX_TEXT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
