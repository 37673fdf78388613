"""The app in a real browser, on the real stack: what a person sees, clicked and read."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.records import Status
from rtlib.services.browser import find_browser
from support.app_page import QUIET
from support.stack import RTLIB, Stack, clean_environment

pytestmark = [pytest.mark.integration, pytest.mark.e2e]

# Cytoscape keeps its instance on the element it draws in.
PLACES = """() => {
  const box = [...document.querySelectorAll('*')].find(one => one._cyreg && one._cyreg.cy);
  if (!box) return null;
  const corner = box.getBoundingClientRect();
  return Object.fromEntries(box._cyreg.cy.nodes().map(node => {
    const at = node.renderedPosition();
    return [node.id(), {x: corner.x + at.x, y: corner.y + at.y, label: node.data('label'), classes: node.classes()}];
  }));
}"""


@dataclass
class App:
    """The open page, and what its browser complained about or asked for elsewhere."""

    page: Page
    complaints: list[str]
    outside: list[str]

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Each node's place on the page, label and classes."""
        self.page.wait_for_function(f"() => ({PLACES})() !== null")
        return self.page.evaluate(PLACES)

    def click(self, node: str) -> str:
        """Click a node on the canvas and return the panel's text once it tells of that node."""
        at = self.nodes()[node]
        self.page.mouse.click(at["x"], at["y"])
        panel = self.page.locator(f'[data-node="{node}"]')
        panel.wait_for(timeout=15_000)
        return panel.inner_text()


@pytest.fixture(scope="module")
def app(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    browser_path = find_browser()
    assert browser_path is not None, "no browser: make test runs 'rtlib doctor --browser --install' first"
    log = tmp_path_factory.mktemp("app") / "said.log"
    with log.open("w") as out:
        served = subprocess.Popen(
            [str(RTLIB), "app", "--no-browser"], stdout=out, stderr=out, env=clean_environment(stack.home)
        )
    try:
        url = _address(served, log)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(browser_path), args=list(QUIET))
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            opened = App(page, [], [])
            page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            page.on("request", lambda request: opened.outside.append(request.url) if _outside(request.url) else None)
            page.goto(url)
            page.locator("[data-kpi]").first.wait_for(timeout=90_000)
            page.get_by_role("button", name="Skip the tour").click()  # a first visit begins with it
            page.locator(".rt-tour").wait_for(state="hidden")
            yield opened
            browser.close()
    finally:
        served.send_signal(signal.SIGTERM)  # as a closed terminal does; ended like Ctrl-C
        served.wait(timeout=30)


def test_the_graph_shows_every_part_with_its_status(app: App) -> None:
    app.page.wait_for_function(
        f"() => Object.values(({PLACES})() || {{}}).filter(one => one.classes.includes('healthy')).length >= 10",
        timeout=60_000,
    )
    kinds = {
        node_id: set(node["classes"]) & {status.value for status in Status}
        for node_id, node in app.nodes().items()
        if ":" not in node_id and not node_id.startswith("_")  # notes on nodes, and the lanes behind them
    }
    assert set(kinds) == {part.id for part in ARCHITECTURE_COMPONENTS_LIST}
    assert {node_id: sorted(kind) for node_id, kind in kinds.items() if kind - {"healthy", "idle", "degraded"}} == {}
    assert kinds["powerbi"] == {"idle"}  # nobody has built the report in this stack yet
    app.page.wait_for_function(f"() => /[0-9] records.s/.test(({PLACES})().events.label)", timeout=15_000)


@pytest.mark.parametrize("node", ["events", "kpis", "speed", "dwh"])
def test_a_click_opens_a_panel_with_live_numbers_lineage_and_plain_english(app: App, node: str) -> None:
    panel = app.click(node)
    assert "Live numbers".upper() in panel.upper()
    assert "Lineage".upper() in panel.upper()
    assert re.search(r"Right now it .*\d", panel), panel
    assert "ago" in panel or "just now" in panel


def test_the_numbers_of_a_part_differ_between_two_moments(app: App) -> None:
    before = re.search(r"in the topic\s+([\d,]+)", app.click("events"))
    assert before is not None
    app.page.wait_for_function(
        "before => { const text = document.querySelector('[data-node=\"events\"]').innerText;"
        " const now = text.match(/in the topic\\s+([\\d,]+)/); return now && now[1] !== before }",
        arg=before.group(1),
        timeout=15_000,
    )


def test_a_click_lights_up_the_lineage_and_dims_the_rest(app: App) -> None:
    app.click("kpis")
    app.page.wait_for_function(f"() => ({PLACES})().dwh.classes.includes('dim')", timeout=10_000)
    nodes = app.nodes()
    assert all("dim" not in nodes[node_id]["classes"] for node_id in ("simulator", "events", "kpis", "loader", "speed"))


def test_the_kpi_cards_carry_units_and_ages(app: App) -> None:
    cards = app.page.locator("[data-kpi]")
    app.page.get_by_text("this minute").nth(3).wait_for(timeout=60_000)
    assert cards.count() >= 4
    ages = [age.get_attribute("title") or "" for age in cards.locator(".rt-age").all()]  # whole, if the line is cut
    assert all("ago" in age or "just now" in age for age in ages), ages


def test_nothing_jumps_while_numbers_change_and_parts_are_clicked(app: App) -> None:
    measure = (
        "() => [...document.querySelectorAll('.rt-graph, .rt .cards, select')].map(one => {"
        " const box = one.getBoundingClientRect(); return [box.x, box.y, box.width, box.height] })"
    )
    boxes = []
    for node in ("simulator", "alerts", "archive"):
        app.click(node)
        boxes.append(app.page.evaluate(measure))
    assert boxes[0] == boxes[1] == boxes[2]
    assert app.page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


def test_a_part_can_be_chosen_by_keyboard(app: App) -> None:
    app.page.locator(".rt-choice select").select_option(label="Schema registry")
    app.page.locator('[data-node="registry"]').wait_for(timeout=10_000)


def test_the_tour_can_be_asked_for_again_and_its_steps_select_parts_and_open_pages(app: App) -> None:
    page = app.page
    page.get_by_role("button", name="Tour", exact=True).click()
    page.get_by_text("1 of 6: What runs here.").wait_for()
    page.get_by_role("button", name="Next").press("Enter")
    page.get_by_role("button", name="Select the KPI query").press("Enter")
    page.get_by_role("heading", name="KPI query").wait_for()
    for _ in range(3):
        page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Open Quality").click()
    page.locator(".rt-quality").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Back to the graph").click()
    page.get_by_role("button", name="Finish").click()
    page.locator(".rt-tour").wait_for(state="hidden")


def test_a_stopped_part_is_shown_as_stopped_and_its_numbers_as_old(app: App, stack: Stack) -> None:
    from rtlib.services import supervisor

    supervisor.stop_part(stack.settings, "loader")
    try:
        app.click("loader")
        panel = app.page.locator('[data-node="loader"][data-status="stopped"]')
        panel.get_by_text("last seen").first.wait_for(timeout=30_000)
        app.page.get_by_text("Speed loader is stopped").first.wait_for(timeout=10_000)
    finally:
        supervisor.start_part(stack.settings, "loader")
    app.page.wait_for_function(f"() => ({PLACES})().loader.classes.includes('healthy')", timeout=60_000)


def test_the_page_needs_nothing_from_elsewhere_and_complains_of_nothing(app: App) -> None:
    assert app.complaints == []
    # Voilà's own page asks for an icon font that nothing here uses; everything else must come from this machine.
    assert [url for url in app.outside if "fontawesome" not in url] == []


def _outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:"))


def _address(served: subprocess.Popen[bytes], log: Path) -> str:
    """The app's address with its token, as the command prints it."""
    from tenacity import retry, stop_after_delay, wait_fixed

    @retry(wait=wait_fixed(0.3), stop=stop_after_delay(90), reraise=True)
    def read() -> str:
        text = log.read_text()
        assert served.poll() is None, text
        found = re.search(r"the app is at (\S+)", text)
        assert found is not None, text
        return found.group(1)

    return read()
