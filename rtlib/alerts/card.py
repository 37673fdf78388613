"""Card: an alert as an Adaptive Card 1.5 for a Workflows webhook of Microsoft Teams. Pure.

Format: https://adaptivecards.io/explorer, and the envelope of "Create incoming webhooks with Workflows". An incoming
webhook cannot receive the click of a button, so the only action of a card opens a link.
"""

from __future__ import annotations

import json
from typing import Any

from rtlib import formatting
from rtlib.alerts.rules import Alert, Change
from rtlib.errors import ConfigError

MAX_BYTES = 28 * 1024
SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
MAX_TEXT = 600  # characters of a text from outside
WORDS = {"critical": "Act now", "warning": "Look at this"}
COLOURS = {"critical": "Attention", "warning": "Warning"}


def card(alert: Alert, *, site: str, advice: str, link: str, zone: str) -> dict[str, Any]:
    """The content of a card: what happened, since when, what to do, and a link; the title's ``id`` is the alert's key.

    Args:
        alert: The alert.
        site: The site's title.
        advice: What to do, in a sentence.
        link: The address of the page to open.
        zone: Time zone (IANA) of the times on the card, the site's.
    """
    over = alert.change is Change.RECOVERED
    word = "Over" if over else WORDS[alert.rule.severity]
    title = f"{word}: {alert.rule.title}, {_short(site)}"
    body = [
        {"type": "TextBlock", "id": alert.key, "text": title, "size": "Large", "weight": "Bolder", "wrap": True,
         "color": _colour(alert)},
        {"type": "FactSet", "facts": [{"title": name, "value": text} for name, text in _facts(alert, zone)]},
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
    """The body of the request that sends a card.

    Args:
        content: The content of the card.

    Raises:
        ConfigError: The body is larger than Teams accepts.
    """
    attachment = {"contentType": CONTENT_TYPE, "contentUrl": None, "content": content}
    body = json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode()
    if len(body) > MAX_BYTES:
        raise ConfigError(f"a card of {len(body):,} bytes is too large for Teams ({MAX_BYTES:,})", cure="shorten it")
    return body


def _facts(alert: Alert, zone: str) -> list[tuple[str, str]]:
    rule, over, events = alert.rule, alert.change is Change.RECOVERED, alert.evidence.get("events")
    bound = rule.clear if over else rule.threshold
    word = ("below" if over else "at or above") if rule.direction == "high" else ("above" if over else "at or below")
    lasted = max(0, round((alert.at - alert.since).total_seconds() / 60))
    value = formatting.format_quantity(alert.value, rule.unit)
    now = [("Now", f"{value}, {word} {formatting.format_number(bound)}")]
    if alert.unmeasured_since:
        now = [
            ("Now", "no longer measured"),
            ("Last", f"{value} at {formatting.local_time(alert.unmeasured_since, zone)}"),
        ]
    return [
        *now,
        ("Since", f"{formatting.local_time(alert.since, zone)} ({lasted} min)"),
        *([("Made of", formatting.format_quantity(events, "events"))] if isinstance(events, int) else []),
    ]


def _colour(alert: Alert) -> str:
    if alert.change is Change.RAISED:
        return COLOURS[alert.rule.severity]
    return "Default" if alert.unmeasured_since else "Good"  # a value that is no longer measured is not known to be good


def _short(text: str) -> str:
    """A text on one line, cut to size, without the characters that Teams reads as links or emphasis."""
    plain = " ".join(text.split())
    for mark in "[]*_`<>":
        plain = plain.replace(mark, "")
    return plain if len(plain) <= MAX_TEXT else plain[: MAX_TEXT - 1] + "…"
