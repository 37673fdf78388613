"""Header, cards and panel as HTML: what they show, and that inserted text never becomes markup."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rtlib.domains import Severity
from rtlib.graph import History, KpiBoard, KpiCard
from rtlib.records import Observation, Reading, Status
from rtlib.widgets import cards, panel, theme
from support.observations import NOW, PROBES, graph_of, observations, text_of, tree_of

EVIL = '<script>alert("x")</script>&'


def kpi(**changes: object) -> KpiCard:
    card = KpiCard("wait", "Mean wait", "min", 4.35, Severity.GOOD, NOW - timedelta(seconds=1), (1.0, 2.0))
    return replace(card, **changes)


def test_text_from_outside_cannot_become_markup() -> None:
    reading = Reading(EVIL, 1.0, EVIL, NOW)
    graph = graph_of({"broker": Observation(Status.STOPPED, EVIL, NOW, (reading,))})
    board = KpiBoard(EVIL, (kpi(name=EVIL, title=EVIL, unit=EVIL),), events=1)
    pages = [
        cards.header(board, graph),
        panel.panel(graph.node("events"), graph, History(), explain=lambda node, graph: EVIL),
        cards.trouble(RuntimeError(EVIL)),
    ]
    for html in pages:
        assert tree_of(html).find(".//script") is None
        assert "&lt;script&gt;" in html


def test_a_card_shows_value_unit_severity_and_age() -> None:
    text = text_of(cards.card(kpi(), now=NOW))
    assert all(word in text for word in ("Mean wait", "4.35", "min", "✓ good", "this minute, 1 s ago"))


def test_an_old_card_is_grey_and_dated_and_has_no_severity() -> None:
    html = cards.card(kpi(at=NOW - timedelta(seconds=40)), now=NOW)
    assert "rt-old" in html
    assert "last seen 40 s ago" in html
    assert "good" not in text_of(html)


def test_a_card_without_a_value_is_marked_as_not_measured() -> None:
    html = cards.card(kpi(value=None, at=None, severity=Severity.NONE), now=NOW)
    assert "–" in html
    assert "not measured yet" in html


def test_a_share_is_shown_in_per_cent() -> None:
    assert text_of(cards.value(0.097, "share")) == "9.70 %"


def test_a_value_has_all_its_digits_as_a_tooltip_unless_it_is_not_finite() -> None:
    assert 'title="1,234,567,890">1.23 × 10⁹<' in cards.value(1_234_567_890, "USD")
    assert cards.value(float("inf"), "share") == cards.value(None, "share")


def test_the_banner_names_the_stopped_part() -> None:
    banner = cards.banner(graph_of({**observations(), "loader": Observation(Status.STOPPED, "exit code 137", NOW)}))
    assert "Speed loader is stopped: exit code 137." in text_of(banner)
    assert "rt-stopped" in banner


def test_the_panel_shows_everything_about_a_part() -> None:
    graph, history = graph_of(), History()
    history.add(graph)
    text = text_of(panel.panel(graph.node("events"), graph, history, explain=lambda node, graph: "In plain words."))
    for words in (
        *("Events topic", "Apache Kafka", "healthy", "it answers", "arriving", "51.2", "records/s", "just now"),
        *("In plain words.", "Simulator", "KPI query and Archive query", "Nothing is lost", "01_kafka", "rtlib/broker"),
        *("Amazon MSK", "Live numbers"),
    ):
        assert words in text, words


def test_the_panel_of_a_stopped_part_does_not_call_its_numbers_live() -> None:
    graph = graph_of(observations(Status.STOPPED, ago=14))
    html = panel.panel(graph.node("events"), graph, History(), explain=lambda node, graph: "")
    text = text_of(html)
    assert "Last numbers seen" in text
    assert "last seen 14 s ago" in text
    assert "Live numbers" not in text
    assert 'class="rt-tiles rt-old"' in html


def test_the_overview_counts_the_parts_by_status_and_explains_the_graph() -> None:
    text = text_of(panel.overview(graph_of()))
    assert f"{len(PROBES)} healthy" in text
    assert "Click a part" in text


@pytest.mark.parametrize("status", list(Status))
def test_every_status_can_be_distinguished_without_colour(status: Status) -> None:
    own = theme.STATUS_STYLES[status]
    others = [style for other, style in theme.STATUS_STYLES.items() if other is not status]
    assert (own.symbol, own.shape, own.border) not in [(each.symbol, each.shape, each.border) for each in others]
    assert own.word == status.value


def test_the_style_is_one_element_and_loads_nothing_from_outside() -> None:
    assert theme.css().count("<style>") == 1
    assert "http" not in theme.css()
    assert "@import" not in theme.css()
