"""Pages: what the app shows besides the graph: the sites now, forecast and plan, alerts, and the data's quality."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Protocol

import ipywidgets

from rtlib import formatting
from rtlib.graph import KpiBoard
from rtlib.pipeline.page_data import PlanData, Quality
from rtlib.widgets.alerts_page import AlertsPage, Outbox, failed
from rtlib.widgets.ask_panel import Ask, AskPanel
from rtlib.widgets.cards import value
from rtlib.widgets.chart import Band, Line, chart
from rtlib.widgets.sparkline import sparkline
from rtlib.widgets.theme import SEVERITY

EVERY_SECONDS = 10.0
TITLES = {"graph": "Graph", "live": "Live", "plan": "Plan", "alerts": "Alerts", "quality": "Quality"}


class Shown(Outbox, Protocol):
    """Source of the pages' data (``rtlib.pipeline.page_data.PageData``); a call may take some tenths of a second."""

    def plan(self) -> PlanData: ...  # noqa: D102
    def quality(self) -> Quality: ...  # noqa: D102
    def choices(self, kind: str) -> list[tuple[str, str]]: ...  # noqa: D102


class Pages:
    """The pages and the buttons that choose one of them; the first is the graph, which the caller lays out.

    What is read from the warehouse is read in a thread, when its page is opened and every ten seconds while it is.

    Args:
        shown: Where to read.
        graph: The widget of the first page.
        ask: Answers questions about a KPI, a forecast or an alert; without it none can be asked.
    """

    def __init__(self, shown: Shown, graph: ipywidgets.Widget, ask: Ask | None = None) -> None:
        self._shown, self._wake, self._over = shown, threading.Event(), False
        self._live, self._plan, self._quality = (ipywidgets.HTML() for _ in range(3))
        self._calls = AlertsPage(shown, changed=self._wake.set, ask=ask)

        def asked(body: ipywidgets.Widget, kind: str) -> ipywidgets.Widget:
            return ipywidgets.VBox([body, AskPanel(ask, shown.choices(kind)).widget]) if ask else body

        self.choice = ipywidgets.ToggleButtons(options=[(title, name) for name, title in TITLES.items()])
        self.choice.add_class("rt-nav")
        self._widgets = {
            "graph": graph,
            "live": asked(self._live, "kpi"),
            "plan": asked(self._plan, "forecast"),
            "alerts": self._calls.widget,
            "quality": self._quality,
        }
        for name, widget in self._widgets.items():
            if name != "graph":
                widget.add_class("rt-page")
        self.choice.observe(self._turned, names="value")
        self._turned({})

    @property
    def widgets(self) -> list[ipywidgets.Widget]:
        """All pages, of which one is to be seen."""
        return list(self._widgets.values())

    def start(self) -> None:
        """Begin to read for the page that is open."""
        threading.Thread(target=self._keep_reading, name="pages", daemon=True).start()

    def stop(self) -> None:
        """Stop reading."""
        self._over = True
        self._wake.set()

    def refresh(self, board: KpiBoard) -> None:
        """Show the newest KPIs on the page of the sites."""
        if self.choice.value == "live":
            self._live.value = live(board)

    def read(self) -> None:
        """Read once for the page that is open; what cannot be read is said on it."""
        reads: Mapping[str, tuple[ipywidgets.HTML, Callable[[], str]]] = {
            "plan": (self._plan, lambda: plan(self._shown.plan(), now=datetime.now(UTC))),
            "quality": (self._quality, lambda: quality(self._shown.quality())),
            "alerts": (self._calls.trouble, self._calls.read),
        }
        if self.choice.value not in reads:
            return
        widget, make = reads[self.choice.value]
        try:
            widget.value = make()
        except Exception as error:  # the thread must go on, and old numbers must not look new
            widget.value = failed(error)

    def _keep_reading(self) -> None:
        while not self._over:
            self.read()
            self._wake.wait(EVERY_SECONDS)
            self._wake.clear()

    def _turned(self, _: object) -> None:
        for name, widget in self._widgets.items():
            widget.layout.display = "" if name == self.choice.value else "none"
        self._wake.set()


def live(board: KpiBoard) -> str:
    """Every site's KPIs now: one row for a site, told by word and colour where a threshold is crossed."""
    if not board.sites:
        return '<div class="rt"><p>No KPI yet.</p></div>'
    head = "".join(f'<th scope="col">{escape(one.title)}</th>' for one in board.sites[0].cards)
    rows = "".join(
        f'<tr><th scope="row">{escape(site.title)}</th>'
        + "".join(
            f'<td class="rt-{one.severity.value}"><div class="rt-cell">{value(one.value, one.unit)}'
            f'{sparkline(one.history)}<span class="rt-word">{SEVERITY[one.severity]}</span></div></td>'
            for one in site.cards
        )
        + "</tr>"
        for site in board.sites
    )
    table = f'<table class="rt-sites"><tr><td></td>{head}</tr>{rows}</table>'
    return f'<div class="rt"><h2>Sites, this minute</h2>{table}</div>'


def plan(told: PlanData, *, now: datetime) -> str:
    """What came, what is expected, who is needed and who is there."""
    if not told.forecast:
        return (
            '<div class="rt"><h2>Forecast and staffing</h2><p>No forecast was made yet. Run '
            "<code>rtlib backfill</code>, <code>rtlib dbt build</code>, <code>rtlib staffing forecast</code> "
            "and <code>rtlib staffing plan</code>, in this order.</p></div>"
        )
    times = [one[0] for one in told.forecast]
    layers: list[Band | Line] = [
        Band("80 % interval", "rt-band", times, [one[2] for one in told.forecast], [one[3] for one in told.forecast]),
        Line("Forecast", "rt-forecast", times, [one[1] for one in told.forecast]),
        Line("What came", "rt-actual", [one[0] for one in told.load], [one[1] for one in told.load]),
    ]
    staff = [one[0] for one in told.staff]
    people = [
        Line("Needed", "rt-needed", staff, [one[1] for one in told.staff], stepped=True),
        Line("Planned", "rt-planned-staff", staff, [one[2] for one in told.staff], stepped=True),
    ]
    scores = "".join(
        f'<tr{" class=rt-chosen" if chosen else ""}><th scope="row">{escape(model)}{" ✓" if chosen else ""}</th>'
        f"<td>{_percent(wape)}</td><td>{_percent(held)}</td></tr>"
        for model, wape, held, chosen in told.scores
    )
    charts = chart("Load and forecast", "events in 30 min", layers, now=now)
    charts += chart(told.role, "people needed and planned", people, now=now)
    return (
        f'<div class="rt rt-plan"><div>{charts}</div><div><h3>Backtest</h3><table class="rt-table">'
        f"<tr><th>Model</th><th>WAPE</th><th>Interval held</th></tr>{scores}</table><p>{escape(told.why)}</p>"
        "</div></div>"
    )


def quality(told: Quality) -> str:
    """Counts, why records were rejected, dbt's tests and the reconciliation of both layers."""
    first = list(told.reasons.items())[:8]
    reasons = "".join(f"<tr><td>{count(many)}</td><td>{escape(why)}</td></tr>" for why, many in first)
    tests = "dbt has not run yet: <code>rtlib dbt build</code>"
    if told.report:
        failed = "".join(f"<li>{escape(check.summary)}</li>" for check in told.report.failed)
        tests = f"{told.report.passed} tests passed, {len(told.report.failed)} failed, {told.report.at:%d %b %H:%M} UTC"
        tests += f"<ul>{failed}</ul>"
    ages = "".join(
        f"<tr><td>{escape(one.name)}, when dbt asked</td>"
        f"<td>{escape(formatting.format_quantity(one.value, one.unit))}</td></tr>"
        for one in told.freshness
    )
    return (
        f'<div class="rt rt-quality"><section><h2>Counts</h2><table class="rt-table">'
        f"<tr><td>{count(told.events)}</td><td>events in the warehouse</td></tr>"
        f"<tr><td>{count(told.duplicates)}</td><td>duplicates removed</td></tr>"
        f"<tr><td>{count(told.rejected)}</td><td>records rejected</td></tr></table>"
        f"<p>The proof that none was lost or doubled: <code>rtlib ledger</code>.</p></section>"
        f'<section><h2>Why records were rejected</h2><table class="rt-table">{reasons or "<tr><td>None was.</td></tr>"}'
        f"</table></section><section><h2>Tests</h2><p>{tests}</p>"
        f'<table class="rt-table">{ages}</table></section>'
        f"<section><h2>Speed layer against recomputation</h2><p>{told.windows:,} windows are closed. "
        f"{told.late:,} of them count fewer events than the warehouse holds, because these came behind the watermark. "
        f"<b>{told.not_measured:,}</b> were never measured: the speed layer holds nothing of them. "
        f"<b>{told.unexplained:,}</b> differ for no known reason.</p></section></div>"
    )


def count(many: int) -> str:
    """A count, with all its digits as a tooltip."""
    return f'<span title="{formatting.whole(many)}">{formatting.format_number(many)}</span>'


def _percent(share: float | None) -> str:
    return formatting.NOTHING if share is None else f"{100 * share:.1f} %"
