"""Dashboard: header, graph and panel, refreshed once a second; the same in Voilà and in JupyterLab."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import ipywidgets

from rtlib import graph as graphs
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.widgets import cards, panel
from rtlib.widgets.architecture import ArchitectureGraph
from rtlib.widgets.ask_panel import Ask, AskPanel
from rtlib.widgets.dbt_lineage import Load, Models
from rtlib.widgets.drawers import Drawer, Drawers
from rtlib.widgets.fault_panel import FaultPanel, Inject
from rtlib.widgets.pages import Pages, Shown
from rtlib.widgets.pointer_fix import PointerFix
from rtlib.widgets.quality_page import TakeLedger
from rtlib.widgets.run_panel import RunNow, RunPanel
from rtlib.widgets.theme import css
from rtlib.widgets.tour import Seen, Tour

EVERY_SECONDS = 1.0


class Dashboard:
    """The dashboard of a running pipeline.

    A thread refreshes it, not the kernel's event loop: the loop is blocked while a cell runs, and old numbers would
    look live. A lock separates a refresh from a click.

    Args:
        source: The observations; read about once a second, so it must not block.
        explain: Returns the plain-English text of a node.
        inject_fault: Runs a fault of the catalog; without it no node offers faults.
        run_job: Starts a batch job in the background; without it no node offers to run its job.
        models: Reads what dbt builds; without it dbt's node does not offer the models.
        ask: Answers questions about a part, a KPI, an alert or a forecast; without it there are no questions.
        pages: Reads the data of the other pages; without it there is only the graph.
        take_ledger: Takes the ledger, for the page of quality; without it the page has no ledger.
        seen: Remembers whether the tour was seen; without it, or without ``pages``, there is no tour.
        selected: The part to select first; an unknown part is ignored, because it may come from a URL.
    """

    def __init__(
        self, source: graphs.Source, *, explain: panel.Explain, inject_fault: Inject | None = None,
        run_job: RunNow | None = None, models: Load | None = None, ask: Ask | None = None,
        pages: Shown | None = None, take_ledger: TakeLedger | None = None, selected: str | None = None,
        seen: Seen | None = None,
    ) -> None:  # fmt: skip
        self._source = source
        self._explain = explain
        self._history = graphs.History()
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._beat = 0
        self.architecture = ArchitectureGraph()
        self._trouble = ipywidgets.HTML()
        self._watchdog = ipywidgets.HTML()
        self._header = ipywidgets.HTML()
        self._panel = ipywidgets.HTML()
        drawers: dict[str, Drawer] = {}
        if run_job:
            drawers["Run now…"] = RunPanel(run_job)
        if inject_fault:
            drawers["Break it…"] = FaultPanel(inject_fault)
        if models:
            drawers["Models…"] = Models(models)
        if ask:
            drawers["Ask…"] = AskPanel(ask)
        self.drawers = Drawers(drawers)
        parts = [(part.title, part.id) for part in ARCHITECTURE_COMPONENTS_LIST]
        self.choice = ipywidgets.Dropdown(
            options=[("The whole pipeline", ""), *parts], value="", description="Part of the pipeline"
        )
        self.choice.observe(self._choice_changed, names="value")
        self.architecture.on_select(self._node_selected)
        self.tour = self._made_tour(seen) if pages and seen is not None else None
        graph = self._graph_page()
        self.pages = (
            Pages(pages, graph, ask, inject=inject_fault, run_job=run_job, take_ledger=take_ledger) if pages else None
        )
        self.widget = self._laid_out(graph)
        self.refresh()
        if selected in {part.id for part in ARCHITECTURE_COMPONENTS_LIST}:
            self.architecture.select(selected)

    def refresh(self) -> None:
        """Show the newest observations of the source."""
        with self._lock:
            graph = graphs.build(self._source.observations(), now=datetime.now(UTC))
            self._history.add(graph)
            self.architecture.update(graph)
            board = self._source.kpis()
            self._header.value = cards.header(board, graph)
            if self.pages:
                self.pages.refresh(board)
            self._panel.value = self._panel_html(graph)

    def _panel_html(self, graph: graphs.Graph) -> str:
        selected = self.architecture.selected
        if selected is None:
            return panel.overview(graph)
        return panel.panel(graph.node(selected), graph, self._history, explain=self._explain)

    def start(self) -> Dashboard:
        """Refresh once a second until ``stop`` is called or the widget is closed; returns itself."""
        threading.Thread(target=self._keep_fresh, name="dashboard", daemon=True).start()
        if self.pages:
            self.pages.start()
        return self

    def stop(self) -> None:
        """Stop refreshing; the watchdog warns on the page some seconds later."""
        self._stopped.set()
        if self.pages:
            self.pages.stop()

    def _keep_fresh(self) -> None:
        while not self._stopped.wait(EVERY_SECONDS) and self.widget.comm is not None:
            try:
                self.refresh()
                self._trouble.value = ""
            except Exception as error:  # must be visible: frozen numbers must not look live
                self._trouble.value = cards.trouble(error)
            self._beat += 1
            self._watchdog.value = cards.watchdog(self._beat)
            self.architecture.refit()

    def _choice_changed(self, change: dict[str, str]) -> None:
        with self._lock:
            self.architecture.select(change["new"] or None)

    def _node_selected(self, node_id: str | None) -> None:
        with self._lock:
            self.choice.value = node_id or ""
            self.drawers.show(node_id)
            self.refresh()

    def _made_tour(self, seen: Seen) -> Tour:
        def open_page(name: str) -> None:
            if self.pages:
                self.pages.choice.value = name

        return Tour(select=self._select, open_page=open_page, finished=seen.remember, begin=not seen)

    def _select(self, node_id: str) -> None:
        with self._lock:
            self.architecture.select(node_id)

    def _graph_page(self) -> ipywidgets.Widget:
        self.choice.add_class("rt-choice")
        opener = [self.tour.opener] if self.tour else []
        left = ipywidgets.Box([self.architecture.widget, *opener])
        bar = ipywidgets.HBox([self.choice, self.drawers.buttons]).add_class("rt-bar")
        content = ipywidgets.Box([self._panel]).add_class("rt-scroll")
        right = ipywidgets.VBox([bar, content, *self.drawers.widgets])
        return ipywidgets.Box([left.add_class("rt-graph"), right.add_class("rt-side")]).add_class("rt-body")

    def _laid_out(self, graph: ipywidgets.Widget) -> ipywidgets.Widget:
        bodies = [self.pages.choice, *self.pages.widgets] if self.pages else [graph]
        hidden = [ipywidgets.HTML(css()), PointerFix().add_class("rt-pointer-fix")]
        tour = [self.tour.widget] if self.tour else []
        rows = [*hidden, self._watchdog, self._trouble, self._header, *tour, *bodies]
        return ipywidgets.VBox(rows).add_class("rt-app")


def dashboard(source: graphs.Source, *, explain: panel.Explain, **options: Any) -> ipywidgets.Widget:
    """The widget of a started dashboard; put it last in a cell. ``options`` are further arguments of ``Dashboard``."""
    return Dashboard(source, explain=explain, **options).start().widget
