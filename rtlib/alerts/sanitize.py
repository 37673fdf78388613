"""Sanitize: what is kept of an Adaptive Card, whoever sent it: text, layout and web links. Pure.

An allow-list: an element, a property or a value that is not named here is left out. That removes images, inputs, media,
``selectAction``, ``backgroundImage``, ``fallback``, and every action but a link; depth and sizes have bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from rtlib.alerts.card import SCHEMA

MAX_DEPTH = 6  # containers within containers
MAX_ELEMENTS = 100  # in one card, facts and actions included
MAX_TEXT = 2_000  # characters of one text
MAX_URL = 2_000  # characters of a link
VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
FLAGS = ("wrap", "isSubtle", "separator")
# Case does not matter in these.
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
# Types of the format whose names may be shown to a person; any other name could be a text of the sender's.
LEFT_OUT = (
    *("Image", "ImageSet", "Media", "RichTextBlock", "Table", "Input.Text", "Input.Number", "Input.Date"),
    *("Input.Time", "Input.Toggle", "Input.ChoiceSet", "Action.Submit", "Action.Execute", "Action.ShowCard"),
    *("Action.ToggleVisibility", "Action.OpenUrl"),
)


def sanitize(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card with what is allowed of the given one; a last line names what was left out.

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
    if allowed.left_out:
        names = ", ".join(sorted(allowed.left_out))
        kept["body"].append({"type": "TextBlock", "text": f"Not shown here: {names}", "isSubtle": True, "wrap": True})
    return kept


def web_link(url: object) -> str | None:
    """The address itself when it is an http or https link that a browser reads as we do; else None."""
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
    """Copies what is allowed of one card, within its bounds, and notes the types that are left out."""

    def __init__(self) -> None:
        self.left_out: set[str] = set()
        self._room = MAX_ELEMENTS
        self._kinds: dict[str, Callable[[dict[str, Any], int], dict[str, Any]]] = {
            "TextBlock": lambda one, depth: {"text": _text(one.get("text"))},
            "FactSet": lambda one, depth: {"facts": self._facts(one.get("facts"))},
            "Container": lambda one, depth: {"items": self.elements(one.get("items"), depth=depth + 1)},
            "Column": lambda one, depth: {"items": self.elements(one.get("items"), depth=depth + 1)},
            "ColumnSet": lambda one, depth: {"columns": self.elements(one.get("columns"), depth=depth + 1)},
            "ActionSet": lambda one, depth: {"actions": self.actions(one.get("actions"))},
        }

    def elements(self, found: object, *, depth: int) -> list[dict[str, Any]]:
        kept = [self._element(one, depth) for one in found] if isinstance(found, list) else []
        return [one for one in kept if one is not None]

    def actions(self, found: object) -> list[dict[str, Any]]:
        kept = [self._action(one) for one in found] if isinstance(found, list) else []
        return [one for one in kept if one is not None]

    def _element(self, one: object, depth: int) -> dict[str, Any] | None:
        kind = _kind(one)
        if not isinstance(one, dict) or kind not in self._kinds or depth > MAX_DEPTH or not self._take():
            self._leave_out(kind)
            return None
        return {"type": kind, **_appearance(one), **self._kinds[kind](one, depth)}

    def _action(self, one: object) -> dict[str, Any] | None:
        kind = _kind(one)
        link = web_link(one.get("url")) if isinstance(one, dict) and kind == "Action.OpenUrl" else None
        if link is None or not isinstance(one, dict) or not self._take():
            self._leave_out(kind)
            return None
        return {"type": kind, "title": _text(one.get("title")), "url": link}

    def _facts(self, found: object) -> list[dict[str, str]]:
        facts = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return [{name: _text(one.get(name)) for name in ("title", "value")} for one in facts if self._take()]

    def _take(self) -> bool:
        self._room -= 1
        return self._room >= 0

    def _leave_out(self, kind: str) -> None:
        self.left_out.add(kind if kind in LEFT_OUT else "other elements")


def _kind(one: object) -> str:
    kind = one.get("type") if isinstance(one, dict) else None
    return kind if isinstance(kind, str) else ""


def _appearance(one: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that only change how an element looks, and its ``id``."""
    kept: dict[str, Any] = {name: one[name] for name in FLAGS if isinstance(one.get(name), bool)}
    for name, values in CHOICES.items():
        value = one.get(name)
        if isinstance(value, str) and value.lower() in values:
            kept[name] = value
    return {**kept, "id": _text(one["id"])} if isinstance(one.get("id"), str) else kept


def _text(value: object) -> str:
    """A text within bounds that can be written as UTF-8; half a surrogate pair could not."""
    return value[:MAX_TEXT].encode("utf-8", "replace").decode() if isinstance(value, str) else ""
