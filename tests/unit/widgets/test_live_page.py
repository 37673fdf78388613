"""The page of the sites: the worst first, another order on request, and the closed minute with the running one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rtlib.domains import Severity
from rtlib.graph import KpiBoard, KpiCard, SiteBoard
from rtlib.widgets.live_page import LivePage, ordered, sites_table
from support.observations import NOW, text_of


def site(title: str, wait: float | None, *severities: Severity) -> SiteBoard:
    def card(name: str, severity: Severity) -> KpiCard:
        return KpiCard(name, name, "min", wait, severity, NOW, closed_at=NOW - timedelta(seconds=9), running=61.0)

    return SiteBoard(title, tuple(card(f"k{number}", severity) for number, severity in enumerate(severities)))


SITES = (
    site("Good", 3.0, Severity.GOOD, Severity.GOOD),
    site("Watched twice", None, Severity.WATCH, Severity.WATCH),
    site("Bad", 1.0, Severity.ACT, Severity.GOOD),
)
BOARD = KpiBoard("Curb-side", SITES[0].cards, sites=SITES)


@pytest.mark.parametrize(
    ("order", "titles"),
    [
        ("worst", ["Bad", "Watched twice", "Good"]),
        ("name", ["Bad", "Good", "Watched twice"]),
        ("kpi:k0", ["Good", "Bad", "Watched twice"]),
    ],
)
def test_the_sites_are_in_the_chosen_order(order: str, titles: list[str]) -> None:
    assert [each.title for each in ordered(SITES, order)] == titles


def test_a_chosen_order_applies_at_once_and_stays_while_numbers_change() -> None:
    page = LivePage()
    page.refresh(BOARD)
    page.order.value = "kpi:k0"
    page.refresh(BOARD)
    assert page.order.value == "kpi:k0"
    assert page.html.index("Good") < page.html.index("Bad")


def test_the_running_minute_stands_below_the_closed_minute() -> None:
    assert "61 so far" in text_of(sites_table(BOARD))
    assert "so far" in sites_table(KpiBoard("", BOARD.cards, sites=(site("New", None, Severity.NONE),)))


def test_before_the_first_events_the_page_says_what_comes() -> None:
    assert "on their way" in sites_table(KpiBoard("Curb-side"))
