"""The app as a test sees it: open it, click a part, read the panel. For the fake source and for the real stack."""

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
# Cytoscape keeps its instance on the element it draws in; from there come the places on the page.
NODES = """() => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(one => one._cyreg && one._cyreg.cy);
  if (!box || !box._cyreg.cy.nodes().length) return null;
  const corner = box.getBoundingClientRect();
  return Object.fromEntries(box._cyreg.cy.nodes().map(node => {
    const at = node.renderedPosition();
    return [node.id(), {x: corner.x + at.x, y: corner.y + at.y, opacity: node.effectiveOpacity(), ...node.data()}];
  }));
}"""
# Titles whose width, as cytoscape measured it first, is not that of the app's own font.
FOREIGN = """family => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(one => one._cyreg && one._cyreg.cy);
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = `600 16px "${family}"`;
  return box._cyreg.cy.nodes('[kind="card"]').map(node => [node.data('title'), node._private.rscratch.labelWidth])
    .filter(([title, width]) => Math.abs(pen.measureText(title).width - width) > 2);
}"""
WIDE = """() => {
  const box = [...document.querySelectorAll('.rt-graph *')].find(one => one._cyreg && one._cyreg.cy);
  return box._cyreg.cy.nodes('[kind="card"]').filter(node => node._private.rscratch.labelWidth > node.width() - 2)
    .map(node => [node.data('title'), node._private.rscratch.labelWidth]);
}"""
# Elements of the page that hold more than their box; what cuts its text and says so by an ellipsis counts as well.
TOO_LONG = """() => [...document.querySelectorAll('.rt-app .rt *')]
  .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth && one.clientWidth > 0)
  .map(one => [one.className, one.textContent.slice(0, 60), one.scrollWidth, one.clientWidth])"""
CHOICE = ".rt-choice select"
PARTS = [".rt-header", ".rt-banner", ".cards", ".rt-graph", ".rt-side", CHOICE]
BOXES = """parts => Object.fromEntries(parts.map(name => {
  const box = document.querySelector(name).getBoundingClientRect();
  return [name, [box.x, box.y, box.width, box.height]];
}))"""


@dataclass
class AppPage:
    """The open page, and what its browser complained about, asked for elsewhere, or lost the connection to."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    connected_ms: float = 0.0  # a moment by the page's clock by which it had its connection

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Each node's place on the page and its data."""
        self.page.wait_for_function(f"() => ({NODES})() !== null")
        return self.page.evaluate(NODES)

    def foreign_titles(self, family: str) -> list[Any]:
        """Titles on the canvas that are drawn in another font than this one, with their widths."""
        assert self.page.evaluate("name => [...document.fonts].some(one => one.family.includes(name))", family)
        return self.page.evaluate(FOREIGN, family)

    def wide_titles(self) -> list[Any]:
        """Titles on the canvas that are wider than their cards, with their widths; in whatever font they are drawn."""
        return self.page.evaluate(WIDE)

    def too_long(self) -> list[Any]:
        """Elements whose content is wider than their box, with both widths."""
        return self.page.evaluate(TOO_LONG)

    def wait_for_node(self, node: str, **data: str) -> None:
        """Wait until a node's data is so."""
        self.page.wait_for_function(
            f"([node, data]) => {{ const one = (({NODES})() || {{}})[node];"
            " return one && Object.entries(data).every(([name, value]) => one[name] === value) }",
            arg=[node, data],
            timeout=20_000,
        )

    def click_node(self, node: str) -> str:
        """Click a node on the canvas; the panel's text once it tells of it."""
        at = self.nodes()[node]
        self.page.mouse.click(at["x"], at["y"])
        return self.read_panel(node)

    def click_beside(self) -> str:
        """Click the canvas where no card is; the panel's text once it tells of the whole."""
        nodes = self.nodes()
        self.page.mouse.click(nodes["simulator"]["x"], nodes["rejected"]["y"])
        return self.read_panel("")

    def choose(self, title: str) -> None:
        """Choose a part from the list, as a keyboard does."""
        self.page.locator(CHOICE).select_option(label=title)

    def chosen(self) -> str:
        """What the list says is chosen; ipywidgets writes its spaces as hard ones."""
        return self.page.locator(CHOICE).evaluate("one => one.selectedOptions[0].label").replace("\xa0", " ")

    def panel(self, node: str) -> Locator:
        """The panel that tells of this node."""
        return self.page.locator(f'[data-node="{node}"]')

    def read_panel(self, node: str) -> str:
        """The panel's text once it tells of this node; the whole pipeline is ``""``."""
        self.panel(node).wait_for(timeout=15_000)
        return self.panel(node).inner_text()

    def reading(self, node: str, name: str) -> float:
        """The number of one reading in the open panel."""
        told = self.panel(node).locator(f'[data-reading="{name}"] .rt-number').inner_text()
        return float(told.replace(",", ""))

    def banner(self) -> str:
        """The state of the pipeline in one sentence."""
        return self.page.locator('[role="status"].rt-banner').inner_text()

    def boxes(self) -> dict[str, list[float]]:
        """Where each part of the page stands."""
        return self.page.evaluate(BOXES, PARTS)


@contextmanager
def launched(executable: Path) -> Iterator[Browser]:
    """A quiet browser. Playwright allows one at a time in a process, so a fixture should hold it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(executable), args=list(QUIET))
        yield chromium
        chromium.close()


@contextmanager
def open_app(url: str, chromium: Browser, *, width: int = 1280, height: int = 720) -> Iterator[AppPage]:
    """Open the app; every request to elsewhere is refused and noted."""
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
