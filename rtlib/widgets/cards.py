"""Cards: the header above the graph, as HTML; pure functions from plain data to text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from rtlib import wording
from rtlib.graph import Graph, KpiBoard, KpiCard, summary
from rtlib.widgets.look import COLOURS, SEVERITY, SYMBOLS

OLD_SECONDS = 15.0  # a window's KPI is at most some seconds behind while events flow


def header(board: KpiBoard, graph: Graph) -> str:
    """The domain, the state of the pipeline in one sentence, and a card for each KPI."""
    status, sentence = summary(graph)
    colours = COLOURS[status]
    badge = (
        f'<span class="badge" style="border-color:{colours.line};background:{colours.fill};color:{colours.text}">'
        f"{SYMBOLS[status]} {status.value}</span>"
    )
    counted = "" if board.events is None else f"<span class='age'>{board.events:,} events archived</span>"
    cards = "".join(card(one, now=graph.at) for one in board.cards) or "<div class='card'>no KPI yet</div>"
    return (
        f'<div class="rt"><div class="top"><h1>{escape(board.title)}</h1>{badge}'
        f'<span class="say" role="status">{escape(sentence)}</span>{counted}</div>'
        f'<div class="cards">{cards}</div></div>'
    )


def card(one: KpiCard, *, now: datetime) -> str:
    """One KPI: this minute's value, its age, its thresholds' verdict, and the minutes before as a sparkline.

    The minute that is still running is not part of the line, where it would look like a collapse.
    """
    colour, word = SEVERITY[one.severity]
    age = None if one.at is None else max(0.0, (now - one.at).total_seconds())
    old = age is not None and age > OLD_SECONDS
    when = "" if age is None else f"last seen {wording.ago(age)}" if old else f"this minute, {wording.ago(age)}"
    percent = one.unit == "share"
    value = one.value * 100 if percent and one.value is not None else one.value
    unit = "%" if percent else one.unit
    return (
        f'<div class="card" style="border-left-color:{colour}" data-kpi="{escape(one.name)}">'
        f'<div class="name">{escape(one.title)} <span style="color:{colour}">{word}</span></div>'
        f'<div class="row"><span class="value{" old" if old else ""}">{wording.number(value)} '
        f'<span class="unit">{escape(unit)}</span></span>{sparkline(one.history)}</div>'
        f'<div class="age">{when or "nothing measured yet"}</div></div>'
    )


def sparkline(values: Sequence[float | None], *, width: int = 90, height: int = 24) -> str:
    """The course of a value as a small line, oldest left; empty space until there are two points."""
    points = [value for value in values if value is not None][-60:]
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    if len(points) < 2:
        return f'<svg {size} aria-hidden="true"></svg>'
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    step = (width - 4) / (len(points) - 1)
    places = [
        f"{2 + place * step:.1f},{height - 3 - (value - low) / span * (height - 6):.1f}"
        for place, value in enumerate(points)
    ]
    last = places[-1].split(",")
    return (
        f'<svg {size} aria-hidden="true"><polyline points="{" ".join(places)}" fill="none" stroke="#0072B2" '
        f'stroke-width="1.6"/><circle cx="{last[0]}" cy="{last[1]}" r="2.2" fill="#0072B2"/></svg>'
    )
