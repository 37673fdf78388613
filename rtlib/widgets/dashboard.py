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
from rtlib.widgets.fault_panel import FaultPanel, Hurt
from rtlib.widgets.pages import Pages, Shown
from rtlib.widgets.pointer_fix import Aim
from rtlib.widgets.theme import css

EVERY_SECONDS = 1.0


class Dashboard:
    """The whole picture of a running pipeline.

    It is refreshed by a thread, not by the kernel's event loop: the loop stands still while a cell runs, and then
    numbers would look live that are not. One lock keeps a refresh and a click apart.

    Args:
        source: Where facts come from; asked about once a second, and must answer at once.
        explain: Makes the plain-English text of a node.
        hurt: Does a fault of the menu; without it no node offers any.
        models: Reads what dbt builds; without it dbt's node does not show it.
        ask: Answers questions about a part, a KPI, an alert or a forecast; without it none can be asked.
        pages: Reads what the further pages show; without it there is the graph alone.
        selected: The part to begin with; one that there is not is passed over, for it may come from an address.
    """

    def __init__(
        self, source: graphs.Source, *, explain: panel.Explain, hurt: Hurt | None = None, models: Load | None = None,
        ask: Ask | None = None, pages: Shown | None = None, selected: str | None = None,
    ) -> None:  # fmt: skip
        self._source = source
        self._explain = explain
        self._history = graphs.History()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._beat = 0
        self.architecture = ArchitectureGraph()
        self._trouble = ipywidgets.HTML()
        self._pulse = ipywidgets.HTML()
        self._header = ipywidgets.HTML()
        self._panel = ipywidgets.HTML()
        drawers: dict[str, Drawer] = {}
        if hurt:
            drawers["Break it…"] = FaultPanel(hurt)
        if models:
            drawers["Models…"] = Models(models)
        if ask:
            drawers["Ask…"] = AskPanel(ask)
        self.drawers = Drawers(drawers)
        parts = [(one.title, one.id) for one in ARCHITECTURE_COMPONENTS_LIST]
        self.choice = ipywidgets.Dropdown(
            options=[("The whole pipeline", ""), *parts], value="", description="Part of the pipeline"
        )
        self.choice.observe(self._chosen, names="value")
        self.architecture.on_select(self._selected)
        graph = self._graph_page()
        self.pages = Pages(pages, graph, ask) if pages else None
        self.widget = self._laid_out(graph)
        self.refresh()
        if selected in {one.id for one in ARCHITECTURE_COMPONENTS_LIST}:
            self.architecture.select(selected)

    def refresh(self) -> None:
        """Show what the source knows now."""
        with self._lock:
            graph = graphs.build(self._source.observations(), now=datetime.now(UTC))
            self._history.add(graph)
            self.architecture.update(graph)
            board = self._source.kpis()
            self._header.value = cards.header(board, graph)
            if self.pages:
                self.pages.refresh(board)
            self._panel.value = self._told(graph)

    def _told(self, graph: graphs.Graph) -> str:
        chosen = self.architecture.selected
        if chosen is None:
            return panel.overview(graph)
        return panel.panel(graph.node(chosen), graph, self._history, explain=self._explain)

    def start(self) -> Dashboard:
        """Refresh once a second until ``stop`` or until the widget is closed; returns itself."""
        threading.Thread(target=self._keep_fresh, name="dashboard", daemon=True).start()
        if self.pages:
            self.pages.start()
        return self

    def stop(self) -> None:
        """Stop refreshing; the page says so by itself some seconds later."""
        self._over.set()
        if self.pages:
            self.pages.stop()

    def _keep_fresh(self) -> None:
        while not self._over.wait(EVERY_SECONDS) and self.widget.comm is not None:
            try:
                self.refresh()
                self._trouble.value = ""
            except Exception as error:  # it must be seen, and must not freeze numbers as if they were live
                self._trouble.value = cards.trouble(error)
            self._beat += 1
            self._pulse.value = cards.pulse(self._beat)
            self.architecture.refit()

    def _chosen(self, change: dict[str, str]) -> None:
        with self._lock:
            self.architecture.select(change["new"] or None)

    def _selected(self, node_id: str | None) -> None:
        with self._lock:
            self.choice.value = node_id or ""
            self.drawers.show(node_id)
            self.refresh()

    def _graph_page(self) -> ipywidgets.Widget:
        self.choice.add_class("rt-choice")
        left = ipywidgets.Box([self.architecture.widget])
        bar = ipywidgets.HBox([self.choice, self.drawers.buttons]).add_class("rt-bar")
        told = ipywidgets.Box([self._panel]).add_class("rt-scroll")
        right = ipywidgets.VBox([bar, told, *self.drawers.widgets])
        return ipywidgets.Box([left.add_class("rt-graph"), right.add_class("rt-side")]).add_class("rt-body")

    def _laid_out(self, graph: ipywidgets.Widget) -> ipywidgets.Widget:
        bodies = [self.pages.choice, *self.pages.widgets] if self.pages else [graph]
        rows = [ipywidgets.HTML(css()), Aim().add_class("rt-aim"), self._pulse, self._trouble, self._header, *bodies]
        return ipywidgets.VBox(rows).add_class("rt-app")


def dashboard(source: graphs.Source, *, explain: panel.Explain, **offered: Any) -> ipywidgets.Widget:
    """The dashboard's widget, started; put it last in a cell. ``offered`` are Dashboard's further arguments."""
    return Dashboard(source, explain=explain, **offered).start().widget
