"""Cards: the header above the graph, as HTML; pure functions from plain data to text."""

from __future__ import annotations

from datetime import datetime
from html import escape

from rtlib import formatting
from rtlib.graph import Graph, KpiBoard, KpiCard, summary
from rtlib.widgets.sparkline import sparkline
from rtlib.widgets.theme import SEVERITY, badge

OLD_SECONDS = 15.0  # while events flow, a KPI is at most a few seconds old


def header(board: KpiBoard, graph: Graph) -> str:
    """The domain, the state of the pipeline in a sentence, and a card for each KPI."""
    cards = "".join(card(kpi, now=graph.at) for kpi in board.cards) or '<div class="rt-empty">No KPI yet.</div>'
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
    """The state in a sentence, in a strip that is always present, so that nothing moves when a part stops."""
    status, sentence = summary(graph)
    return (
        f'<div class="rt-banner rt-{status.value}" role="status" title="{escape(sentence)}">{badge(status)}'
        f'<span class="rt-sentence">{escape(sentence)}</span></div>'
    )


def card(kpi: KpiCard, *, now: datetime) -> str:
    """A KPI: the value of this minute, its age, its severity, and the previous minutes as a sparkline.

    The sparkline leaves out the current minute, which is incomplete and would look like a collapse.
    """
    age = None if kpi.at is None else max(0.0, (now - kpi.at).total_seconds())
    old = age is not None and age > OLD_SECONDS
    when = "not measured yet" if age is None else f"last seen {formatting.ago(age)}" if old else _this_minute(age)
    word = "" if old else SEVERITY[kpi.severity]
    return (
        f'<div class="rt-card rt-{kpi.severity.value}{" rt-old" if old else ""}" data-kpi="{escape(kpi.name)}">'
        f'<div class="rt-name" title="{escape(kpi.title)}">{escape(kpi.title)}<span class="rt-word">{word}</span></div>'
        f'<div class="rt-value">{value(kpi.value, kpi.unit)}{sparkline(kpi.history)}</div>'
        f'<div class="rt-age">{when}</div></div>'
    )


def _this_minute(age: float) -> str:
    return f"this minute, {formatting.ago(age)}"


def value(measured: float | None, unit: str) -> str:
    """A number in large type with its unit in small type; a share is shown in per cent."""
    number = formatting.finite(measured)
    number = number * 100 if unit == "share" and number is not None else number
    text, unit_text = formatting.format_number(number), escape("%" if unit == "share" else unit)
    unit_html = "" if text == formatting.NOTHING else f' <span class="rt-unit">{unit_text}</span>'
    title = formatting.whole(number)
    return f'<span class="rt-amount"><span class="rt-number" title="{title}">{text}</span>{unit_html}</span>'


def watchdog(beat: int) -> str:
    """A warning that appears if it is not renewed for eight seconds, that is, when the kernel is silent.

    It is pure CSS (an animation with a delay), so that it works when nothing else does. The class alternates, because
    the animation restarts only on an element that has changed.
    """
    return (
        f'<div class="rt rt-watchdog rt-watchdog-{beat % 2}"><b>No news from Python for a while:</b> '
        "the numbers below are old. If this stays, reload the page.</div>"
    )


def trouble(error: Exception) -> str:
    """The error shown when the page itself cannot be refreshed."""
    text = escape(f"{type(error).__name__}: {error}".splitlines()[0][:300])
    return f'<div class="rt rt-trouble" role="alert"><b>The picture is not being refreshed:</b> {text}</div>'
