"""Card: an alert as an Adaptive Card 1.5, as a Workflows webhook of Microsoft Teams takes it. Pure.

Format: https://adaptivecards.io/explorer, and the envelope of "Create incoming webhooks with Workflows". An incoming
webhook has nobody who could receive a pressed button, so the card's only action opens a link.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rtlib import formatting
from rtlib.alerts.rules import Alert, Change
from rtlib.errors import ConfigError

MAX_BYTES = 28 * 1024
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
LONGEST = 600  # letters of a text that others wrote
WORDS = {"critical": "Act now", "warning": "Look at this"}
COLOURS = {"critical": "Attention", "warning": "Warning"}


def card(alert: Alert, *, site: str, advice: str, link: str) -> dict[str, Any]:
    """What happened, since when, what to do, and where to look; the key of the message is the title's ``id``.

    Args:
        alert: What happened.
        site: The site's title.
        advice: What to do, in a sentence.
        link: The page of the node.
    """
    over = alert.change is Change.RECOVERED
    word = "Over" if over else WORDS[alert.rule.severity]
    title = f"{word}: {alert.rule.title}, {_short(site)}"
    body = [
        {"type": "TextBlock", "id": alert.key, "text": title, "size": "Large", "weight": "Bolder", "wrap": True,
         "color": _colour(alert)},
        {"type": "FactSet", "facts": [{"title": name, "value": told} for name, told in _facts(alert)]},
        {"type": "TextBlock", "text": _short(advice), "wrap": True},
    ]  # fmt: skip
    return {
        "type": "AdaptiveCard",
        "$schema": SCHEMA,
        "version": "1.5",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open the part", "url": link}],
    }


def message(content: dict[str, Any]) -> bytes:
    """The body of the request.

    Raises:
        ConfigError: It is larger than Teams takes.
    """
    attachment = {"contentType": CONTENT_TYPE, "contentUrl": None, "content": content}
    body = json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode()
    if len(body) > MAX_BYTES:
        raise ConfigError(f"a card of {len(body):,} bytes is too large for Teams ({MAX_BYTES:,})", cure="shorten it")
    return body


def _facts(alert: Alert) -> list[tuple[str, str]]:
    rule, over, events = alert.rule, alert.change is Change.RECOVERED, alert.evidence.get("events")
    bound = rule.clear if over else rule.threshold
    word = ("below" if over else "at or above") if rule.direction == "high" else ("above" if over else "at or below")
    lasted = max(0, round((alert.at - alert.since).total_seconds() / 60))
    value = formatting.format_quantity(alert.value, rule.unit)
    now = [("Now", f"{value}, {word} {formatting.format_number(bound)}")]
    if alert.unmeasured_since:
        now = [("Now", "no longer measured"), ("Last", f"{value} at {_clock(alert.unmeasured_since)}")]
    return [
        *now,
        ("Since", f"{_clock(alert.since)} ({lasted} min)"),
        *([("Made of", formatting.format_quantity(events, "events"))] if isinstance(events, int) else []),
    ]


def _colour(alert: Alert) -> str:
    if alert.change is Change.RAISED:
        return COLOURS[alert.rule.severity]
    return "Default" if alert.unmeasured_since else "Good"  # what nobody measures is not known to be well


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"


def _short(text: str) -> str:
    """Cut to size, on one line, and without what Teams would read as a link or as emphasis."""
    plain = " ".join(text.split())
    for mark in "[]*_`<>":
        plain = plain.replace(mark, "")
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
