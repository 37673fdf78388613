"""An alert and its card, for tests of rules, cards and their delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rtlib.alerts import Alert, Change, Rule, card

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULE = Rule("wait-critical", "wait", "Mean wait", "min", "high", threshold=10.0, clear=7.0)
DOMAINS = ("curbside", "ecommerce", "gaming", "iot")


def alert(change: Change = Change.RAISED, **fields: Any) -> Alert:
    """An alert that began at noon, was raised a minute later, and is dated another minute later."""
    raised, at = NOON + timedelta(seconds=60), NOON + timedelta(seconds=120)
    default = Alert("curbside", "oakland-3rd-st", RULE, change, 12.5, NOON, at, raised, {"events": 240})
    return replace(default, **fields)


def card_of(shown: Alert | None = None, **fields: str) -> dict[str, Any]:
    """The content of the card of an alert."""
    defaults = {
        "site": "Oakland, 3rd Street",
        "advice": "Two more runners until 13:00.",
        "link": "http://localhost/",
        "zone": "UTC",
    }
    return card(shown or alert(), **{**defaults, **fields})
