"""The page of alerts without a browser: its buttons, its mutes, and answers about an alert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import ipywidgets
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.alerts import RuleLevel, nearness
from rtlib.domains import load_domain
from rtlib.errors import WarehouseError
from rtlib.faults import MENU
from rtlib.notify import Notify
from rtlib.widgets.alerts_page import AlertsPage, alert_table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def row(key: str, status: str = "delivered", **fields: Any) -> dict[str, Any]:
    defaults = {
        "alert_key": key, "site": "north", "rule": "long-wait", "severity": "critical", "change": "raised",
        "title": "Mean wait, North", "value": 12.5, "unit": "min", "raised_at": NOON, "judged_at": NOON,
        "evidence": {}, "status": status, "reason": "", "acknowledged_at": None,
    }  # fmt: skip
    return {**defaults, **fields}


class Outbox:
    """The data and actions of the page, kept in lists."""

    receiver, time_zone = None, "Asia/Kolkata"

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows, self.muted, self.acknowledged = list(rows), list[dict[str, Any]](), list[str]()
        self.broken: Exception | None = None

    def alerts(self) -> list[dict[str, Any]]:
        return self.rows

    def nearness(self) -> tuple[RuleLevel, ...]:
        return nearness(load_domain("curbside"), None)

    def mutes(self) -> list[dict[str, Any]]:
        return list(self.muted)

    def acknowledge(self, key: str) -> None:
        if self.broken:
            raise self.broken
        self.acknowledged.append(key)

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        until = NOON + timedelta(hours=hours)
        self.muted.append({"site": site, "rule": rule, "title": "Mean <wait>, North", "until": until})

    def unmute(self, site: str, rule: str) -> None:
        self.muted.clear()

    def send_again(self, key: str) -> None:
        raise WarehouseError("no answer", cure="rtlib status")


class Answer:
    text, source, why, dollars = "It is up.", "facts", "", 0.0


def all_widgets(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from all_widgets(child)


def of_type(page: AlertsPage, kind: type) -> list[Any]:
    return [widget for widget in all_widgets(page.widget) if isinstance(widget, kind)]


def button(page: AlertsPage, name: str) -> ipywidgets.Button:
    return next(each for each in of_type(page, ipywidgets.Button) if each.description == name)


def choice(page: AlertsPage) -> ipywidgets.Dropdown:
    return next(each for each in of_type(page, ipywidgets.Dropdown) if each.description == "Alert")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(row("lost", "undelivered"), row("delivered"))


@pytest.fixture
def page(outbox: Outbox) -> AlertsPage:
    pages: list[AlertsPage] = []

    def read() -> None:
        pages[0].trouble.value = pages[0].read()

    pages.append(AlertsPage(outbox, changed=read))
    read()
    return pages[0]


@pytest.fixture
def page_with_answer() -> Callable[[Outbox, str], AlertsPage]:
    """Opens a page, selects an alert and waits for an answer about it."""

    @retry(retry=retry_if_result(lambda answered: not answered), wait=wait_fixed(0.01), stop=stop_after_delay(5))
    def wait_for_answer(page: AlertsPage) -> bool:
        return page.ask_panel is not None and "It is up." in page.ask_panel.answer

    def opened(outbox: Outbox, selected: str) -> AlertsPage:
        page = AlertsPage(outbox, changed=lambda: None, ask=lambda question: Answer())
        page.read()
        choice(page).value = selected
        button(page, "Ask").click()
        wait_for_answer(page)
        return page

    return opened


def test_a_mute_is_listed_with_its_end_and_its_button_ends_it(page: AlertsPage) -> None:
    button(page, "Mute for 1 hour").click()
    texts = [html.value for html in of_type(page, ipywidgets.HTML)]
    assert any("Mean &lt;wait&gt;, North: muted until 18:30 in Kolkata" in text for text in texts)
    button(page, "Unmute").click()
    assert "Unmute" not in [each.description for each in of_type(page, ipywidgets.Button)]


def test_only_buttons_with_an_effect_are_enabled(page: AlertsPage, outbox: Outbox) -> None:
    choice(page).value = "lost"
    assert not button(page, "Send again").disabled
    choice(page).value = "delivered"
    assert button(page, "Send again").disabled
    outbox.rows.clear()
    page.read()
    assert all(button(page, name).disabled for name in ("Acknowledge", "Mute for 1 hour", "Send again"))


def test_a_failed_action_shows_its_error(page: AlertsPage) -> None:
    choice(page).value = "lost"
    button(page, "Send again").click()
    assert "no answer" in page.trouble.value and "rtlib status" in page.trouble.value


def test_an_unexpected_error_of_a_button_is_shown_and_stays() -> None:
    outbox, changes = Outbox(row("a")), []
    page = AlertsPage(outbox, changed=lambda: changes.append(1))
    page.read()
    outbox.broken = ValueError("odd")
    button(page, "Acknowledge").click()
    assert "ValueError: odd" in page.trouble.value
    assert changes == []


def test_an_alert_that_is_no_longer_measured_shows_no_value() -> None:
    html = alert_table([row("a", change="recovered", evidence={"unmeasured_since": NOON.isoformat()})], "Asia/Kolkata")
    assert "<th>Kolkata time</th>" in html and "<td>17:30</td>" in html
    assert "no longer measured" in html
    assert "12.5" not in html


def test_an_answer_about_an_alert_stays_while_other_alerts_come_and_go(
    page_with_answer: Callable[[Outbox, str], AlertsPage],
) -> None:
    outbox = Outbox(row("a"), row("b"))
    page = page_with_answer(outbox, "b")
    outbox.rows = [row("c"), row("a", acknowledged_at=NOON), row("b")]
    page.read()
    assert choice(page).value == "b"
    assert page.ask_panel and "It is up." in page.ask_panel.answer


def test_an_answer_about_an_alert_disappears_with_the_alert(
    page_with_answer: Callable[[Outbox, str], AlertsPage],
) -> None:
    outbox = Outbox(row("a"), row("b"))
    page = page_with_answer(outbox, "b")
    outbox.rows = [row("a"), row("b", acknowledged_at=NOON)]
    page.read()
    assert choice(page).value == "a"
    assert page.ask_panel and page.ask_panel.answer == ""


def test_without_an_alert_there_are_no_questions(page_with_answer: Callable[[Outbox, str], AlertsPage]) -> None:
    outbox = Outbox(row("a"))
    page = page_with_answer(outbox, "a")
    outbox.rows = []
    page.read()
    assert page.ask_panel and page.ask_panel.widget.layout.display == "none"


def test_without_an_alert_the_page_shows_every_rule_and_hides_what_has_nothing_to_handle(outbox: Outbox) -> None:
    outbox.rows = []
    page = AlertsPage(outbox, changed=lambda: None)
    page.read()
    shown = " ".join(html.value for html in of_type(page, ipywidgets.HTML))
    assert "No alert so far" in shown
    for condition in (
        "Mean wait at or above 10 min for 60 s",
        "People short in the next two hours at or above 20 people",
    ):
        assert condition in shown
    assert page._bar.layout.display == "none"


def test_a_surge_is_announced_made_through_the_fault_panels_action_and_reported(outbox: Outbox) -> None:
    asked: list[str] = []

    def inject(name: str, notify: Notify) -> str:
        asked.append(name)
        notify(f"A surge at one site (seed 1)\n{MENU['surge'].expect}")
        return "12,000 additional records were sent."

    page = AlertsPage(outbox, changed=lambda: None, inject=inject)
    assert page.surge and "A card reaches the channel" in page.surge.text.value
    button(page, "Make a surge").click()
    until(lambda: "12,000 additional records" in page.surge.text.value)
    until(lambda: not page.surge.button.disabled)
    assert asked == ["surge"]


@retry(retry=retry_if_result(lambda met: not met), wait=wait_fixed(0.01), stop=stop_after_delay(5))
def until(condition: Callable[[], bool]) -> bool:
    return condition()
