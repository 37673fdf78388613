"""Architecture: the clickable graph, an adapter over ipycytoscape; no other module imports ipycytoscape.

The graph is built once and never moved. An update sends only the data of the elements that have changed, and the style
depends on that data. A browser misses a change that arrives while it is still building the view of an element.
Therefore the data of each element has a beat that flips every few updates, so that everything is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipycytoscape

from rtlib import formatting
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, Component
from rtlib.graph import Graph, Node, edge_rate, lineage
from rtlib.records import Status
from rtlib.widgets import canvas
from rtlib.widgets.theme import STATUS_STYLES

BEAT_UPDATES = 5
Select = Callable[[str | None], None]


class ArchitectureGraph:
    """The graph as a widget: cards in fixed places, styled by status; a click highlights the lineage.

    Args:
        components: What to draw; each component is a card.
    """

    def __init__(self, components: Sequence[Component] = ARCHITECTURE_COMPONENTS_LIST) -> None:
        self._selected: str | None = None
        self._callbacks: list[Select] = []
        self._newest: Graph | None = None
        self._pointed: str | None = None
        self._updates = 0
        self._ids = {part.id for part in components}
        self._nodes = {data["id"]: _node(data, place) for data, place in canvas.elements(components)}
        self._edges = {(source, part.id): _edge(source, part.id) for part in components for source in part.upstream}
        self.widget = ipycytoscape.CytoscapeWidget(
            cytoscape_layout={"name": "preset", "fit": True, "padding": 0, "animate": False},
            cytoscape_style=canvas.stylesheet(components),
            user_zooming_enabled=False,
            auto_ungrabify=True,
            tooltip_source="_none",
        )
        self.widget.graph.add_nodes(list(self._nodes.values()))
        self.widget.graph.add_edges(list(self._edges.values()), directed=True)
        self.widget.on("node", "tap", self._tapped)
        self.widget.on("edge", "mouseover", self._pointed_at)
        self.widget.on("edge", "mouseout", self._left)

    @property
    def selected(self) -> str | None:
        """The id of the selected node, or None."""
        return self._selected

    def on_select(self, callback: Select) -> None:
        """Register a callback for the id of the newly selected node, or None when the selection is cleared."""
        self._callbacks.append(callback)

    def select(self, node_id: str | None) -> None:
        """Select a node, or clear the selection with None."""
        if node_id == self._selected:
            return
        self._selected = node_id
        if self._newest is not None:
            self.update(self._newest)
        for callback in self._callbacks:
            callback(node_id)

    def update(self, graph: Graph) -> None:
        """Show this graph; only changes are sent to the browser."""
        self._newest = graph
        self._updates += 1
        beat = self._updates // BEAT_UPDATES % 2
        focus = _focus(graph, self._selected)
        for node in graph.nodes:
            mark = focus.get(node.id, "")
            for ending, data in faces(node).items():
                _change(self._nodes[node.id + ending], {**data, "focus": mark, "beat": beat})
            self._nodes[node.id].classes = f"{node.status.value} {mark} beat{beat}"
        for (source, target), edge in self._edges.items():
            flow = _flow(graph.node(source), graph.node(target))
            mark = _edge_focus(focus.get(source, ""), focus.get(target, ""))
            rate = self._rate(graph, source, target)
            _change(edge, {"flow": flow, "focus": mark, "rate": rate, "beat": beat})

    def refit(self) -> None:
        """Fit the graph to its frame again, whose size may have changed; costs one small message."""
        self.widget.relayout()

    def _rate(self, graph: Graph, source: str, target: str) -> str:
        """The text on an edge: its rate while the pointer is on it, or a node at one of its ends is selected."""
        if self._selected not in (source, target) and self._pointed != f"{source}>{target}":
            return ""
        return edge_rate(graph.node(source), graph.node(target))

    def _pointed_at(self, event: Mapping[str, Any]) -> None:
        self._point(event.get("data", {}).get("id"))

    def _left(self, _: Mapping[str, Any]) -> None:
        self._point(None)

    def _point(self, edge_id: str | None) -> None:
        if edge_id != self._pointed and self._newest is not None:
            self._pointed = edge_id
            self.update(self._newest)

    def _tapped(self, event: Mapping[str, Any]) -> None:
        tapped = event.get("data", {}).get("id")
        self.select(tapped if tapped in self._ids and tapped != self._selected else None)


def faces(node: Node) -> dict[str, dict[str, str]]:
    """The data of the four elements of a node, by the ending of their ids; ``label`` is all of it in one text."""
    state = {"status": node.status.value, "stale": "yes" if node.stale else "no"}
    shown = {"": node.component.title, ":number": node.headline, ":note": _note(node)}
    label = "\n".join(text for text in shown.values() if text)
    faces = {ending: {"title": text, **state} for ending, text in shown.items()}
    return {**faces, "": {**faces[""], "label": label}, ":badge": {"title": STATUS_STYLES[node.status].symbol, **state}}


def _note(node: Node) -> str:
    """The small line: the product while the part is healthy, else the age or the status."""
    if node.stale and node.age_seconds is not None:
        return f"last seen {formatting.ago(node.age_seconds)}"
    return node.component.product if node.status is Status.HEALTHY else STATUS_STYLES[node.status].word


def _flow(source: Node, target: Node) -> str:
    """Whether data moves along an edge, judged by its two ends."""
    if Status.PLANNED in (source.status, target.status):
        return "planned"
    alive = all(node.status in (Status.HEALTHY, Status.DEGRADED) and not node.stale for node in (source, target))
    return "flow" if alive else "still"


def _focus(graph: Graph, selected: str | None) -> dict[str, str]:
    """The relation of each node to the selected node: self, up, down or dim; empty without a selection."""
    if selected is None:
        return {}
    line = lineage(graph, selected)
    marks = {node.id: "dim" for node in graph.nodes}
    return marks | dict.fromkeys(line.upstream, "up") | dict.fromkeys(line.downstream, "down") | {selected: "self"}


def _edge_focus(source: str, target: str) -> str:
    if not source and not target:
        return ""
    if source == "up" and target in ("up", "self"):
        return "up"
    return "down" if target == "down" and source in ("self", "down") else "dim"


def _change(element: Any, data: Mapping[str, Any]) -> None:
    if any(element.data.get(key) != value for key, value in data.items()):
        element.data = {**element.data, **data}


def _node(data: Mapping[str, Any], place: canvas.Place) -> Any:
    full = {"title": "", "status": Status.UNKNOWN.value, "stale": "no", "focus": "", **data}
    position = {"x": place[0], "y": place[1]}
    return ipycytoscape.Node(data=full, position=position, grabbable=False, pannable=False)


def _edge(source: str, target: str) -> Any:
    data = {"id": f"{source}>{target}", "source": source, "target": target, "flow": "still", "focus": "", "rate": ""}
    return ipycytoscape.Edge(data=data, pannable=False)
