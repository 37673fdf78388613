"""dbt lineage: the models that dbt builds, drawn from its manifest over the graph; opened from dbt's node."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from html import escape

import ipywidgets

from rtlib.errors import RtlibError
from rtlib.pipeline.dbt import BuildReport, DbtLineage, DbtNode

Load = Callable[[], tuple[DbtLineage, BuildReport | None]]
WIDTH, HEIGHT, CARD_HEIGHT, TOP = 860.0, 600.0, 36.0, 8.0  # of the drawing, in its own units
MAX_LINE = 18  # characters of a name in a line of a card


class Models:
    """A drawer below the panel of dbt's node.

    Args:
        load: Reads the lineage and the last run; called in a thread whenever the drawer shows dbt, because the first
            call takes dbt some seconds.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._busy = threading.Lock()
        self.widget = ipywidgets.HTML().add_class("rt-models")

    def show(self, component: str | None) -> bool:
        """Show the models; only dbt's node has them."""
        if component == "dbt" and self._busy.acquire(blocking=False):
            threading.Thread(target=self._read, name="models", daemon=True).start()
        return component == "dbt"

    def _read(self) -> None:
        try:
            self.widget.value = self.widget.value or '<p class="rt">dbt is reading its project…</p>'
            self.widget.value = drawing(*self._load())
        except RtlibError as error:
            self.widget.value = f'<p class="rt">{escape(str(error))}</p>'
        finally:
            self._busy.release()


def drawing(lineage: DbtLineage, report: BuildReport | None) -> str:
    """Sources on the left, users of the marts on the right; each card has its rows and its passed tests."""
    places = _places(lineage)
    _, _, wide = next(iter(places.values()))
    lines = [_line(places[edge.upstream], places[edge.downstream], wide) for edge in lineage.edges]
    cards = [_card(node, *places[node.id], report) for node in lineage.nodes]
    ran = f"last run {report.at:%d %b %H:%M} UTC, {report.passed} tests passed" if report else "not run yet"
    return (
        f'<div class="rt"><h3>Lineage of the models, from dbt\'s manifest ({ran})</h3>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="Lineage of the dbt models">'
        f"{''.join(lines)}{''.join(cards)}</svg></div>"
    )


def _places(lineage: DbtLineage) -> dict[str, tuple[float, float, float]]:
    """Left, top and width of each card: a column for each depth, evenly filled."""
    columns: dict[int, list[DbtNode]] = defaultdict(list)
    for node in lineage.nodes:
        columns[node.depth].append(node)
    step = WIDTH / len(columns)
    places = {}
    for depth, nodes in columns.items():
        gap = (HEIGHT - TOP) / len(nodes)
        for number, node in enumerate(nodes):
            places[node.id] = (depth * step, TOP + gap * (number + 0.5) - CARD_HEIGHT / 2, step - 14)
    return places


def _line(start: tuple[float, float, float], end: tuple[float, float, float], wide: float) -> str:
    left, right = start[0] + wide, end[0]
    top, bottom = start[1] + CARD_HEIGHT / 2, end[1] + CARD_HEIGHT / 2
    bend = (right - left) / 2
    curve = (
        f"M{left:.0f} {top:.0f} C{left + bend:.0f} {top:.0f} {right - bend:.0f} {bottom:.0f} {right:.0f} {bottom:.0f}"
    )
    return f'<path d="{curve}"/>'


def _card(node: DbtNode, left: float, top: float, wide: float, report: BuildReport | None) -> str:
    result = report.by_name.get(node.name) if report else None
    detail = node.kind if result is None or result.rows is None else f"{result.rows:,} rows"
    if result and result.tests:
        detail += f" · {result.tests_passed}/{result.tests} ✓"
    failed = result is not None and (result.tests_passed < result.tests or result.message != "")
    lines = _lines(node.name)
    texts = "".join(
        f'<text x="{left + 6:.0f}" y="{top + 14 + 11 * number - 2 * len(lines):.0f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<g class="rt-model rt-{escape(node.kind)}{" rt-wrong" if failed else ""}"><title>{escape(node.name)}: '
        f'{escape(node.about)}</title><rect x="{left:.0f}" y="{top:.0f}" width="{wide:.0f}" height="{CARD_HEIGHT:g}" '
        f'rx="5"/>{texts}<text class="rt-detail" x="{left + 6:.0f}" y="{top + 31:.0f}">{escape(detail)}</text></g>'
    )


def _lines(name: str) -> list[str]:
    """A name as one line or, if it is too long for a card, as two lines broken at an underscore."""
    if len(name) <= MAX_LINE:
        return [name]
    ends = [place + 1 for place, letter in enumerate(name) if letter == "_"]
    end = min(ends, key=lambda place: abs(place - len(name) / 2))
    return [name[:end], name[end:]]
