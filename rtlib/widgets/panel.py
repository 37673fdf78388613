"""Panel: everything about a node, as HTML; pure functions from plain data to text."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from rtlib import formatting
from rtlib.graph import Graph, History, Node
from rtlib.records import Reading, Status
from rtlib.widgets.cards import value
from rtlib.widgets.sparkline import sparkline
from rtlib.widgets.theme import STATUS_STYLES, badge

MAX_TILES = 4
Explain = Callable[[Node, Graph], str]


def panel(node: Node, graph: Graph, history: History, *, explain: Explain) -> str:
    """The panel of a node: title, status, live numbers, description, lineage, and what breaks without it."""
    parts = (
        f'<div class="rt rt-panel" data-node="{escape(node.id)}" data-status="{node.status.value}">',
        _head(node),
        _numbers(node, graph, history),
        f'<p class="rt-story">{escape(explain(node, graph))}</p>',
        _lineage(node, graph),
        f"<h3>What breaks if it stops</h3><p>{escape(node.component.breaks)}</p>",
        _footer(node),
        "</div>",
    )
    return "".join(parts)


def _head(node: Node) -> str:
    reason = "" if node.status is Status.PLANNED else f' <span class="rt-reason">{escape(node.reason)}</span>'
    word = STATUS_STYLES[node.status].word
    return (
        f'<h2>{escape(node.component.title)}<span class="rt-product">{escape(node.component.product)}</span></h2>'
        f'<p class="rt-status rt-{node.status.value}">{badge(node.status)}<b>{word}</b>{reason}</p>'
    )


def _numbers(node: Node, graph: Graph, history: History) -> str:
    if not node.readings:
        return ""
    tiles = "".join(_tile(node, reading, graph, history) for reading in node.readings[:MAX_TILES])
    title = "Last numbers seen" if node.stale else "Live numbers"
    return f'<h3>{title}</h3><div class="rt-tiles{" rt-old" if node.stale else ""}">{tiles}</div>'


def _tile(node: Node, reading: Reading, graph: Graph, history: History) -> str:
    age = formatting.ago(max(0.0, (graph.at - reading.at).total_seconds()))
    return (
        f'<div class="rt-tile" data-reading="{escape(reading.name)}">'
        f'<div class="rt-name" title="{escape(reading.name)}">{escape(reading.name)}</div>'
        f'<div class="rt-value">{value(reading.value, reading.unit)}'
        f"{sparkline(history.values(node.id, reading.name))}</div>"
        f'<div class="rt-age">{f"last seen {age}" if node.stale else age}</div></div>'
    )


def _lineage(node: Node, graph: Graph) -> str:
    before = _titles(node.upstream, graph) or "the outside world"
    after = _titles(node.downstream, graph) or "people"
    return (
        f'<h3>Lineage</h3><p><span class="rt-up">{before}</span> <span class="rt-arrow">→</span> '
        f'<b>{escape(node.component.title)}</b> <span class="rt-arrow">→</span> '
        f'<span class="rt-down">{after}</span></p>'
    )


def _titles(ids: tuple[str, ...], graph: Graph) -> str:
    return escape(formatting.join_words([graph.node(node_id).component.title for node_id in ids]))


def _footer(node: Node) -> str:
    component = node.component
    entries = (("Lesson", component.lesson), ("Source", component.source), ("Elsewhere", component.elsewhere))
    spans = "".join(f"<span><i>{name}</i> {escape(text)}</span>" for name, text in entries if text)
    return f'<p class="rt-foot">{spans}</p>' if spans else ""


def overview(graph: Graph) -> str:
    """The panel while no part is selected: what the graph shows, how to use it, and its legend."""
    signs = "".join(_sign(status, sum(node.status is status for node in graph.nodes)) for status in Status)
    return (
        '<div class="rt rt-panel" data-node=""><h2>From event to answer</h2>'
        "<p>Events start on the left. Each part passes them on to the right, until people see them as numbers. Every "
        "number was measured in a running part; an old number is grey and shows its age.</p>"
        "<h3>Look closer</h3><p><b>Click a part</b>, or choose it from the list above: you see its live numbers, "
        "where its data comes from and goes to, and what breaks without it. Click beside it to come back.</p>"
        f'<h3>Legend</h3><ul class="rt-signs">{signs}</ul>'
        '<ul class="rt-lines"><li><i class="rt-flow"></i>data flows</li><li><i class="rt-still"></i>no data flows</li>'
        '<li><i class="rt-later"></i>planned</li></ul></div>'
    )


def _sign(status: Status, count: int) -> str:
    none = "" if count else ' class="rt-none"'
    return f"<li{none}>{badge(status)}<b>{count}</b> {STATUS_STYLES[status].word}</li>"
