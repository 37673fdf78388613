"""Panel: everything about one node, as HTML; pure functions from plain data to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from rtlib import wording
from rtlib.graph import Graph, History, Node
from rtlib.records import Reading, Status
from rtlib.widgets.cards import sparkline
from rtlib.widgets.look import COLOURS, SYMBOLS

SHOWN = 4
Explain = Callable[[Node, Graph], str]


def panel(node: Node, graph: Graph, history: History, *, explain: Explain) -> str:
    """A node: what it is, how it is, its live numbers, its lineage, and what breaks without it."""
    component = node.component
    colours = COLOURS[node.status]
    badge = (
        f'<span class="badge" style="border-color:{colours.line};background:{colours.fill};color:{colours.text}">'
        f"{SYMBOLS[node.status]} {node.status.value}</span>"
    )
    parts = [
        f'<div class="rt panel" data-node="{escape(node.id)}">',
        f"<h2>{escape(component.title)}</h2>",
        f'<p>{badge} <span class="age">{escape(component.product)}</span></p>',
        f'<p class="age">{escape(_reason(node))}</p>',
        _numbers(node, graph, history),
        f"<p>{escape(explain(node, graph))}</p>",
        f"<h3>Lineage</h3><p>{_lineage(node, graph)}</p>",
        f"<h3>What breaks if it stops</h3><p>{escape(component.breaks)}</p>",
        _footer(node),
        "</div>",
    ]
    return "".join(parts)


def overview(graph: Graph) -> str:
    """What the panel says while nothing is selected."""
    built = sum(node.status is not Status.PLANNED for node in graph.nodes)
    return (
        '<div class="rt panel" data-node=""><h2>Click a part</h2>'
        "<p>Events flow from left to right: the simulator makes them, Kafka keeps them, Spark counts them, the "
        "warehouse serves them.</p>"
        f"<p>{built} parts run on this machine; {len(graph.nodes) - built} are planned and shown with a dashed "
        "outline.</p><h3>Every part shows</h3><p>its live numbers with their age, where its data comes from and goes "
        "to, what it does in plain English, and what breaks when it stops.</p>"
        "<p class='age'>By keyboard: choose a part from the list above.</p></div>"
    )


def legend() -> str:
    """What the symbols on the graph mean."""
    words = "".join(f"<span>{SYMBOLS[status]} {status.value}</span>" for status in Status)
    return f'<div class="rt legend">{words}</div>'


def _numbers(node: Node, graph: Graph, history: History) -> str:
    if not node.readings:
        return ""
    rows = "".join(_row(node, reading, graph, history) for reading in node.readings[:SHOWN])
    title = "Last numbers seen" if node.stale or node.status is Status.STOPPED else "Live numbers"
    return f'<h3>{title}</h3><table class="kpis">{rows}</table>'


def _row(node: Node, reading: Reading, graph: Graph, history: History) -> str:
    age = max(0.0, (graph.at - reading.at).total_seconds())
    old = node.stale or node.status is Status.STOPPED
    when = f"last seen {wording.ago(age)}" if old else wording.ago(age)
    return (
        f'<tr><td>{escape(reading.name)}</td><td class="value{" old" if old else ""}">'
        f"{escape(wording.quantity(reading.value, reading.unit))}</td>"
        f"<td>{sparkline(history.values(node.id, reading.name), width=60, height=20)}</td>"
        f'<td class="age">{when}</td></tr>'
    )


def _reason(node: Node) -> str:
    return "" if node.status is Status.PLANNED else node.reason


def _lineage(node: Node, graph: Graph) -> str:
    before, after = _titles(node.upstream, graph), _titles(node.downstream, graph)
    return f"{before or 'the outside world'} → <b>{escape(node.component.title)}</b> → {after or 'people'}"


def _titles(ids: Sequence[str], graph: Graph) -> str:
    return escape(wording.listing([graph.node(one).component.title for one in ids]))


def _footer(node: Node) -> str:
    component = node.component
    told = [("Lesson", component.lesson), ("Source", component.source), ("Elsewhere", component.elsewhere)]
    return "".join(f'<span class="age"><b>{name}:</b> {escape(value)} &nbsp; </span>' for name, value in told if value)
