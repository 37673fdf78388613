"""Architecture: the clickable graph, as one adapter over ipycytoscape; nothing else imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipycytoscape

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, LAYERS, Component
from rtlib.graph import Graph, Node, lineage
from rtlib.records import Status
from rtlib.widgets.look import COLOURS, SYMBOLS

COLUMN, ROW = 150, 92  # pixels between the middles of two nodes
WIDTH, HEIGHT = 132, 56

Select = Callable[[str | None], None]


class ArchitectureGraph:
    """The graph as a widget: nodes in fixed places, coloured and marked by status, lineage lit up on a click.

    Args:
        components: What to draw.
    """

    def __init__(self, components: Sequence[Component] = ARCHITECTURE_COMPONENTS_LIST) -> None:
        self._selected: str | None = None
        self._callbacks: list[Select] = []
        self._newest: Graph | None = None
        self._nodes = {one.id: _node(one) for one in components}
        self._edges = [_edge(source, one.id) for one in components for source in one.upstream]
        self.widget = ipycytoscape.CytoscapeWidget(
            cytoscape_layout={"name": "preset", "fit": True, "padding": 12, "animate": False},
            user_zooming_enabled=False,
            user_panning_enabled=False,
            box_selection_enabled=False,
            auto_ungrabify=True,
        )
        self.widget.graph.add_nodes(list(self._nodes.values()))
        self.widget.graph.add_edges(self._edges, directed=True)
        self.widget.set_style(STYLE)
        self.widget.layout.height = "100%"
        self.widget.layout.width = "100%"
        self.widget.on("node", "click", self._clicked)

    @property
    def selected(self) -> str | None:
        """The id of the selected node, or None."""
        return self._selected

    def on_select(self, callback: Select) -> None:
        """Call this with the id of the node that is selected, or with None when none is any more."""
        self._callbacks.append(callback)

    def select(self, node_id: str | None) -> None:
        """Select a node, or none."""
        if node_id == self._selected:
            return
        self._selected = node_id
        if self._newest is not None:
            self.update(self._newest)
        for callback in self._callbacks:
            callback(node_id)

    def update(self, graph: Graph) -> None:
        """Show this graph; only what has changed is sent to the browser."""
        self._newest = graph
        lit = self._lit(graph)
        for node in graph.nodes:
            widget = self._nodes[node.id]
            _set(widget, "data", {**widget.data, "label": label(node)})
            _set(widget, "classes", " ".join(_classes(node, self._selected, lit)))
        for edge in self._edges:
            inside = lit is None or {edge.data["source"], edge.data["target"]} <= lit
            _set(edge, "classes", "directed" if lit is None else "directed lit" if inside else "directed dim")

    def _lit(self, graph: Graph) -> set[str] | None:
        if self._selected is None:
            return None
        reached = lineage(graph, self._selected)
        return {self._selected, *reached.upstream, *reached.downstream}

    def _clicked(self, event: Mapping[str, Any]) -> None:
        clicked = event["data"]["id"]
        self.select(None if clicked == self._selected else clicked)


def label(node: Node) -> str:
    """What stands in a node: its status as a symbol, its title, and one number."""
    second = "planned" if node.status is Status.PLANNED else node.headline or node.status.value
    if node.stale or node.status in (Status.STOPPED, Status.UNKNOWN):
        second = node.status.value if node.status is not Status.HEALTHY else "old numbers"
    return f"{SYMBOLS[node.status]} {node.component.title}\n{second}"


def _classes(node: Node, selected: str | None, lit: set[str] | None) -> list[str]:
    classes = [node.status.value]
    if node.id == selected:
        classes.append("chosen")
    elif lit is not None and node.id not in lit:
        classes.append("dim")
    return classes


def _node(one: Component) -> Any:
    place = {"x": LAYERS.index(one.layer) * COLUMN, "y": one.row * ROW}
    data = {"id": one.id, "label": f"{SYMBOLS[Status.UNKNOWN]} {one.title}\n…"}
    return ipycytoscape.Node(data=data, position=place, classes="unknown", grabbable=False)


def _edge(source: str, target: str) -> Any:
    return ipycytoscape.Edge(data={"id": f"{source}>{target}", "source": source, "target": target})


def _set(widget: Any, trait: str, value: object) -> None:
    if getattr(widget, trait) != value:
        setattr(widget, trait, value)


def _by_status(status: Status) -> dict[str, Any]:
    colours = COLOURS[status]
    dashed = "dashed" if status is Status.PLANNED else "double" if status is Status.STOPPED else "solid"
    css = {
        "border-color": colours.line,
        "background-color": colours.fill,
        "color": colours.text,
        "border-style": dashed,
        "border-width": 5 if status is Status.STOPPED else 2,
    }
    return {"selector": f"node.{status.value}", "css": css}


STYLE: list[dict[str, Any]] = [
    {
        "selector": "node",
        "css": {
            "shape": "round-rectangle",
            "width": WIDTH,
            "height": HEIGHT,
            "label": "data(label)",
            "text-wrap": "wrap",
            "text-valign": "center",
            "text-halign": "center",
            "text-max-width": WIDTH - 10,
            "font-size": 12.5,
            "font-family": "system-ui, sans-serif",
            "line-height": 1.35,
        },
    },
    *(_by_status(status) for status in Status),
    {"selector": "node.chosen", "css": {"border-width": 5, "border-style": "solid", "font-weight": "bold"}},
    {"selector": "node.dim", "css": {"opacity": 0.3}},
    {
        "selector": "edge",
        "css": {
            "width": 2,
            "line-color": "#8a94a3",
            "target-arrow-color": "#8a94a3",
            "target-arrow-shape": "triangle",
            "curve-style": "bezier",
        },
    },
    {"selector": "edge.lit", "css": {"width": 4, "line-color": "#0072B2", "target-arrow-color": "#0072B2"}},
    {"selector": "edge.dim", "css": {"opacity": 0.2}},
]
