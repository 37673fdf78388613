from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, Component, component
from rtlib.domains import Severity
from rtlib.graph import Graph, History, KpiBoard, KpiCard, build
from rtlib.records import Observation, Reading, Status
from rtlib.widgets import architecture, canvas, cards, panel, theme
from rtlib.widgets.architecture import ArchitectureGraph, faces
from rtlib.widgets.chart import Band, Line, chart
from rtlib.widgets.dashboard import Dashboard
from rtlib.widgets.sparkline import sparkline

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROBES = sorted({one.probe for one in ARCHITECTURE_COMPONENTS_LIST if one.probe})
EVIL = '<script>alert("x")</script>&'


def observed(status: Status = Status.HEALTHY, *, ago: float = 0.4, value: float = 51.2) -> dict[str, Observation]:
    reading = Reading("arriving", value, "records/s", NOW - timedelta(seconds=ago))
    return {probe: Observation(status, "it answers", NOW, (reading,)) for probe in PROBES}


def pictured(observations: Mapping[str, Observation] | None = None) -> Graph:
    return build(observed() if observations is None else observations, now=NOW)


def kpi(**changes: object) -> KpiCard:
    card = KpiCard("wait", "Mean wait", "min", 4.35, Severity.GOOD, NOW - timedelta(seconds=1), (1.0, 2.0))
    return replace(card, **changes)


def parsed(html: str) -> ElementTree.Element:
    """The HTML as a tree: it is well formed, so nothing that was put in has broken out."""
    return ElementTree.fromstring(f"<root>{html.replace('&nbsp;', ' ')}</root>")


# The graph


def test_every_component_has_its_four_elements_and_no_two_cards_overlap() -> None:
    ids = [data["id"] for data, _ in canvas.elements(ARCHITECTURE_COMPONENTS_LIST)]
    assert len(ids) == len(set(ids))
    assert all(f"{one.id}{end}" in ids for one in ARCHITECTURE_COMPONENTS_LIST for end in faces(pictured().nodes[0]))
    places = list(canvas.places(ARCHITECTURE_COMPONENTS_LIST).values())
    for i, (x1, y1) in enumerate(places):
        assert all(abs(x1 - x2) >= canvas.WIDTH or abs(y1 - y2) >= canvas.HEIGHT for x2, y2 in places[:i])


def test_one_more_component_is_one_more_card() -> None:
    extra = Component("extra", "Extra", "P", "people", 4, "It reads.", "Nothing.", upstream=("speed",), probe="new")
    shown = ArchitectureGraph((*ARCHITECTURE_COMPONENTS_LIST, extra))
    kinds = [node.data.get("kind") for node in shown.widget.graph.nodes]
    assert kinds.count("card") == len(ARCHITECTURE_COMPONENTS_LIST) + 1


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_told_apart_without_colour(status: Status) -> None:
    others = [theme.LOOKS[other] for other in Status if other is not status]
    mine = theme.LOOKS[status]
    assert all((mine.symbol, mine.shape, mine.border) != (one.symbol, one.shape, one.border) for one in others)
    assert mine.word == status.value


def test_a_card_says_its_title_its_number_and_that_it_is_old() -> None:
    live, old = pictured().node("events"), pictured(observed(ago=14)).node("events")
    assert faces(live)[":number"]["title"] == "51.2 records/s"
    assert faces(live)[":note"]["title"] == "Apache Kafka"
    assert faces(old)[":note"] == {"title": "last seen 14 s ago", "status": "healthy", "stale": "yes"}
    planned = build({}, now=NOW, components=[replace(component("powerbi"), probe=None, upstream=())])
    assert faces(planned.node("powerbi"))[":note"]["title"] == "planned"


def data_of(shown: ArchitectureGraph, element_id: str) -> dict[str, str]:
    elements = [*shown.widget.graph.nodes, *shown.widget.graph.edges]
    return next(dict(one.data) for one in elements if one.data["id"] == element_id)


def test_selecting_a_part_lights_its_lineage_and_dims_the_rest() -> None:
    shown = ArchitectureGraph()
    shown.update(pictured())
    shown.select("kpis")
    marks = {one: data_of(shown, one)["focus"] for one in ("simulator", "events", "kpis", "loader", "archive")}
    assert marks == {"simulator": "up", "events": "up", "kpis": "self", "loader": "down", "archive": "dim"}
    edges = {one: data_of(shown, one)["focus"] for one in ("events>kpis", "kpis>loader", "events>archive")}
    assert edges == {"events>kpis": "up", "kpis>loader": "down", "events>archive": "dim"}
    shown.select(None)
    assert {node.data["focus"] for node in shown.widget.graph.nodes} == {""}


def test_a_tap_selects_and_a_tap_on_the_same_card_or_beside_it_comes_back() -> None:
    shown, told = ArchitectureGraph(), []
    shown.on_select(told.append)
    for tapped in ("events", "events", "kpis", canvas.GROUND):
        shown.widget._handle_interaction(
            shown.widget, {"widget": "node", "event": "tap", "data": {"data": {"id": tapped}}}, []
        )
    assert told == ["events", None, "kpis", None]


def test_an_update_sends_only_what_changed() -> None:
    shown = ArchitectureGraph()
    shown.update(pictured())
    sent: list[str] = []
    for element in [*shown.widget.graph.nodes, *shown.widget.graph.edges]:
        element.observe(lambda change, own=element: sent.append(own.data["id"]), names="data")
    shown.update(pictured())
    assert sent == []
    changed = observed()
    changed["broker"] = observed(value=60)["broker"]
    shown.update(pictured(changed))
    assert sorted(sent) == ["events", "events:number"]


def test_everything_is_sent_again_now_and_then_for_a_browser_that_missed_it() -> None:
    shown = ArchitectureGraph()
    beats = set()
    for _ in range(2 * architecture.BEAT_UPDATES):
        shown.update(pictured())
        beats.add(data_of(shown, "speed>dashboard")["beat"])
    assert beats == {0, 1}


@pytest.mark.parametrize(
    ("source", "target", "flow"),
    [("events", "kpis", "still"), ("loader", "speed", "flow")],
)
def test_an_edge_shows_whether_data_moves(source: str, target: str, flow: str) -> None:
    shown = ArchitectureGraph()
    shown.update(pictured({**observed(), "broker": Observation(Status.STOPPED, "gone", NOW)}))
    assert data_of(shown, f"{source}>{target}")["flow"] == flow


def test_a_bent_edge_passes_where_it_should() -> None:
    bent = canvas.route((0, 0), (100, 100))
    assert bent["control_point_weights"] == [0.25, 0.75]
    assert bent["control_point_distances"] == [-35.36, 35.36]
    assert "curve_style" not in canvas.route((0, 0), (100, 0))


# Header, panel, sparkline


def test_what_comes_from_outside_cannot_become_markup() -> None:
    reading = Reading(EVIL, 1.0, EVIL, NOW)
    graph = pictured({"broker": Observation(Status.STOPPED, EVIL, NOW, (reading,))})
    board = KpiBoard(EVIL, (kpi(name=EVIL, title=EVIL, unit=EVIL),), events=1)
    shown = [
        cards.header(board, graph),
        panel.panel(graph.node("events"), graph, History(), explain=lambda node, graph: EVIL),
        cards.trouble(RuntimeError(EVIL)),
    ]
    for html in shown:
        assert parsed(html).find(".//script") is None
        assert "&lt;script&gt;" in html


def test_a_card_carries_value_unit_verdict_and_age() -> None:
    text = "".join(parsed(cards.card(kpi(), now=NOW)).itertext())
    assert all(word in text for word in ("Mean wait", "4.35", "min", "✓ good", "this minute, 1 s ago"))


def test_an_old_card_is_grey_dated_and_without_a_verdict() -> None:
    html = cards.card(kpi(at=NOW - timedelta(seconds=40)), now=NOW)
    assert "rt-old" in html
    assert "last seen 40 s ago" in html
    assert "good" not in "".join(parsed(html).itertext())


def test_a_card_without_a_value_says_so() -> None:
    html = cards.card(kpi(value=None, at=None, severity=Severity.NONE), now=NOW)
    assert "–" in html
    assert "not measured yet" in html


def test_a_share_is_shown_in_per_cent() -> None:
    assert "".join(parsed(cards.value(0.097, "share")).itertext()) == "9.70 %"


def test_the_banner_names_the_part_that_is_down() -> None:
    banner = cards.banner(pictured({**observed(), "loader": Observation(Status.STOPPED, "exit code 137", NOW)}))
    assert "Speed loader is stopped: exit code 137." in "".join(parsed(banner).itertext())
    assert "rt-stopped" in banner


def test_the_panel_tells_everything_about_a_part() -> None:
    graph, history = pictured(), History()
    history.add(graph)
    html = panel.panel(graph.node("events"), graph, history, explain=lambda node, graph: "In plain words.")
    text = "".join(parsed(html).itertext())
    for words in (
        *("Events topic", "Apache Kafka", "healthy", "it answers", "arriving", "51.2", "records/s", "just now"),
        *("In plain words.", "Simulator", "KPI query and Archive query", "Nothing is lost", "01_kafka", "rtlib/broker"),
        *("Amazon MSK", "Live numbers"),
    ):
        assert words in text, words


def test_the_panel_of_a_stopped_part_calls_nothing_live() -> None:
    graph = pictured(observed(Status.STOPPED, ago=14))
    html = panel.panel(graph.node("events"), graph, History(), explain=lambda node, graph: "")
    text = "".join(parsed(html).itertext())
    assert "Last numbers seen" in text
    assert "last seen 14 s ago" in text
    assert "Live numbers" not in text
    assert 'class="rt-tiles rt-old"' in html


def test_the_overview_counts_the_signs_and_says_how_to_go_on() -> None:
    text = "".join(parsed(panel.overview(pictured())).itertext())
    assert f"{len(PROBES)} healthy" in text
    assert "Click a part" in text


@pytest.mark.parametrize("values", [(), (None,), (1.0,), (None, None), (float("nan"), float("inf"))])
def test_a_sparkline_of_too_little_is_empty(values: tuple[float | None, ...]) -> None:
    assert parsed(sparkline(values)).find(".//polyline") is None


def test_a_sparkline_stays_inside_its_frame_and_keeps_its_gaps() -> None:
    lines = parsed(sparkline((1e9, 0.0, None, -5.0, 1e9, float("nan")))).findall(".//polyline")
    points = [tuple(map(float, point.split(","))) for line in lines for point in line.attrib["points"].split()]
    assert len(lines) == 2
    assert all(0 <= x <= 100 and 0 <= y <= 24 for x, y in points)


def test_a_flat_line_lies_in_the_middle() -> None:
    line = parsed(sparkline((7.0, 7.0, 7.0))).find(".//polyline")
    assert line is not None
    assert set(re.findall(r",([\d.]+)", line.attrib["points"])) == {"12.0"}


# The dashboard


class Scripted:
    """A source that says what the test sets; ``broken`` makes it fail."""

    def __init__(self) -> None:
        self.broken = ""
        self.value = 51.2
        self.asked = threading.Event()

    def observations(self) -> Mapping[str, Observation]:
        self.asked.set()
        if self.broken:
            raise RuntimeError(self.broken)
        now = datetime.now(UTC)
        return {"broker": Observation(Status.HEALTHY, "", now, (Reading("arriving", self.value, "records/s", now),))}

    def kpis(self) -> KpiBoard:
        return KpiBoard("Curb-side pick-up", (), events=7)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Scripted, Dashboard]]:
    monkeypatch.setitem(Dashboard._keep_fresh.__globals__, "EVERY_SECONDS", 0.01)
    source = Scripted()
    shown = Dashboard(source, explain=lambda node, graph: f"It says {node.headline}.")
    yield source, shown
    shown.stop()


def until(condition: object) -> None:
    from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

    retry(wait=wait_fixed(0.01), stop=stop_after_delay(10), retry=retry_if_result(lambda ok: not ok))(condition)()


def test_the_dashboard_is_complete_before_it_is_shown(scripted: tuple[Scripted, Dashboard]) -> None:
    _, shown = scripted
    assert "Curb-side pick-up" in shown._header.value
    assert "From event to answer" in shown._panel.value


def test_choosing_from_the_list_and_tapping_the_graph_are_the_same(
    scripted: tuple[Scripted, Dashboard],
) -> None:
    _, shown = scripted
    shown.choice.value = "events"
    assert shown.architecture.selected == "events"
    assert 'data-node="events"' in shown._panel.value
    shown.architecture.select("kpis")
    assert shown.choice.value == "kpis"
    shown.architecture.select(None)
    assert shown.choice.value == ""
    assert "From event to answer" in shown._panel.value


def test_the_numbers_follow_the_source(scripted: tuple[Scripted, Dashboard]) -> None:
    source, shown = scripted
    shown.start().choice.value = "events"
    source.value = 60.5
    until(lambda: "60.5" in shown._panel.value)


def test_a_failing_source_is_said_and_the_dashboard_goes_on_when_it_is_mended(
    scripted: tuple[Scripted, Dashboard],
) -> None:
    source, shown = scripted
    shown.start()
    source.broken = "the cat sat on the cable"
    until(lambda: "the cat sat on the cable" in shown._trouble.value)
    source.broken = ""
    until(lambda: shown._trouble.value == "")


@pytest.mark.parametrize("end", ["stop", "close"])
def test_the_refresh_ends_when_it_is_stopped_or_the_widget_closed(
    scripted: tuple[Scripted, Dashboard], end: str
) -> None:
    source, shown = scripted
    shown.start()
    until(source.asked.is_set)
    shown.stop() if end == "stop" else shown.widget.close()
    until(lambda: not any(thread.name == "dashboard" and thread.is_alive() for thread in threading.enumerate()))


def test_the_style_is_one_element_and_asks_for_nothing_from_elsewhere() -> None:
    assert theme.css().count("<style>") == 1
    assert "http" not in theme.css()
    assert "@import" not in theme.css()


@pytest.mark.parametrize("begin", [datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in range(0, 24, 4)])
@pytest.mark.parametrize("hours", [6, 24, 72])
def test_words_under_a_chart_neither_lie_over_its_scale_nor_are_cut_at_its_end(begin: datetime, hours: int) -> None:
    line = Line("load", "rt-is", [begin, begin + timedelta(hours=hours)], [0.0, 9.0])
    drawn = chart("load", "orders", [line]).split("<svg", 1)[1].split("</svg>", 1)[0]
    words = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*"middle"', drawn)]
    scale = [float(x) for x in re.findall(r'<text x="([\d.]+)"[^>]*"end"', drawn)]
    assert words
    assert min(words) - 20 > max(scale)
    assert max(words) + 20 < 900


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_a_chart_and_a_sparkline_leave_out_what_is_not_finite(odd: float) -> None:
    moments = [NOW + timedelta(minutes=n) for n in range(4)]
    layers = [
        Band("band", "rt-band", moments, [0.0, odd, 1.0, 2.0], [1.0, odd, 2.0, 3.0]),
        Line("line", "rt-actual", moments, [1.0, odd, 2.0, 3.0]),
    ]
    drawn = chart("load", "orders", layers) + sparkline([1.0, odd, 2.0, 3.0])
    assert not re.search(r"\b(nan|inf)\b", drawn)


def test_numbers_of_any_size_are_drawn_within_the_frame_and_an_axis_has_short_ones() -> None:
    moments = [NOW + timedelta(minutes=n) for n in range(3)]
    drawn = chart("load", "orders", [Line("line", "rt-actual", moments, [0.0, 9e99, 1e99])])
    shown = re.findall(r'text-anchor="end">([^<]*)<title>', drawn)
    assert "2 × 10⁹⁹" in shown
    assert max(map(len, shown)) <= 8
    heights = [float(one) for one in re.findall(r"[ML][0-9.]+ (-?[0-9.]+)", drawn)]
    assert heights and all(0 <= one <= 205 for one in heights)
    assert not re.search(r"\b(nan|inf)\b", sparkline([-1.7e308, 1.7e308, 0.0]))


def test_a_value_has_all_its_digits_as_a_tooltip_and_what_is_no_number_has_none() -> None:
    assert 'title="1,234,567,890">1.23 × 10⁹<' in cards.value(1_234_567_890, "USD")
    assert cards.value(float("inf"), "share") == cards.value(None, "share")
