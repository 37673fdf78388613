"""The pages beside the graph: what cannot be read is said, and reading goes on; an answer stays while it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import ipywidgets
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.pipeline.page_data import PlanData, Quality
from rtlib.widgets.alerts_page import AlertsPage
from rtlib.widgets.pages import Pages

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def message(key: str, *, seen: bool = False) -> dict[str, Any]:
    return {
        "alert_key": key, "site": "oakland", "rule": "long-wait", "severity": "critical", "change": "raised",
        "title": f"Mean wait, {key}", "value": 12.5, "unit": "min", "status": "delivered", "reason": "",
        "raised_at": NOON, "judged_at": NOON, "acknowledged_at": NOON if seen else None,
        "evidence": {},
    }  # fmt: skip


class Shown:
    receiver = None

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.broken: Exception | None = None

    def plan(self) -> PlanData:
        raise KeyError("forecast_at")

    def quality(self) -> Quality:
        raise KeyError("windows")

    def alerts(self) -> list[dict[str, Any]]:
        return self.rows

    def acknowledge(self, key: str) -> None:
        if self.broken:
            raise self.broken

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        pass

    def mutes(self) -> list[dict[str, Any]]:
        return []

    def unmute(self, site: str, rule: str) -> None:
        pass

    def send_again(self, key: str) -> None:
        pass

    def choices(self, kind: str) -> list[tuple[str, str]]:
        return [("All", f"{kind}:all")]


class Told:
    text, source, why, dollars = "It is up.", "facts", "", 0.0


@retry(retry=retry_if_result(lambda seen: not seen), wait=wait_fixed(0.01), stop=stop_after_delay(5))
def until_answered(calls: AlertsPage) -> bool:
    return calls._asker is not None and "It is up." in calls._asker.said


def a_page_with_an_answer(shown: Shown, chosen: str) -> AlertsPage:
    calls = AlertsPage(shown, changed=lambda: None, ask=lambda question: Told())
    calls.read()
    calls._choice.value = chosen
    assert calls._asker
    calls._asker.widget.children[1].children[1].click()
    until_answered(calls)
    return calls


@pytest.mark.parametrize("page", ["plan", "quality"])
def test_an_error_that_nobody_foresaw_is_said_on_the_page_instead_of_ending_the_reading(page: str) -> None:
    pages = Pages(Shown(), ipywidgets.HTML())
    pages.choice.value = page
    pages.read()
    (body,) = [one for name, one in pages._widgets.items() if name == page]
    assert "KeyError" in body.value


def test_an_answer_about_an_alert_stays_while_others_come_and_go() -> None:
    shown = Shown(message("a"), message("b"))
    calls = a_page_with_an_answer(shown, "b")
    shown.rows = [message("c"), message("a", seen=True), message("b")]
    calls.read()
    assert calls._choice.value == "b"
    assert calls._asker and "It is up." in calls._asker.said


def test_an_answer_about_an_alert_goes_with_it() -> None:
    shown = Shown(message("a"), message("b"))
    calls = a_page_with_an_answer(shown, "b")
    shown.rows = [message("a"), message("b", seen=True)]
    calls.read()
    assert calls._choice.value == "a"
    assert calls._asker and calls._asker.said == ""


def test_without_an_alert_there_is_nothing_to_ask() -> None:
    shown = Shown(message("a"))
    calls = a_page_with_an_answer(shown, "a")
    shown.rows = []
    calls.read()
    assert calls._asker and calls._asker.widget.layout.display == "none"


def test_a_button_that_failed_says_so_and_the_words_stay() -> None:
    shown, changes = Shown(message("a")), []
    calls = AlertsPage(shown, changed=lambda: changes.append(1))
    calls.read()
    shown.broken = ValueError("odd")
    calls._seen.click()
    assert "ValueError: odd" in calls.trouble.value
    assert changes == []
