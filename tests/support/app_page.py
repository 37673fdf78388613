"""The app for tests: open it, click a part, read the panel; with the fake source and with the real stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, sync_playwright

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Cytoscape stores its instance on its element; from it come the positions of the nodes on the page.
NODES = """() => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(e => e._cyreg && e._cyreg.cy);
  if (!box || !box._cyreg.cy.nodes().length) return null;
  const corner = box.getBoundingClientRect();
  return Object.fromEntries(box._cyreg.cy.nodes().map(node => {
    const at = node.renderedPosition();
    return [node.id(), {x: corner.x + at.x, y: corner.y + at.y, opacity: node.effectiveOpacity(), ...node.data()}];
  }));
}"""
# The middle of an edge on the page, and its data.
EDGE = """id => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(e => e._cyreg && e._cyreg.cy);
  const corner = box.getBoundingClientRect(), edge = box._cyreg.cy.getElementById(id), at = edge.renderedMidpoint();
  return {x: corner.x + at.x, y: corner.y + at.y, ...edge.data()};
}"""
# Titles whose width, as first measured by cytoscape, differs from their width in the app's own font.
FOREIGN = """family => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(e => e._cyreg && e._cyreg.cy);
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = `600 16px "${family}"`;
  return box._cyreg.cy.nodes('[kind="card"]').map(node => [node.data('title'), node._private.rscratch.labelWidth])
    .filter(([title, width]) => Math.abs(pen.measureText(title).width - width) > 2);
}"""
WIDE = """() => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(e => e._cyreg && e._cyreg.cy);
  return box._cyreg.cy.nodes('[kind="card"]').filter(node => node._private.rscratch.labelWidth > node.width() - 2)
    .map(node => [node.data('title'), node._private.rscratch.labelWidth]);
}"""
# Elements whose content is wider than their box, including those that cut it off with an ellipsis.
TOO_LONG = """() => [...document.querySelectorAll('.rt-app .rt *')]
  .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth && e.clientWidth > 0)
  .map(e => [e.className, e.textContent.slice(0, 60), e.scrollWidth, e.clientWidth])"""
CHOICE = ".rt-choice select"
PARTS = [".rt-header", ".rt-banner", ".cards", ".rt-graph", ".rt-side", CHOICE]
BOXES = """parts => Object.fromEntries(parts.map(name => {
  const box = document.querySelector(name).getBoundingClientRect();
  return [name, [box.x, box.y, box.width, box.height]];
}))"""


@dataclass
class AppPage:
    """The open page, with its browser's errors, requests to other hosts, and lost connections."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    connected_ms: float = 0.0  # by the page's clock; at this time it was connected

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The position of each node on the page, and its data."""
        self.page.wait_for_function(f"() => ({NODES})() !== null")
        return self.page.evaluate(NODES)

    def foreign_titles(self, family: str) -> list[Any]:
        """Titles on the canvas that are not drawn in this font, with their widths."""
        assert self.page.evaluate("name => [...document.fonts].some(font => font.family.includes(name))", family)
        return self.page.evaluate(FOREIGN, family)

    def wide_titles(self) -> list[Any]:
        """Titles on the canvas that are wider than their cards in any font, with their widths."""
        return self.page.evaluate(WIDE)

    def too_long(self) -> list[Any]:
        """Elements whose content is wider than their box, with both widths."""
        return self.page.evaluate(TOO_LONG)

    def wait_for_node(self, node: str, **data: str) -> None:
        """Wait until a node has this data."""
        self.page.wait_for_function(
            f"([node, data]) => {{ const found = (({NODES})() || {{}})[node];"
            " return found && Object.entries(data).every(([name, value]) => found[name] === value) }",
            arg=[node, data],
            timeout=20_000,
        )

    def click_node(self, node: str) -> str:
        """Click a node on the canvas; returns the text of its panel."""
        at = self.nodes()[node]
        self.page.mouse.click(at["x"], at["y"])
        return self.read_panel(node)

    def edge(self, source: str, target: str) -> dict[str, Any]:
        """The middle of an edge on the page, and its data."""
        return self.page.evaluate(EDGE, f"{source}>{target}")

    def click_beside(self) -> str:
        """Click the canvas beside the cards; returns the text of the overview."""
        nodes = self.nodes()
        self.page.mouse.click(nodes["simulator"]["x"], nodes["rejected"]["y"])
        return self.read_panel("")

    def choose(self, title: str) -> None:
        """Choose a part from the list, as with the keyboard."""
        self.page.locator(CHOICE).select_option(label=title)

    def chosen(self) -> str:
        """The part chosen in the list; ipywidgets writes non-breaking spaces."""
        return self.page.locator(CHOICE).evaluate("list => list.selectedOptions[0].label").replace("\xa0", " ")

    def panel(self, node: str) -> Locator:
        """The panel of this node."""
        return self.page.locator(f'[data-node="{node}"]')

    def read_panel(self, node: str) -> str:
        """The text of the panel of this node, once it is open; ``""`` is the overview."""
        self.panel(node).wait_for(timeout=15_000)
        return self.panel(node).inner_text()

    def reading(self, node: str, name: str) -> float:
        """The number of a reading in the open panel."""
        text = self.panel(node).locator(f'[data-reading="{name}"] .rt-number').inner_text()
        return float(text.replace(",", ""))

    def banner(self) -> str:
        """The state of the pipeline in one sentence."""
        return self.page.locator('[role="status"].rt-banner').inner_text()

    def boxes(self) -> dict[str, list[float]]:
        """Position and size of each part of the page."""
        return self.page.evaluate(BOXES, PARTS)


@contextmanager
def launched(executable: Path) -> Iterator[Browser]:
    """A browser without background traffic. Playwright allows one per process, so a fixture should hold it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=list(QUIET))
        yield chromium
        chromium.close()


@contextmanager
def open_app(url: str, chromium: Browser, *, width: int = 1280, height: int = 720) -> Iterator[AppPage]:
    """Open the app; every request to another host is refused and recorded."""
    page = chromium.new_page(viewport={"width": width, "height": height})
    app = AppPage(page)
    page.on("pageerror", lambda error: app.complaints.append(str(error)))
    page.on("console", lambda message: _note(app, message))
    page.on("websocket", lambda socket: socket.on("close", lambda closed: app.broken.append(closed.url)))
    page.route(re.compile(r"^(?!(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:)"), lambda route: _refuse(app, route))
    page.goto(url)
    page.locator("[data-kpi]").first.wait_for(timeout=90_000)
    app.connected_ms = page.evaluate("performance.now()")
    app.nodes()
    yield app
    page.close()


def _note(app: AppPage, message: ConsoleMessage) -> None:
    if message.type == "error":
        app.complaints.append(message.text)


def _refuse(app: AppPage, route: Any) -> None:
    app.outside.append(route.request.url)
    route.abort()
