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
    card = KpiCard(
        "wait", "Mean wait", "min", 4.35, Severity.GOOD, NOW - timedelta(seconds=1), (1.0, 2.0),
        closed_at=NOW - timedelta(seconds=20), before=4.1, running=5.5,
    )  # fmt: skip
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


def test_a_card_shows_value_unit_severity_change_and_the_running_minute() -> None:
    text = text_of(cards.card(kpi(), now=NOW))
    words = ("Mean wait", "4.35", "min", "✓ good", "+0.25 in a minute", "5.50 so far this minute, 1 s ago")
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (kpi(value=110.0, before=100.0, last_week=137.5, relative=True), "+10 % in a minute, −20 % in a week"),
        (kpi(value=100.0, before=100.0, relative=True), "±0 % in a minute"),
        (kpi(value=5.0, before=0.0, relative=True), "+5 in a minute"),
        (kpi(value=9e99, before=1.0, relative=True), "over +999 % in a minute"),
        (kpi(value=0.1, before=0.125, unit="share"), "−2.50 points in a minute"),
        (kpi(before=None), ""),
        (kpi(value=None), ""),
    ],
)
def test_a_change_is_given_in_per_cent_in_points_or_in_the_unit_and_left_out_if_it_is_not_known(
    card: KpiCard, text: str
) -> None:
    assert cards.changes(card) == text


def test_of_two_changes_that_are_longer_than_the_line_the_second_is_a_tooltip() -> None:
    html = cards.card(kpi(value=0.5, before=0.123, last_week=0.789, unit="share"), now=NOW)
    assert "+37.7 points in a minute" in text_of(html)
    assert "a week" not in text_of(html) and "−28.9 points in a week" in html


def test_the_age_of_a_running_minute_that_is_longer_than_the_line_is_a_tooltip() -> None:
    html = cards.card(kpi(running=1.23e25), now=NOW)
    assert ">1.23 × 10²⁵ so far this minute<" in html and "so far this minute, 1 s ago" in html


def test_a_window_of_another_length_is_not_called_a_minute() -> None:
    text = text_of(cards.card(kpi(), now=NOW, window=cards.window_word(5)))
    assert "5.50 so far in this window of 5 s" in text and "minute" not in text


def test_in_the_first_minute_the_card_shows_its_value_so_far() -> None:
    text = text_of(cards.card(kpi(value=None, closed_at=None, before=None, running=61.0), now=NOW))
    assert "61" in text and "this minute is the first" in text
    assert "–" not in text


def test_a_running_minute_without_a_value_is_described_in_words() -> None:
    text = text_of(cards.card(kpi(running=None), now=NOW))
    assert "this minute has just begun" in text and "–" not in text


def test_an_old_card_is_grey_and_dated_and_has_no_severity() -> None:
    html = cards.card(kpi(at=NOW - timedelta(seconds=40)), now=NOW)
    assert "rt-old" in html
    assert "last seen 40 s ago" in html
    assert "good" not in text_of(html)


def test_a_card_without_a_value_is_marked_as_not_measured() -> None:
    html = cards.card(kpi(value=None, at=None, severity=Severity.NONE, closed_at=None, running=None), now=NOW)
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
