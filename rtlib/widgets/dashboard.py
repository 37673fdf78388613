"""Dashboard: header, graph and panel, refreshed once a second; the same in Voilà and in JupyterLab."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from html import escape

import ipywidgets

from rtlib import graph as graphs
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.widgets import cards, panel
from rtlib.widgets.architecture import ArchitectureGraph
from rtlib.widgets.look import CSS

EVERY_SECONDS = 1.0


class Dashboard:
    """The whole picture of a running pipeline.

    Args:
        source: Where facts come from; asked about once a second, and must answer at once.
        explain: Makes the plain-English text of a node.
    """

    def __init__(self, source: graphs.Source, *, explain: panel.Explain) -> None:
        self._source = source
        self._explain = explain
        self._history = graphs.History()
        self._task: asyncio.Task[None] | None = None
        self.architecture = ArchitectureGraph()
        self._header = ipywidgets.HTML(layout={"height": "130px", "overflow": "hidden"})
        self._panel = ipywidgets.HTML(layout={"width": "100%"})
        self._trouble = ipywidgets.HTML()
        self.choice = ipywidgets.Dropdown(
            options=[("whole pipeline", None), *((one.title, one.id) for one in ARCHITECTURE_COMPONENTS_LIST)],
            description="Part",
            layout={"width": "300px"},
            style={"description_width": "40px"},
        )
        self.choice.observe(lambda change: self.architecture.select(change["new"]), names="value")
        self.architecture.on_select(self._selected)
        self.widget = self._laid_out()
        self.refresh()

    def refresh(self) -> None:
        """Show what the source knows now."""
        now = datetime.now(UTC)
        graph = graphs.build(self._source.observations(), now=now)
        self._history.add(graph)
        self.architecture.update(graph)
        chosen = self.architecture.selected
        told = (
            panel.overview(graph)
            if chosen is None
            else panel.panel(graph.node(chosen), graph, self._history, explain=self._explain)
        )
        for widget, value in ((self._header, cards.header(self._source.kpis(), graph)), (self._panel, told)):
            if widget.value != value:
                widget.value = value

    def start(self) -> Dashboard:
        """Refresh once a second on the kernel's own event loop, until ``stop``; returns itself."""
        self._task = asyncio.get_running_loop().create_task(self._keep_fresh())
        return self

    def stop(self) -> None:
        """Stop refreshing."""
        if self._task is not None:
            self._task.cancel()

    async def _keep_fresh(self) -> None:
        while True:
            try:
                self.refresh()
                self._trouble.value = ""
            except Exception as error:  # a mistake here must be seen, and must not freeze the numbers as if live
                said = escape(f"{type(error).__name__}: {error}")
                self._trouble.value = f'<div class="rt"><b>■ The picture is not being refreshed:</b> {said}</div>'
            await asyncio.sleep(EVERY_SECONDS)

    def _selected(self, node_id: str | None) -> None:
        self.choice.value = node_id
        self.refresh()

    def _laid_out(self) -> ipywidgets.Widget:
        box = ipywidgets.Layout
        canvas = ipywidgets.Box([self.architecture.widget], layout=box(height="460px", width="100%", overflow="hidden"))
        canvas.add_class("rt-graph")
        left = ipywidgets.VBox(
            [
                canvas,
                ipywidgets.HTML(panel.legend()),
            ],
            layout=box(flex="1 1 auto", min_width="0", overflow="hidden"),
        )
        right = ipywidgets.VBox(
            [self.choice, ipywidgets.Box([self._panel], layout=box(height="458px", overflow="auto", width="100%"))],
            layout=box(flex="0 0 400px", width="400px", padding="0 0 0 12px"),
        )
        body = ipywidgets.HBox([left, right], layout=box(width="100%"))
        return ipywidgets.VBox([ipywidgets.HTML(CSS), self._trouble, self._header, body], layout=box(width="100%"))


def dashboard(source: graphs.Source, *, explain: panel.Explain) -> ipywidgets.Widget:
    """The dashboard's widget, started; put it last in a cell."""
    return Dashboard(source, explain=explain).start().widget
