"""Pages: the graph, the sites now, forecast and plan, alerts, and data quality, with the buttons to choose one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import ipywidgets

from rtlib.errors import RtlibError
from rtlib.graph import KpiBoard
from rtlib.pipeline.batch_status import JobStep
from rtlib.pipeline.page_data import PlanData, Quality
from rtlib.widgets.alerts_page import AlertsPage, Outbox, error_html
from rtlib.widgets.ask_panel import Ask, AskPanel
from rtlib.widgets.fault_panel import Inject
from rtlib.widgets.job_steps import pending
from rtlib.widgets.live_page import LivePage
from rtlib.widgets.plan_page import PlanPage
from rtlib.widgets.quality_page import QualityPage, TakeLedger
from rtlib.widgets.run_panel import RunNow

EVERY_SECONDS = 10.0
SOON_SECONDS = 2.0  # while a job is on its way, or an alert may be
TITLES = {"graph": "Graph", "live": "Live", "plan": "Plan", "alerts": "Alerts", "quality": "Quality"}


class Shown(Outbox, Protocol):
    """Source of the pages' data (``rtlib.pipeline.page_data.PageData``); a call may take some tenths of a second."""

    def plan(self) -> PlanData: ...  # noqa: D102
    def quality(self) -> Quality: ...  # noqa: D102
    def jobs(self) -> tuple[JobStep, ...]: ...  # noqa: D102
    def choices(self, kind: str) -> list[tuple[str, str]]: ...  # noqa: D102


class Pages:
    """The pages and the buttons to choose one; the first is the graph, which the caller lays out.

    A thread reads the warehouse for the open page, when it is opened and every ten seconds, or two while jobs run.

    Args:
        source: Where to read the data of the pages.
        graph: The widget of the first page.
        ask: Answers questions about a KPI, a forecast or an alert; without it there are no questions.
        inject: Runs a fault of the catalog; without it the page of alerts cannot make a surge.
        run_job: Starts a batch job; without it a failed job cannot be run again from the page of the plan.
        take_ledger: Takes the ledger; without it the page of quality has no ledger.
    """

    def __init__(
        self, source: Shown, graph: ipywidgets.Widget, ask: Ask | None = None, *, inject: Inject | None = None,
        run_job: RunNow | None = None, take_ledger: TakeLedger | None = None,
    ) -> None:  # fmt: skip
        self._source, self._wake, self._stopped = source, threading.Event(), False
        self._soon = False
        self._live, self._board = LivePage(), KpiBoard(title="")
        self._plan, self._quality = PlanPage(run_job), QualityPage(take_ledger)
        self._alerts = AlertsPage(source, changed=self._wake.set, ask=ask, inject=inject)
        self._trouble = {name: ipywidgets.HTML() for name in ("plan", "quality")} | {"alerts": self._alerts.trouble}

        def with_questions(body: ipywidgets.Widget, kind: str) -> ipywidgets.Widget:
            rows = [body.add_class("rt-fill")]
            return ipywidgets.VBox([*rows, AskPanel(ask, source.choices(kind)).widget] if ask else rows)

        self.choice = ipywidgets.ToggleButtons(options=[(title, name) for name, title in TITLES.items()])
        self.choice.add_class("rt-nav")
        plan = ipywidgets.VBox([self._trouble["plan"], self._plan.widget])
        self._widgets = {
            "graph": graph,
            "live": with_questions(self._live.widget, "kpi"),
            "plan": with_questions(plan, "forecast"),
            "alerts": self._alerts.widget,
            "quality": ipywidgets.VBox([self._trouble["quality"], self._quality.widget.add_class("rt-fill")]),
        }
        for name, widget in self._widgets.items():
            if name != "graph":
                widget.add_class("rt-page")
        self.choice.observe(self._page_changed, names="value")
        self._page_changed({})
        self._wake.clear()

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

    def read(self, page: str | None = None) -> None:
        """Read once for a page, by default the open page; an error is shown on it."""
        reads: Mapping[str, Callable[[], object]] = {
            "plan": self._read_plan,
            "quality": self._read_quality,
            "alerts": self._read_alerts,
        }
        page = page or self.choice.value
        if page not in reads:
            return
        try:
            reads[page]()
            self._trouble[page].value = ""
        except Exception as error:  # the thread must continue, and old numbers must not look new
            self._trouble[page].value = error_html(error)

    def _read_plan(self) -> None:
        steps = self._steps()
        self._plan.show(self._source.plan(), steps, now=datetime.now(UTC))
        self._soon = pending(steps)

    def _read_quality(self) -> None:
        steps = self._steps()
        self._quality.show(self._source.quality(), steps)
        self._soon = pending(steps)

    def _read_alerts(self) -> None:
        self._alerts.read()
        self._soon = True

    def _steps(self) -> tuple[JobStep, ...]:
        try:
            return self._source.jobs()
        except RtlibError:  # the rest of the page can be read all the same
            return ()

    def _keep_reading(self) -> None:
        for page in ("plan", "alerts", "quality"):  # so that none is empty when it is opened
            if not self._wake.is_set():
                self.read(page)
        while not self._stopped:
            self.read()
            self._wake.wait(SOON_SECONDS if self._soon else EVERY_SECONDS)
            self._wake.clear()

    def _page_changed(self, _: object) -> None:
        for name, widget in self._widgets.items():
            widget.layout.display = "" if name == self.choice.value else "none"
        self.refresh(self._board)
        self._wake.set()
