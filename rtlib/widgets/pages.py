"""Pages: the graph, the sites now, forecast and plan, alerts, and data quality, with the buttons to choose one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Protocol
from zoneinfo import ZoneInfo

import ipywidgets

from rtlib import formatting
from rtlib.graph import KpiBoard
from rtlib.pipeline.page_data import PlanData, Quality
from rtlib.pipeline.planning.today import Today
from rtlib.widgets.alerts_page import AlertsPage, Outbox, error_html
from rtlib.widgets.ask_panel import Ask, AskPanel
from rtlib.widgets.chart import Band, Line, chart
from rtlib.widgets.live_page import LivePage

EVERY_SECONDS = 10.0
MAX_REASONS = 8  # of rejection, the most frequent first
TITLES = {"graph": "Graph", "live": "Live", "plan": "Plan", "alerts": "Alerts", "quality": "Quality"}


class Shown(Outbox, Protocol):
    """Source of the pages' data (``rtlib.pipeline.page_data.PageData``); a call may take some tenths of a second."""

    def plan(self) -> PlanData: ...  # noqa: D102
    def quality(self) -> Quality: ...  # noqa: D102
    def choices(self, kind: str) -> list[tuple[str, str]]: ...  # noqa: D102


class Pages:
    """The pages and the buttons to choose one; the first is the graph, which the caller lays out.

    A thread reads the warehouse for the open page, when it is opened and every ten seconds.

    Args:
        source: Where to read the data of the pages.
        graph: The widget of the first page.
        ask: Answers questions about a KPI, a forecast or an alert; without it there are no questions.
    """

    def __init__(self, source: Shown, graph: ipywidgets.Widget, ask: Ask | None = None) -> None:
        self._source, self._wake, self._stopped = source, threading.Event(), False
        self._live, self._board = LivePage(), KpiBoard(title="")
        self._plan, self._quality = (ipywidgets.HTML() for _ in range(2))
        self._alerts = AlertsPage(source, changed=self._wake.set, ask=ask)

        def with_questions(body: ipywidgets.Widget, kind: str) -> ipywidgets.Widget:
            return ipywidgets.VBox([body, AskPanel(ask, source.choices(kind)).widget]) if ask else body

        self.choice = ipywidgets.ToggleButtons(options=[(title, name) for name, title in TITLES.items()])
        self.choice.add_class("rt-nav")
        self._widgets = {
            "graph": graph,
            "live": with_questions(self._live.widget, "kpi"),
            "plan": with_questions(self._plan, "forecast"),
            "alerts": self._alerts.widget,
            "quality": self._quality,
        }
        for name, widget in self._widgets.items():
            if name != "graph":
                widget.add_class("rt-page")
        self.choice.observe(self._page_changed, names="value")
        self._page_changed({})

    @property
    def widgets(self) -> list[ipywidgets.Widget]:
        """All pages; only the chosen page is visible."""
        return list(self._widgets.values())

    def start(self) -> None:
        """Start reading for the open page."""
        threading.Thread(target=self._keep_reading, name="pages", daemon=True).start()

    def stop(self) -> None:
        """Stop reading."""
        self._stopped = True
        self._wake.set()

    def refresh(self, board: KpiBoard) -> None:
        """Show the newest KPIs on the page of the sites."""
        self._board = board
        if self.choice.value == "live":
            self._live.refresh(board)

    def read(self) -> None:
        """Read once for the open page; an error is shown on it."""
        reads: Mapping[str, tuple[ipywidgets.HTML, Callable[[], str]]] = {
            "plan": (self._plan, lambda: plan(self._source.plan(), now=datetime.now(UTC))),
            "quality": (self._quality, lambda: quality(self._source.quality())),
            "alerts": (self._alerts.trouble, self._alerts.read),
        }
        if self.choice.value not in reads:
            return
        widget, make = reads[self.choice.value]
        try:
            widget.value = make()
        except Exception as error:  # the thread must continue, and old numbers must not look new
            widget.value = error_html(error)

    def _keep_reading(self) -> None:
        while not self._stopped:
            self.read()
            self._wake.wait(EVERY_SECONDS)
            self._wake.clear()

    def _page_changed(self, _: object) -> None:
        for name, widget in self._widgets.items():
            widget.layout.display = "" if name == self.choice.value else "none"
        self.refresh(self._board)
        self._wake.set()


def plan(data: PlanData, *, now: datetime) -> str:
    """The actual load, its forecast, and the people needed and planned."""
    if not data.forecast:
        return (
            '<div class="rt"><h2>Forecast and staffing</h2><p>There is no forecast yet. Run '
            "<code>rtlib backfill</code>, <code>rtlib dbt build</code>, <code>rtlib staffing forecast</code> "
            "and <code>rtlib staffing plan</code>, in this order.</p></div>"
        )
    times = [at for at, *_ in data.forecast]
    lowers, uppers = [low for *_, low, _ in data.forecast], [high for *_, high in data.forecast]
    layers: list[Band | Line] = [
        Band("80 % interval", "rt-band", times, lowers, uppers),
        Line("Forecast", "rt-forecast", times, [mean for _, mean, *_ in data.forecast]),
        Line("Actual load", "rt-actual", [at for at, _ in data.load], [events for _, events in data.load]),
    ]
    staff_times = [at for at, *_ in data.staff]
    people = [
        Line("Needed", "rt-needed", staff_times, [needed for _, needed, _ in data.staff], stepped=True),
        Line("Planned", "rt-planned-staff", staff_times, [planned for *_, planned in data.staff], stepped=True),
    ]
    scores = "".join(
        f'<tr{" class=rt-chosen" if chosen else ""}><th scope="row">{escape(model)}{" ✓" if chosen else ""}</th>'
        f"<td>{_percent(wape)}</td><td>{_percent(coverage)}</td></tr>"
        for model, wape, coverage, chosen in data.scores
    )
    zone = ZoneInfo(data.time_zone)
    city = formatting.place_of(data.time_zone)
    charts = chart("Load and forecast", f"events in 30 min, {city} time", layers, now=now, zone=zone)
    charts += chart(data.role, f"people needed and planned, {city} time", people, now=now, zone=zone)
    return (
        f'<div class="rt rt-plan"><div>{_today(data.today, zone, city)}{charts}</div>'
        '<div><h3>Backtest</h3><table class="rt-table">'
        f"<tr><th>Model</th><th>WAPE</th><th>Interval held</th></tr>{scores}</table><p>{escape(data.why)}</p>"
        "</div></div>"
    )


def _today(today: Today | None, zone: ZoneInfo, city: str) -> str:
    """What came since midnight, beside its forecast."""
    if today is None or today.excess is None:
        return ""
    came = (
        f"Today until {today.until.astimezone(zone):%H:%M} in {escape(city)}: "
        f"<b>{count(round(today.events))}</b> events came, {count(round(today.expected))} were forecast "
        f"({100 * today.excess:+.1f} %)."
    )
    if today.intervals:
        held = _percent(today.inside_share)
        came += f" <b>{today.inside} of {today.intervals}</b> half-hours lie inside the 80 % interval ({held})."
    return f"<p>{came}</p>"


def quality(data: Quality) -> str:
    """Counts, reasons of rejection, dbt's tests, and the reconciliation of both layers."""
    frequent = list(data.reasons.items())[:MAX_REASONS]
    reasons = "".join(f"<tr><td>{count(rejected)}</td><td>{escape(reason)}</td></tr>" for reason, rejected in frequent)
    tests = "dbt has not run yet: <code>rtlib dbt build</code>"
    if data.report:
        failed = "".join(f"<li>{escape(check.summary)}</li>" for check in data.report.failed)
        tests = f"{data.report.passed} tests passed, {len(data.report.failed)} failed, {data.report.at:%d %b %H:%M} UTC"
        tests += f"<ul>{failed}</ul>"
    ages = "".join(
        f"<tr><td>{escape(reading.name)}, when dbt checked</td>"
        f"<td>{escape(formatting.format_quantity(reading.value, reading.unit))}</td></tr>"
        for reading in data.freshness
    )
    reasons = reasons or "<tr><td>No record was rejected.</td></tr>"
    return (
        f'<div class="rt rt-quality"><section><h2>Counts</h2><table class="rt-table">'
        f"<tr><td>{count(data.events)}</td><td>events in the warehouse</td></tr>"
        f"<tr><td>{count(data.duplicates)}</td><td>duplicates removed</td></tr>"
        f"<tr><td>{count(data.rejected)}</td><td>records rejected</td></tr></table>"
        f"<p>The proof that no event was lost or doubled: <code>rtlib ledger</code>.</p></section>"
        f'<section><h2>Why records were rejected</h2><table class="rt-table">{reasons}'
        f"</table></section><section><h2>Tests</h2><p>{tests}</p>"
        f'<table class="rt-table">{ages}</table></section>'
        f"<section><h2>Speed layer against recomputation</h2><p>{data.windows:,} windows are closed. "
        f"{data.late:,} of them count fewer events than the warehouse holds, because the others were behind the "
        "watermark. "
        f"<b>{data.not_measured:,}</b> were never measured: the speed layer has no row for them. "
        f"<b>{data.unexplained:,}</b> differ for an unknown reason.</p></section></div>"
    )


def count(number: int) -> str:
    """A count, with all its digits as a tooltip."""
    return f'<span title="{formatting.whole(number)}">{formatting.format_number(number)}</span>'


def _percent(share: float | None) -> str:
    return formatting.NOTHING if share is None else f"{100 * share:.1f} %"
