"""Cards: the header above the graph, as HTML; pure functions from plain data to text."""

from __future__ import annotations

from datetime import datetime
from html import escape

from rtlib import formatting
from rtlib.graph import Graph, KpiBoard, KpiCard, summary
from rtlib.widgets.sparkline import sparkline
from rtlib.widgets.theme import SEVERITY, badge

OLD_SECONDS = 15.0  # a window's KPI is at most some seconds behind while events flow


def header(board: KpiBoard, graph: Graph) -> str:
    """The domain, the state of the pipeline in one sentence, and a card for each KPI."""
    cards = "".join(card(one, now=graph.at) for one in board.cards) or '<div class="rt-empty">No KPI yet.</div>'
    return (
        f'<div class="rt rt-header"><div class="rt-top"><h1>{escape(board.title)}</h1>{_events(board)}</div>'
        f'{banner(graph)}<div class="cards">{cards}</div></div>'
    )


def _events(board: KpiBoard) -> str:
    if board.events is None:
        return ""
    archived = f'<b title="{formatting.whole(board.events)}">{formatting.format_number(board.events)}</b>'
    return f'<span class="rt-events">{archived} live events archived so far</span>'


def banner(graph: Graph) -> str:
    """The state in one sentence, in a strip that is always there, so that nothing moves when a part goes down."""
    status, sentence = summary(graph)
    return (
        f'<div class="rt-banner rt-{status.value}" role="status" title="{escape(sentence)}">{badge(status)}'
        f'<span class="rt-say">{escape(sentence)}</span></div>'
    )


def card(one: KpiCard, *, now: datetime) -> str:
    """One KPI: this minute's value, its age, its thresholds' verdict, and the minutes before as a sparkline.

    The minute that is still running is not part of the line, where it would look like a collapse.
    """
    age = None if one.at is None else max(0.0, (now - one.at).total_seconds())
    old = age is not None and age > OLD_SECONDS
    when = "not measured yet" if age is None else f"last seen {formatting.ago(age)}" if old else _this_minute(age)
    word = "" if old else SEVERITY[one.severity]
    return (
        f'<div class="rt-card rt-{one.severity.value}{" rt-old" if old else ""}" data-kpi="{escape(one.name)}">'
        f'<div class="rt-name" title="{escape(one.title)}">{escape(one.title)}<span class="rt-word">{word}</span></div>'
        f'<div class="rt-value">{value(one.value, one.unit)}{sparkline(one.history)}</div>'
        f'<div class="rt-age">{when}</div></div>'
    )


def _this_minute(age: float) -> str:
    return f"this minute, {formatting.ago(age)}"


def value(measured: float | None, unit: str) -> str:
    """A number, large, with its unit, small; a share is shown in per cent."""
    shown = formatting.finite(measured)
    shown = shown * 100 if unit == "share" and shown is not None else shown
    written = formatting.format_number(shown)
    told = (
        ""
        if written == formatting.NOTHING
        else f' <span class="rt-unit">{escape("%" if unit == "share" else unit)}</span>'
    )
    title = formatting.whole(shown)
    return f'<span class="rt-amount"><span class="rt-number" title="{title}">{written}</span>{told}</span>'


def pulse(beat: int) -> str:
    """A warning that shows itself when it is not renewed for some seconds: then the kernel is silent.

    It is CSS alone (an animation with a delay), so that it works when nothing else does. The class alternates, because
    the animation starts again only on an element that changed.
    """
    return (
        f'<div class="rt rt-pulse rt-pulse-{beat % 2}"><b>No news from Python for a while:</b> '
        "the numbers below are old. If this stays, reload the page.</div>"
    )


def trouble(error: Exception) -> str:
    """What is said when the picture itself cannot be made."""
    said = escape(f"{type(error).__name__}: {error}".splitlines()[0][:300])
    return f'<div class="rt rt-trouble" role="alert"><b>The picture is not being refreshed:</b> {said}</div>'
