"""Card: an alert as an Adaptive Card 1.5, as a Workflows webhook of Microsoft Teams takes it. Pure.

Format: https://adaptivecards.io/explorer, and the envelope of "Create incoming webhooks with Workflows". An incoming
webhook has nobody who could receive a pressed button, so the card's only action opens a link.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rtlib.alerts.rules import Alert, Change
from rtlib.errors import ConfigError

MAX_BYTES = 28 * 1024
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
LONGEST = 600  # letters of a text that others wrote


def card(alert: Alert, *, site: str, advice: str, link: str) -> dict[str, Any]:
    """What happened, since when, what to do, and where to look.

    Args:
        alert: What happened.
        site: The site's title.
        advice: What to do, in a sentence.
        link: The page of the node.
    """
    over = alert.change is Change.RECOVERED
    title = f"{'Over' if over else 'Act now'}: {alert.rule.title} at {_short(site)}"
    body = [
        {"type": "TextBlock", "text": title, "size": "Large", "weight": "Bolder", "wrap": True,
         "color": "Good" if over else "Attention"},
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
    rule, over = alert.rule, alert.change is Change.RECOVERED
    bound = rule.clear if over else rule.threshold
    word = "above" if (rule.direction == "high") is not over else "below"
    lasted = max(0, round((alert.at - alert.since).total_seconds() / 60))
    return [
        ("Now", f"{alert.value:g} {rule.unit}, {word} {bound:g}"),
        ("Since", f"{_clock(alert.since)} ({lasted} min)"),
        ("Made of", f"{alert.sent_events:,} events"),
    ]


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"


def _short(text: str) -> str:
    """Cut to size, on one line, and without what Teams would read as a link or as emphasis."""
    plain = " ".join(text.split())
    for mark in "[]*_`<>":
        plain = plain.replace(mark, "")
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
