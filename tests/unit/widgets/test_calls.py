"""The page of alerts: what can be pressed, what it does, and what is said of mutes; without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import ipywidgets
import pytest

from rtlib.errors import WarehouseError
from rtlib.widgets.calls import Calls, messages

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def row(key: str, status: str = "delivered", **fields: Any) -> dict[str, Any]:
    told = {
        "alert_key": key, "site": "north", "rule": "long-wait", "severity": "critical", "change": "raised",
        "title": "Mean wait, North", "value": 12.5, "unit": "min", "raised_at": NOON, "judged_at": NOON,
        "evidence": {}, "status": status, "reason": "", "acknowledged_at": None,
    }  # fmt: skip
    return {**told, **fields}


class Outbox:
    """What the page reads and does, kept in lists."""

    receiver = None

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows, self.muted, self.done = list(rows), list[dict[str, Any]](), list[tuple[str, ...]]()

    def alerts(self) -> list[dict[str, Any]]:
        return self.rows

    def mutes(self) -> list[dict[str, Any]]:
        return list(self.muted)

    def acknowledge(self, key: str) -> None:
        self.done.append(("acknowledge", key))

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        until = NOON + timedelta(hours=hours)
        self.muted.append({"site": site, "rule": rule, "title": "Mean <wait>, North", "until": until})

    def unmute(self, site: str, rule: str) -> None:
        self.muted.clear()

    def send_again(self, key: str) -> None:
        raise WarehouseError("no answer", cure="rtlib status")


def widgets(calls: Calls, kind: type) -> list[Any]:
    """Every widget of a kind on the page."""
    found, waiting = [], [calls.widget]
    while waiting:
        one = waiting.pop()
        found += [one] if isinstance(one, kind) else []
        waiting += getattr(one, "children", ())
    return found


def button(calls: Calls, name: str) -> ipywidgets.Button:
    return next(one for one in widgets(calls, ipywidgets.Button) if one.description == name)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(row("lost", "undelivered"), row("heard"))


@pytest.fixture
def calls(outbox: Outbox) -> Calls:
    page: list[Calls] = []

    def read() -> None:
        page[0].trouble.value = page[0].read()

    page.append(Calls(outbox, changed=read))
    read()
    return page[0]


def choose(calls: Calls, key: str) -> None:
    (dropdown,) = widgets(calls, ipywidgets.Dropdown)
    dropdown.value = key


def test_a_mute_is_listed_with_its_end_and_its_button_takes_it_back(calls: Calls) -> None:
    button(calls, "Mute for 1 hour").click()
    assert any(
        "Mean &lt;wait&gt;, North: muted until 13:00 UTC" in one.value for one in widgets(calls, ipywidgets.HTML)
    )
    button(calls, "Unmute").click()
    assert "Unmute" not in [one.description for one in widgets(calls, ipywidgets.Button)]


def test_only_what_would_do_something_can_be_pressed(calls: Calls, outbox: Outbox) -> None:
    choose(calls, "lost")
    assert not button(calls, "Send again").disabled
    choose(calls, "heard")
    assert button(calls, "Send again").disabled
    outbox.rows.clear()
    calls.read()
    assert all(button(calls, name).disabled for name in ("Acknowledge", "Mute for 1 hour", "Send again"))


def test_what_could_not_be_done_is_said(calls: Calls) -> None:
    choose(calls, "lost")
    button(calls, "Send again").click()
    assert "no answer" in calls.trouble.value and "rtlib status" in calls.trouble.value


def test_what_is_no_longer_measured_shows_no_value() -> None:
    told = messages([row("a", change="recovered", evidence={"unmeasured_since": NOON.isoformat()})])
    assert "no longer measured" in told
    assert "12.5" not in told
