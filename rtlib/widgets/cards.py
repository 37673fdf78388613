"""Cards: the header above the graph, as HTML; pure functions from plain data to text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from rtlib import formatting
from rtlib.graph import Graph, KpiBoard, KpiCard, summary
from rtlib.widgets.sparkline import sparkline
from rtlib.widgets.theme import SEVERITY, badge

OLD_SECONDS = 15.0  # while events flow, a KPI is at most a few seconds old
MAX_PERCENT = 999
MINUTE = "minute"
LINE_CHARACTERS = 38  # below a headline; what does not fit is a tooltip


def header(board: KpiBoard, graph: Graph) -> str:
    """The domain, the state of the pipeline in a sentence, and a card for each KPI."""
    word = window_word(board.window_seconds)
    cards = (
        "".join(card(kpi, now=graph.at, window=word) for kpi in board.cards)
        or '<div class="rt-empty">No KPI yet.</div>'
    )
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


def card(kpi: KpiCard, *, now: datetime, window: str = MINUTE) -> str:
    """A KPI: the value of the last closed window, its severity and changes, and the window that is still open.

    Until the first window is closed, its value so far stands in place of the headline.

    Args:
        kpi: The KPI.
        now: The moment that its age is measured from.
        window: A window in words, for instance ``minute``.
    """
    age = None if kpi.at is None else max(0.0, (now - kpi.at).total_seconds())
    old = age is not None and age > OLD_SECONDS
    state = kpi.severity.value + (" rt-old" if old else "") + (" rt-first" if kpi.closed_at is None else "")
    word = "" if old else SEVERITY[kpi.severity]
    headline = kpi.running if kpi.closed_at is None else kpi.value
    above, below = _lines(kpi, age, old=old, window=window)
    shown, running = (fitting(line.split(", "), LINE_CHARACTERS, ", ") for line in (above, below))
    return (
        f'<div class="rt-card rt-{state}" data-kpi="{escape(kpi.name)}">'
        f'<div class="rt-name" title="{escape(kpi.title)}">{escape(kpi.title)}<span class="rt-word">{word}</span></div>'
        f'<div class="rt-value">{value(headline, kpi.unit)}{sparkline(kpi.history)}</div>'
        f'<div class="rt-change" title="{escape(above)}">{escape(shown)}</div>'
        f'<div class="rt-age" title="{escape(below)}">{escape(running)}</div></div>'
    )


def _lines(kpi: KpiCard, age: float | None, *, old: bool, window: str) -> tuple[str, str]:
    """The two lines below the headline: the changes or the age of old numbers, and the open window with its age."""
    if age is None:
        return "not measured yet", ""
    if old:
        return f"last seen {formatting.ago(age)}", ""
    if kpi.closed_at is None:
        return "so far, from the first events", f"this {window} is the first, {formatting.ago(age)}"
    return changes(kpi, window), f"{so_far(kpi, window)}, {formatting.ago(age)}"


def changes(kpi: KpiCard, window: str = MINUTE) -> str:
    """The changes against the window before and the week before, as far as they are known."""
    known = [(change(kpi, kpi.before), f"a {window}"), (change(kpi, kpi.last_week), "a week")]
    return ", ".join(f"{text} in {span}" for text, span in known if text)


def change(kpi: KpiCard, earlier: float | None) -> str:
    """The change since an earlier value: in per cent, in points of a share, or in the unit; empty if not known."""
    now, then = formatting.finite(kpi.value), formatting.finite(earlier)
    if now is None or then is None:
        return ""
    if kpi.relative and then > 0:
        percent = 100 * (now - then) / then
        return f"over +{MAX_PERCENT} %" if percent > MAX_PERCENT else f"{_signed(f'{percent:.0f}')} %"
    factor, ending = (100, " points") if kpi.unit == "share" else (1, "")
    return _signed(formatting.format_number(formatting.finite(factor * (now - then)))) + ending


def so_far(kpi: KpiCard, window: str = MINUTE) -> str:
    """The value of the open window."""
    if formatting.finite(kpi.running) is None:
        return f"this {window} has just begun"
    return f"{_quantity(kpi.running, kpi.unit)} so far {'' if window == MINUTE else 'in '}this {window}"


def fitting(texts: Sequence[str], characters: int, separator: str) -> str:
    """The first of some texts, joined, that fit in a line."""
    line = ""
    for text in texts:
        longer = separator.join(filter(None, (line, text)))
        if line and len(longer) > characters:
            break
        line = longer
    return line


def window_word(seconds: int) -> str:
    """The length of a window, as in "this minute" or "in a minute"."""
    return MINUTE if seconds == 60 else f"window of {seconds} s"


def _quantity(number: float | None, unit: str) -> str:
    if unit == "share":
        return f"{formatting.format_number(None if number is None else 100 * number)} %"
    return formatting.format_number(number)


def _signed(number: str) -> str:
    """A number with its sign; ``±0`` for no change."""
    if number.strip("-0.") == "":
        return "±0"
    return f"−{number[1:]}" if number.startswith("-") else f"+{number}"


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
