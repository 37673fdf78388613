"""The app in a real browser over a scripted source: what a person sees, clicks and reads."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, component
from rtlib.services import voila
from support.app_page import CHOICE, EDGE, NODES, AppPage, open_app
from support.served import (
    CELL,
    TESTS,
    Served,
    environment,
    free_port,
    lab_command,
    seconds_ago,
    until_served,
    write_notebook,
)

pytestmark = pytest.mark.e2e

GROW = """() => {
  const block = document.createElement('div');
  block.style.height = '60px';
  document.querySelector('.rt-app').before(block);
  return block;
}"""

# Records every number that the page ever shows, and each fall of the running window, which is its turn.
RECORD = """selector => {
  window.rtSeen?.observer.disconnect();
  const seen = { numbers: new Set(), turns: 0, last: 0 };
  const look = () => {
    document.querySelectorAll(selector).forEach(e => { if (e.offsetParent) seen.numbers.add(e.innerText.trim()); });
    const now = parseInt(document.querySelector('[data-kpi="orders"] .rt-age').innerText.replaceAll(',', ''));
    if (now < seen.last) seen.turns += 1;
    seen.last = now;
  };
  seen.observer = new MutationObserver(look);
  seen.observer.observe(document.querySelector('.rt-app'), { childList: true, subtree: true, characterData: true });
  window.rtSeen = seen;
}"""


def test_every_part_is_on_the_canvas_with_its_status_and_number(app: AppPage) -> None:
    nodes = app.nodes()
    for part in ARCHITECTURE_COMPONENTS_LIST:
        assert nodes[part.id]["title"] == part.title
        assert nodes[part.id]["status"] == ("planned" if part.planned else "healthy")
    assert nodes["events:number"]["title"].endswith(" records/s")


def test_every_card_is_inside_the_graph(app: AppPage) -> None:
    left, top, width, height = app.boxes()[".rt-graph"]
    cards = [app.nodes()[part.id] for part in ARCHITECTURE_COMPONENTS_LIST]
    assert all(left + 50 < card["x"] < left + width - 50 and top + 30 < card["y"] < top + height - 30 for card in cards)


def test_the_graph_fills_the_space_below_the_header(app: AppPage) -> None:
    boxes = app.boxes()
    _, header_top, _, header_height = boxes[".rt-header"]
    _, top, _, height = boxes[".rt-graph"]
    assert header_top == 12
    assert header_height == 140  # a line and the cards: nothing stretches it
    assert (top, height) == (162, 720 - 162 - 14)


def test_the_graph_uses_the_font_that_the_app_ships_whatever_fonts_the_machine_has(app: AppPage) -> None:
    assert app.foreign_titles("rtlib page") == []
    assert app.wide_titles() == []


@pytest.mark.parametrize(
    ("number", "shown"),
    [(9e99, "9 × 10⁹⁹"), (-1.2345e-3, "-0.0012"), (99_999_999.0, "99,999,999"), (-1.23456e25, "-1.23 × 10²⁵")],
)
def test_no_number_is_longer_than_its_box_and_a_tooltip_has_all_its_digits(
    app: AppPage, served: Served, number: float, shown: str
) -> None:
    served.play(every_number=number)
    app.click_node("dwh")
    places = ('[data-kpi="orders"] .rt-number', '[data-reading="duplicates removed"] .rt-number')
    for place in places:
        app.page.locator(f"{place}:text-is('{shown}')").wait_for(timeout=20_000)
        assert float(app.page.locator(place).get_attribute("title").replace(",", "")) == number
    assert app.too_long() == []
    assert app.wide_titles() == []
    app.page.locator(".rt-nav button", has_text="Live").click()
    app.page.locator(f".rt-sites .rt-number:text-is('{shown}')").first.wait_for(timeout=20_000)
    assert app.too_long() == []
    app.page.locator(".rt-nav button", has_text="Graph").click()


def test_a_value_that_is_not_finite_never_reaches_the_page(app: AppPage, served: Served) -> None:
    served.play(**{probe: {"value": float("nan")} for probe in ("dwh", "speed")}, dbt={"value": float("inf")})
    app.click_node("dwh")
    app.page.locator('[data-reading="events"] .rt-number:text-is("–")').wait_for(timeout=20_000)
    words = app.page.locator(".rt-app").inner_text().lower().split()
    assert "nan" not in words and "inf" not in words


@pytest.mark.parametrize("node", ["simulator", "events", "kpis", "dwh", "dbt", "powerbi"])
def test_a_click_on_the_canvas_opens_the_part_and_the_list_shows_it(app: AppPage, node: str) -> None:
    text = app.click_node(node)
    assert component(node).title in text
    assert component(node).breaks in text
    assert app.chosen() == component(node).title


def test_an_edge_shows_its_rate_while_the_pointer_is_on_it(app: AppPage) -> None:
    app.click_beside()
    edge = app.edge("events", "kpis")
    assert edge["rate"] == ""
    app.page.mouse.move(edge["x"], edge["y"])
    app.page.wait_for_function(f"() => ({EDGE})('events>kpis').rate.endsWith(' records/s')", timeout=20_000)
    app.page.mouse.move(5, 5)
    app.page.wait_for_function(f"() => ({EDGE})('events>kpis').rate === ''", timeout=20_000)


@pytest.mark.parametrize("node", ["registry", "loader", "dashboard"])
def test_the_list_opens_the_part_and_marks_it_on_the_canvas(app: AppPage, node: str) -> None:
    app.choose(component(node).title)
    text = app.read_panel(node)
    app.wait_for_node(node, focus="self")
    assert "Right now it" in text


def test_the_keyboard_alone_reaches_a_part(app: AppPage) -> None:
    app.page.locator(CHOICE).focus()
    app.page.keyboard.type("Speed la")
    app.page.keyboard.press("Enter")
    assert "Speed layer" in app.read_panel("speed")


def test_a_second_click_on_a_card_or_a_click_beside_it_clears_the_selection(app: AppPage) -> None:
    app.click_node("events")
    at = app.nodes()["events"]
    app.page.mouse.click(at["x"], at["y"])
    assert "From event to answer" in app.read_panel("")
    app.click_node("kpis")
    assert "From event to answer" in app.click_beside()


def test_lineage_stays_bright_and_the_rest_is_dimmed(app: AppPage) -> None:
    app.click_node("kpis")
    app.wait_for_node("archive", focus="dim")
    nodes = app.nodes()
    bright = {part.id for part in ARCHITECTURE_COMPONENTS_LIST if nodes[part.id]["opacity"] == 1}
    assert bright == {"simulator", "events", "kpis", "loader", "speed", "dashboard", "explain", "alerts"}


def test_numbers_change_at_least_once_a_second(app: AppPage) -> None:
    app.click_node("events")
    values = []
    for _ in range(3):
        before = app.reading("events", "in the topic")
        app.page.wait_for_function(
            "before => { const number = document.querySelector('[data-reading=\"in the topic\"] .rt-number');"
            " return number && Number(number.innerText.replaceAll(',', '')) > before }",
            arg=before,
            timeout=2_500,  # a second, with a margin for a busy machine
        )
        values.append(before)
    assert values == sorted(set(values))


def test_a_fault_can_be_injected_from_the_panel_of_a_part_which_then_shows_the_report(app: AppPage) -> None:
    app.choose("Events topic")
    app.read_panel("events")
    app.page.get_by_role("button", name="Break it…").click()
    text = app.page.locator(".rt-expect")
    text.get_by_text("Kafka is gone at once").wait_for()
    app.page.get_by_role("button", name="Break it", exact=True).click()
    text.get_by_text("kill-broker was done, and it came back after 7.5 s.").wait_for()
    app.choose("Dashboard")
    app.read_panel("dashboard")
    assert not app.page.locator(".rt-fault").is_visible()


def test_nothing_moves_when_numbers_change_or_a_part_is_clicked_or_stops(app: AppPage, served: Served) -> None:
    boxes, nodes = app.boxes(), app.nodes()
    for node in ("simulator", "archive", "alerts"):
        app.click_node(node)
        assert app.boxes() == boxes
    served.play(broker={"status": "stopped", "reason": "connection refused " * 20})
    app.wait_for_node("events", status="stopped")
    assert app.boxes() == boxes
    after = app.nodes()
    for node in (part.id for part in ARCHITECTURE_COMPONENTS_LIST):
        assert (after[node]["x"], after[node]["y"]) == pytest.approx((nodes[node]["x"], nodes[node]["y"]))


def test_a_dragged_graph_returns_to_its_place(app: AppPage) -> None:
    before = app.nodes()["events"]
    left, top, width, height = app.boxes()[".rt-graph"]
    for x, y in ((before["x"], before["y"]), (left + width / 2, top + height - 3)):
        app.page.mouse.move(x, y)
        app.page.mouse.down()
        app.page.mouse.move(x + 90, y - 60, steps=4)
        app.page.mouse.up()
    app.page.wait_for_function(
        "([x, nodes]) => Math.abs(eval(nodes)().events.x - x) < 1",
        arg=[before["x"], f"({NODES})"],
        timeout=5_000,
    )


def test_the_page_fits_a_projector_without_scrolling(app: AppPage) -> None:
    scrolls = "element => element.scrollHeight > element.clientHeight || element.scrollWidth > element.clientWidth"
    assert not app.page.locator("html").evaluate(scrolls)
    assert not app.page.locator(".rt-scroll").evaluate(scrolls)
    for node in ("events", "kpis", "dwh", "staffing"):
        app.click_node(node)
        assert not app.page.locator(".rt-scroll").evaluate(scrolls), node


def test_a_stopped_part_is_shown_as_stopped_and_its_numbers_as_old(app: AppPage, served: Served) -> None:
    served.play(loader={"status": "stopped", "reason": "exit code 137", "since": seconds_ago(14)})
    app.wait_for_node("loader", status="stopped", stale="yes")
    text = app.click_node("loader")
    assert "stopped" in text
    assert "exit code 137" in text
    assert "last seen 1" in text
    assert "LIVE NUMBERS" not in text.upper()
    assert app.panel("loader").locator(".rt-tiles").get_attribute("class") == "rt-tiles rt-old"
    assert "Speed loader is stopped: exit code 137." in app.banner()
    assert app.nodes()["loader:note"]["title"].startswith("last seen")
    served.play()
    app.wait_for_node("loader", status="healthy", stale="no")
    built = [part for part in ARCHITECTURE_COMPONENTS_LIST if not part.planned]
    app.page.get_by_text(f"All {len(built)} parts are healthy").wait_for()


def test_a_silent_part_is_not_shown_as_live(app: AppPage, served: Served) -> None:
    served.play(dwh={"since": seconds_ago(20)})
    app.wait_for_node("dwh", status="healthy", stale="yes")
    assert "nothing new for a while" in app.click_node("dwh")
    assert "Data warehouse has reported nothing new" in app.banner()


def test_old_kpis_are_grey(app: AppPage, served: Served) -> None:
    cards = app.page.locator("[data-kpi]")
    assert [("this minute" in text) for text in cards.all_inner_texts()] == [True] * 5
    served.play(kpis={"since": seconds_ago(40)})
    app.page.locator("[data-kpi].rt-old").nth(4).wait_for()
    assert all("last seen" in text for text in cards.all_inner_texts())


def test_over_the_turn_of_windows_no_number_falls_to_zero_or_disappears(app: AppPage, served: Served) -> None:
    served.play(window_seconds=4)
    app.page.locator("[data-kpi]", has_text="this window of 4 s").nth(4).wait_for(timeout=20_000)
    for name, number in (("Graph", ".rt-card .rt-number"), ("Live", ".rt-number")):
        app.page.locator(".rt-nav button", has_text=name).click()
        app.page.evaluate(RECORD, number)
        app.page.wait_for_function("() => window.rtSeen.turns >= 3", timeout=40_000)
        shown = app.page.evaluate("() => [...window.rtSeen.numbers]")
        assert shown and not {"0", "–", ""} & set(shown)
    app.page.locator(".rt-nav button", has_text="Graph").click()


def test_a_failing_view_shows_its_error_and_recovers(app: AppPage, served: Served) -> None:
    served.play(**{"raise": "the script says so"})
    app.page.get_by_text("The picture is not being refreshed").wait_for()
    served.play()
    app.page.get_by_text("The picture is not being refreshed").wait_for(state="detached")


def test_the_graph_follows_the_size_of_the_window(app: AppPage) -> None:
    try:
        app.page.set_viewport_size({"width": 1920, "height": 1080})
        app.page.wait_for_function(
            "nodes => { const box = document.querySelector('.rt-graph').getBoundingClientRect();"
            " const all = eval(nodes)(); return all.dashboard.x > box.right - 160 && all.dashboard.x < box.right }",
            arg=f"({NODES})",
            timeout=10_000,
        )
        assert "Events topic" in app.click_node("events")
    finally:
        app.page.set_viewport_size({"width": 1280, "height": 720})


def test_a_silent_kernel_is_reported_on_the_page(app: AppPage, served: Served) -> None:
    warning = app.page.locator(".rt-watchdog")
    app.page.wait_for_function("() => document.querySelector('.rt-watchdog')")
    assert not warning.is_visible()
    served.process.send_signal(signal.SIGSTOP)  # no update reaches the page any more
    try:
        warning.wait_for(state="visible", timeout=20_000)
    finally:
        served.process.send_signal(signal.SIGCONT)
    warning.wait_for(state="hidden", timeout=20_000)


def test_a_kernel_ends_after_its_page_is_closed(serve: Callable[..., Served], chromium: Browser) -> None:
    own = serve(cull_seconds=15)  # longer than a page takes to open
    with open_app(own.url, chromium):
        assert own.kernels()

    @retry(retry=retry_if_result(bool), wait=wait_fixed(0.5), stop=stop_after_delay(60))
    def some_kernel_runs() -> bool:
        return bool(own.kernels())

    assert not some_kernel_runs()


def test_an_error_in_the_notebook_shows_what_to_do_and_hides_its_traceback(
    serve: Callable[..., Served], chromium: Browser
) -> None:
    own = serve("raise RuntimeError('a secret place')")
    page = chromium.new_page()
    page.goto(own.url)
    page.get_by_text("rtlib doctor").first.wait_for(timeout=60_000)
    assert "a secret place" not in page.content()
    page.close()
    assert "a secret place" in (own.script.parent / "voila.log").read_text()


def test_the_same_widget_is_live_in_jupyterlab_even_while_a_cell_runs(tmp_path: Path, chromium: Browser) -> None:
    script, port = tmp_path / "script.json", free_port()
    script.write_text("{}")
    busy = "import time\nends = time.monotonic() + 6\nwhile time.monotonic() < ends: time.sleep(0.1)\nprint('done it')"
    notebook = write_notebook(tmp_path, CELL.format(tests=str(TESTS), script=str(script)), busy)
    with (tmp_path / "lab.log").open("w") as log:
        around = voila.environment(environment(tmp_path))
        lab = subprocess.Popen(lab_command(tmp_path, port), cwd=tmp_path, stdout=log, stderr=log, env=around)
    try:
        until_served(f"http://127.0.0.1:{port}/lab", lab)
        _look_in_lab(f"http://127.0.0.1:{port}/lab/tree/{notebook.name}", chromium)
    finally:
        lab.terminate()
        lab.wait(timeout=30)


def _look_in_lab(url: str, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 1500, "height": 1000})
    page.goto(url)
    page.locator(".jp-Notebook .jp-Cell").nth(1).wait_for(timeout=60_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_text("Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    app = AppPage(page)
    events = page.locator(".rt-events b")
    events.wait_for(timeout=60_000)
    before = events.inner_text()
    page.wait_for_function("before => document.querySelector('.rt-events b').innerText !== before", arg=before)
    assert page.get_by_text("done it", exact=True).count() == 0  # the cell still runs
    page.get_by_text("done it", exact=True).wait_for(timeout=30_000)
    page.locator(".rt-app").scroll_into_view_if_needed()
    assert "KPI query" in app.click_node("kpis")
    assert app.wide_titles() == []
    assert page.get_by_text("Would you like to get notified").count() == 0  # no request leaves the machine
    page.close()


def test_a_click_hits_its_card_after_an_output_above_the_graph_has_grown(app: AppPage) -> None:
    app.click_node("kpis")
    grown = app.page.evaluate_handle(GROW)
    try:
        assert "Rejected" in app.click_node("rejected")
    finally:
        grown.evaluate("block => block.remove()")


def test_the_page_keeps_its_connection_to_the_kernel(app: AppPage) -> None:
    # A click during a reconnection is lost. Jupyter's server checks its connections every 30 s.
    app.page.wait_for_function("since => performance.now() > since + 32_000", arg=app.connected_ms, timeout=40_000)
    assert app.broken == []


def test_the_page_loads_nothing_from_outside_and_logs_no_error(app: AppPage) -> None:
    assert app.page.title() == "rtlib, the pipeline live"
    assert app.outside == []
    assert app.complaints == []


def test_the_models_of_dbt_open_over_the_graph_and_close_again(app: AppPage) -> None:
    app.choose("dbt marts")
    app.read_panel("dbt")
    boxes = app.boxes()
    app.page.get_by_role("button", name="Models…").click()
    shown = app.page.locator(".rt-models svg")
    shown.wait_for()
    assert shown.get_by_text("interval_load", exact=True).first.is_visible()
    cut = "text => text.getBBox().width > text.parentNode.querySelector('rect').getBBox().width - 6"
    assert shown.locator("text").evaluate_all(f"all => all.filter({cut}).map(text => text.textContent)") == []
    assert app.boxes() == boxes
    app.page.get_by_role("button", name="Models…").click()
    shown.wait_for(state="hidden")
