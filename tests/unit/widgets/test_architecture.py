"""The graph as a widget: cards, lineage, and updates that send only changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import hypot
from typing import Any

import pytest

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, Component, component
from rtlib.graph import build
from rtlib.records import Observation, Status
from rtlib.widgets import architecture, canvas
from rtlib.widgets.architecture import ArchitectureGraph, faces
from support.observations import NOW, graph_of, observations


def data_of(graph: ArchitectureGraph, element_id: str) -> dict[str, str]:
    elements = [*graph.widget.graph.nodes, *graph.widget.graph.edges]
    return next(dict(element.data) for element in elements if element.data["id"] == element_id)


def test_every_component_has_four_elements_and_no_two_cards_overlap() -> None:
    ids = [data["id"] for data, _ in canvas.elements(ARCHITECTURE_COMPONENTS_LIST)]
    assert len(ids) == len(set(ids))
    endings = faces(graph_of().nodes[0])
    assert all(f"{part.id}{ending}" in ids for part in ARCHITECTURE_COMPONENTS_LIST for ending in endings)
    places = list(canvas.places(ARCHITECTURE_COMPONENTS_LIST).values())
    for i, (x1, y1) in enumerate(places):
        assert all(abs(x1 - x2) >= canvas.WIDTH or abs(y1 - y2) >= canvas.HEIGHT for x2, y2 in places[:i])


def test_an_additional_component_adds_a_card() -> None:
    extra = Component("extra", "Extra", "P", "people", 4, "It reads.", "Nothing.", upstream=("speed",), probe="new")
    graph = ArchitectureGraph((*ARCHITECTURE_COMPONENTS_LIST, extra))
    kinds = [node.data.get("kind") for node in graph.widget.graph.nodes]
    assert kinds.count("card") == len(ARCHITECTURE_COMPONENTS_LIST) + 1


def test_a_card_shows_its_title_its_number_and_the_age_of_an_old_number() -> None:
    live, old = graph_of().node("events"), graph_of(observations(ago=14)).node("events")
    assert faces(live)[":number"]["title"] == "51.2 records/s"
    assert faces(live)[":note"]["title"] == "Apache Kafka"
    assert faces(old)[":note"] == {"title": "last seen 14 s ago", "status": "healthy", "stale": "yes"}
    planned = build({}, now=NOW, components=[replace(component("powerbi"), probe=None, upstream=())])
    assert faces(planned.node("powerbi"))[":note"]["title"] == "planned"


def test_selecting_a_part_highlights_its_lineage_and_dims_the_rest() -> None:
    graph = ArchitectureGraph()
    graph.update(graph_of())
    graph.select("kpis")
    nodes = ("simulator", "events", "kpis", "loader", "archive")
    marks = {node: data_of(graph, node)["focus"] for node in nodes}
    assert marks == {"simulator": "up", "events": "up", "kpis": "self", "loader": "down", "archive": "dim"}
    edges = {edge: data_of(graph, edge)["focus"] for edge in ("events>kpis", "kpis>loader", "events>archive")}
    assert edges == {"events>kpis": "up", "kpis>loader": "down", "events>archive": "dim"}
    graph.select(None)
    assert {node.data["focus"] for node in graph.widget.graph.nodes} == {""}


def test_a_tap_selects_a_card_and_a_second_tap_or_a_tap_beside_it_clears_the_selection() -> None:
    graph, selections = ArchitectureGraph(), list[str | None]()
    graph.on_select(selections.append)
    for target in ("events", "events", "kpis", canvas.GROUND):
        event = {"widget": "node", "event": "tap", "data": {"data": {"id": target}}}
        graph.widget._handle_interaction(graph.widget, event, [])
    assert selections == ["events", None, "kpis", None]


def test_an_edge_shows_its_rate_while_the_pointer_is_on_it_or_a_node_at_its_end_is_selected() -> None:
    graph = ArchitectureGraph()
    graph.update(graph_of())
    assert data_of(graph, "simulator>events")["rate"] == ""
    graph._pointed_at({"data": {"id": "simulator>events"}})
    assert data_of(graph, "simulator>events")["rate"] == "51.2 records/s"
    assert data_of(graph, "events>kpis")["rate"] == ""
    graph._left({})
    assert data_of(graph, "simulator>events")["rate"] == ""
    graph.select("events")
    assert [data_of(graph, edge)["rate"] for edge in ("simulator>events", "events>kpis")] == ["51.2 records/s"] * 2
    graph.select(None)
    assert data_of(graph, "events>kpis")["rate"] == ""


def test_an_update_sends_only_changes() -> None:
    graph = ArchitectureGraph()
    graph.update(graph_of())
    sent: list[str] = []
    for element in [*graph.widget.graph.nodes, *graph.widget.graph.edges]:
        element.observe(lambda change, own=element: sent.append(own.data["id"]), names="data")
    graph.update(graph_of())
    assert sent == []
    graph.update(graph_of({**observations(), "broker": observations(value=60)["broker"]}))
    assert sorted(sent) == ["events", "events:number"]


def test_everything_is_sent_again_periodically_for_a_browser_that_missed_an_update() -> None:
    graph = ArchitectureGraph()
    beats = set()
    for _ in range(2 * architecture.BEAT_UPDATES):
        graph.update(graph_of())
        beats.add(data_of(graph, "speed>dashboard")["beat"])
    assert beats == {0, 1}


@pytest.mark.parametrize(("source", "target", "flow"), [("events", "kpis", "still"), ("loader", "speed", "flow")])
def test_an_edge_shows_whether_data_moves(source: str, target: str, flow: str) -> None:
    graph = ArchitectureGraph()
    graph.update(graph_of({**observations(), "broker": Observation(Status.STOPPED, "gone", NOW)}))
    assert data_of(graph, f"{source}>{target}")["flow"] == flow


def test_a_bent_edge_has_its_control_points_at_the_right_distance() -> None:
    bent = canvas.route((0, 0), (100, 100))
    assert bent["control_point_weights"] == [0.25, 0.75]
    assert bent["control_point_distances"] == [-35.36, 35.36]
    assert "curve_style" not in canvas.route((0, 0), (100, 0))


def points_of(start: canvas.Place, end: canvas.Place, bent: Mapping[str, Any]) -> list[canvas.Place]:
    """Points on the drawn path of an edge that leaves to the right: quadratic curves between the control points."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = hypot(dx, dy)
    controls = [
        (start[0] + weight * dx - aside * dy / length, start[1] + weight * dy + aside * dx / length)
        for weight, aside in zip(
            bent.get("control_point_weights", []), bent.get("control_point_distances", []), strict=True
        )
    ]
    first, last = (start[0] + canvas.WIDTH / 2, start[1]), (end[0] - canvas.WIDTH / 2, end[1])
    if not controls:
        return [first, last]
    middles = [((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in pairwise(controls)]
    ends = [first, *middles, last]
    return [
        tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c for a, b, c in zip(begin, control, stop, strict=True))
        for (begin, stop), control in zip(pairwise(ends), controls, strict=True)
        for t in (step / 40 for step in range(41))
    ]


def test_no_edge_runs_behind_a_card_that_it_does_not_belong_to() -> None:
    at = canvas.places(ARCHITECTURE_COMPONENTS_LIST)
    crossed = {
        (source, part.id, other)
        for part in ARCHITECTURE_COMPONENTS_LIST
        for source in part.upstream
        if at[source][0] < at[part.id][0]
        for x, y in points_of(at[source], at[part.id], canvas.route(at[source], at[part.id]))
        for other, (left, top) in at.items()
        if other not in (source, part.id)
        and abs(x - left) < canvas.WIDTH / 2 + 2
        and abs(y - top) < canvas.HEIGHT / 2 + 2
    }
    assert crossed == set()
