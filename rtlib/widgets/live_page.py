"""Live page: the KPIs of every site in the last closed window, the worst site first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import ipywidgets

from rtlib import formatting
from rtlib.domains import Severity
from rtlib.graph import KpiBoard, KpiCard, SiteBoard
from rtlib.widgets.cards import change, changes, fitting, so_far, value, window_word
from rtlib.widgets.sparkline import sparkline
from rtlib.widgets.theme import SEVERITY

CELL_CHARACTERS = 30  # of the line below a number; what does not fit is a tooltip
WORST_FIRST, BY_NAME = "worst", "name"
BADNESS = {Severity.ACT: 100, Severity.WATCH: 1, Severity.GOOD: 0, Severity.NONE: 0}


class LivePage:
    """The table of the sites, and the choice of its order.

    Attributes:
        widget: The page.
        order: The choice: the worst first, by name, or by a KPI.
    """

    def __init__(self) -> None:
        self._table = ipywidgets.HTML()
        self._board: KpiBoard | None = None
        self.order = ipywidgets.Dropdown(options=_orders(()), value=WORST_FIRST, description="Order")
        self.order.observe(lambda _: self._show(), names="value")
        bar = ipywidgets.HBox([ipywidgets.HTML(_title("minute")), self.order]).add_class("rt-live-bar")
        self._heading: ipywidgets.HTML = bar.children[0]
        self.widget = ipywidgets.VBox([bar, self._table]).add_class("rt-live")

    def refresh(self, board: KpiBoard) -> None:
        """Show a board."""
        self._board = board
        options = _orders(board.cards)
        if tuple(self.order.options) != options:
            selected = self.order.value
            self.order.options = options
            self.order.value = selected if selected in [key for _, key in options] else WORST_FIRST
        self._show()

    @property
    def html(self) -> str:
        """The table as HTML."""
        return str(self._table.value)

    def _show(self) -> None:
        if self._board is not None:
            self._heading.value = _title(window_word(self._board.window_seconds))
            self._table.value = sites_table(self._board, order=self.order.value)


def _orders(cards: Sequence[KpiCard]) -> tuple[tuple[str, str], ...]:
    kpis = ((f"{card.title}, highest first", f"kpi:{card.name}") for card in cards)
    return ("Worst first", WORST_FIRST), ("By name", BY_NAME), *kpis


def _title(window: str) -> str:
    return f'<div class="rt"><h2>Sites in the last whole {escape(window)}</h2></div>'


def sites_table(board: KpiBoard, *, order: str = WORST_FIRST) -> str:
    """The KPIs of every site: a row for each site, with a word and a colour for its severity."""
    if not board.sites:
        return '<div class="rt"><p>The first events are on their way: the sites appear with them.</p></div>'
    head = "".join(f'<th scope="col">{escape(card.title)}</th>' for card in board.sites[0].cards)
    window = window_word(board.window_seconds)
    rows = "".join(
        f'<tr><th scope="row">{escape(site.title)}</th>{"".join(_cell(card, window) for card in site.cards)}</tr>'
        for site in ordered(board.sites, order)
    )
    return f'<div class="rt"><table class="rt-sites"><tr><td></td>{head}</tr>{rows}</table></div>'


def ordered(sites: Sequence[SiteBoard], order: str) -> list[SiteBoard]:
    """The sites in an order: ``worst``, ``name``, or ``kpi:`` and the name of a KPI, the highest first."""
    if order == BY_NAME:
        return sorted(sites, key=lambda site: site.title)
    if order == WORST_FIRST:
        return sorted(sites, key=lambda site: -sum(BADNESS[card.severity] for card in site.cards))
    return sorted(sites, key=lambda site: -_value_of(site, order.removeprefix("kpi:")))


def _value_of(site: SiteBoard, name: str) -> float:
    values = (formatting.finite(card.value) for card in site.cards if card.name == name)
    return next((value for value in values if value is not None), -math.inf)


def _cell(card: KpiCard, window: str) -> str:
    first = card.closed_at is None
    shown = value(card.running if first else card.value, card.unit)
    below = "so far" if first else _below(card)
    full = ", ".join(text for text in (changes(card, window), so_far(card, window)) if text)
    return (
        f'<td class="rt-{card.severity.value}"><div class="rt-cell">{shown}{sparkline(card.history)}'
        f'<span class="rt-word">{SEVERITY[card.severity]}</span></div>'
        f'<div class="rt-below" title="{escape(full)}">{escape(below)}</div></td>'
    )


def _below(card: KpiCard) -> str:
    """The change against the window before, and the open window, in few words."""
    running = "" if formatting.finite(card.running) is None else so_far(card).removesuffix(" this minute")
    return fitting([change(card, card.before), running], CELL_CHARACTERS, " · ")
