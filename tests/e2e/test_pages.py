"""Every page of the app in a real browser: readable, without overlaps, reachable by keyboard, and accessible."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from support.app_page import AppPage, open_app
from support.served import Served

pytestmark = pytest.mark.e2e

PAGES = {
    "Graph": ".rt-graph canvas",
    "Live": ".rt-sites td",
    "Plan": ".rt-chart svg",
    "Alerts": ".rt-alerts-list td",
    "Quality": ".rt-quality td",
}
# Text that overlaps other text, or is cut off without an ellipsis. Ancestors and invisible elements do not count.
FLAWS = """() => {
  const seen = e => { const b = e.getBoundingClientRect(), s = getComputedStyle(e);
    return b.width > 1 && b.height > 1 && s.visibility !== 'hidden' && Number(s.opacity) > 0
      && e.checkVisibility({ opacityProperty: true, visibilityProperty: true }); };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const texts = [...document.querySelectorAll('.rt-app *')].filter(e => own(e) && seen(e)
    && !e.closest('.rt-graph, option, style, .rt-watchdog'));
  const clip = e => { let b = e.getBoundingClientRect(), box = { l: b.left, t: b.top, r: b.right, b: b.bottom };
    for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflow !== 'visible') {
      const q = p.getBoundingClientRect();
      box = { l: Math.max(box.l, q.left), t: Math.max(box.t, q.top), r: Math.min(box.r, q.right),
              b: Math.min(box.b, q.bottom) }; }
    return box; };
  const found = [], boxes = texts.map(clip);
  texts.forEach((a, i) => texts.slice(i + 1).forEach((b, j) => {
    if (a.contains(b) || b.contains(a)) return;
    const p = boxes[i], q = boxes[i + 1 + j];
    const w = Math.min(p.r, q.r) - Math.max(p.l, q.l), h = Math.min(p.b, q.b) - Math.max(p.t, q.t);
    if (w > 2 && h > 2) found.push(`overlap: ${[a, b].map(e => e.textContent.trim().slice(0, 30)).join(' | ')}`);
  }));
  for (const e of texts) { const s = getComputedStyle(e);
    if (s.overflowX === 'hidden' && s.textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1)
      found.push(`cut: ${e.textContent.trim().slice(0, 40)}`); }
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth || page.scrollHeight > page.clientHeight) found.push('the page scrolls');
  return found;
}"""

TALL = "page.scrollHeight > page.clientHeight"  # a list of cards may be longer than its window


@pytest.fixture(scope="module", params=["light", "dark"])
def app(request: pytest.FixtureRequest, served: Served, chromium: Browser) -> Iterator[AppPage]:
    """The app, opened by a link to a part that does not exist."""
    with open_app(f"{served.url}/?node=nonsense", chromium) as opened:
        assert "From event to answer" in opened.read_panel("")
        if request.param == "dark":
            opened.page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
        yield opened


def open_page(app: AppPage, name: str) -> None:
    """Open a page, and wait for its content."""
    app.page.locator(".rt-nav button", has_text=name).click()
    app.page.locator(PAGES[name]).first.wait_for()


def serious_violations(page: Page) -> dict[str, list[str]]:
    """The serious accessibility violations on a page: the rule, and the elements that break it."""
    found = Axe().run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return {violation["id"]: [node["html"][:160] for node in violation["nodes"]] for violation in serious}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_no_text_is_cut_off_or_overlaps_another(app: AppPage, name: str, width: int, height: int) -> None:
    app.page.set_viewport_size({"width": width, "height": height})
    open_page(app, name)
    assert app.page.evaluate(FLAWS) == []


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(app: AppPage, name: str) -> None:
    open_page(app, name)
    assert serious_violations(app.page) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Plan", "40 of 124 models and tests"),
        ("Alerts", "Mean wait at or above 10 min for 60 s"),
        ("Quality", "40 of 124 models and tests"),
    ],
)
def test_a_page_of_a_young_stack_shows_what_comes_and_no_command(
    app: AppPage, served: Served, name: str, text: str
) -> None:
    served.play(young=True)
    try:
        app.page.set_viewport_size({"width": 1280, "height": 720})
        open_page(app, "Graph")
        app.page.locator(".rt-nav button", has_text=name).click()
        shown = app.page.locator(".rt-page:visible")
        shown.get_by_text(text).first.wait_for(timeout=20_000)
        assert "rtlib " not in shown.inner_text()
        assert app.page.evaluate(FLAWS) == []
        assert serious_violations(app.page) == {}
    finally:
        served.play()


def test_the_ledger_is_taken_at_the_press_of_a_button(app: AppPage) -> None:
    open_page(app, "Quality")
    app.page.get_by_role("button", name="Check that no event is lost or doubled").click()
    app.page.get_by_text("reconciles: nothing lost, nothing doubled").wait_for()
    assert app.page.evaluate(FLAWS) == []
    assert serious_violations(app.page) == {}


def test_a_surge_is_made_from_the_page_of_alerts(app: AppPage) -> None:
    open_page(app, "Alerts")
    app.page.get_by_role("button", name="Make a surge").click()
    app.page.get_by_text("surge was done, and it came back after 7.5 s.").wait_for()


def test_the_order_of_the_sites_can_be_chosen(app: AppPage) -> None:
    open_page(app, "Live")
    names = app.page.locator(".rt-sites th[scope=row]")
    app.page.get_by_label("Order").select_option(label="By name")
    app.page.locator(".rt-sites th[scope=row] >> nth=0", has_text="Berkeley").wait_for()
    assert names.all_inner_texts() == sorted(names.all_inner_texts())
    app.page.get_by_label("Order").select_option(label="Worst first")


def test_the_header_has_the_same_place_on_every_page(app: AppPage) -> None:
    # In one step, because an update may replace the header between finding and measuring it.
    measured = "JSON.stringify(document.querySelector('.rt-header').getBoundingClientRect())"
    before = app.page.evaluate(measured)
    for name in PAGES:
        open_page(app, name)
        assert app.page.evaluate(measured) == before


def test_the_pages_can_be_opened_with_the_keyboard_alone(app: AppPage) -> None:
    open_page(app, "Graph")
    app.page.locator(".rt-nav button", has_text="Graph").focus()
    app.page.keyboard.press("Tab")
    app.page.keyboard.press("Enter")
    app.page.locator(PAGES["Live"]).first.wait_for()
    assert app.page.locator(".rt-nav button.mod-active").inner_text() == "Live"


def test_the_link_of_a_card_opens_its_part_and_each_action_on_an_alert_is_shown(
    served: Served, chromium: Browser
) -> None:
    with open_app(f"{served.url}/?node=alerts", chromium) as app:
        assert "Teams alerts" in app.read_panel("alerts")
        open_page(app, "Alerts")
        again = app.page.get_by_role("button", name="Send again")
        app.page.get_by_text("no answer (ConnectionError)").first.wait_for()
        again.click()
        app.page.get_by_text("no answer (ConnectionError)").first.wait_for(state="detached")
        expect(again).to_be_disabled()  # it was delivered
        app.page.get_by_role("button", name="Mute for 1 hour").click()
        muted = app.page.get_by_text(
            re.compile(r"Mean wait, Oakland, 3rd Street: muted until \d\d:\d\d in Los Angeles")
        )
        muted.wait_for()
        assert app.page.evaluate(FLAWS) == []
        app.page.get_by_role("button", name="Unmute").click()
        muted.wait_for(state="detached")
        assert app.page.locator(".rt-alerts-bar option").count() == 2
        app.page.get_by_role("button", name="Acknowledge").click()
        app.page.get_by_text(", acknowledged").first.wait_for()
        app.page.wait_for_function("document.querySelectorAll('.rt-alerts-bar option').length === 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_cards_in_the_channel_are_readable_and_accessible(app: AppPage, chromium: Browser, scheme: str) -> None:
    open_page(app, "Alerts")
    frame = app.page.locator(".rt-alerts-cards iframe")
    app.page.frame_locator(".rt-alerts-cards iframe").get_by_text("2 cards, the newest first").wait_for()
    # On a page of their own with the same width, because axe does not look into frames.
    page = chromium.new_page(color_scheme=scheme, viewport={"width": 440, "height": 620})
    page.goto(str(frame.get_attribute("src")))
    page.get_by_text("Over: Mean wait").wait_for()
    assert page.evaluate(FLAWS.replace(".rt-app *", "body *").replace(TALL, "false")) == []
    assert serious_violations(page) == {}
    page.close()


def test_a_question_about_a_part_is_answered_in_its_panel(app: AppPage) -> None:
    open_page(app, "Graph")
    app.choose("Events topic")
    app.read_panel("events")
    app.page.get_by_role("button", name="Ask…").click()
    app.page.get_by_role("button", name="Ask", exact=True).click()
    app.page.locator(".rt-answer", has_text="You asked about events").wait_for()
    app.page.get_by_role("button", name="Ask…").click()
    app.choose("The whole pipeline")


@pytest.mark.parametrize(
    ("name", "choice", "about"),
    [("Live", "Mean wait", "kpi:wait_minutes"), ("Plan", "All sites", "forecast:all"), ("Alerts", "", "alert:c")],
)
def test_a_question_is_answered_on_the_page_of_its_subject(app: AppPage, name: str, choice: str, about: str) -> None:
    open_page(app, name)
    panel = app.page.locator(".rt-ask:visible")
    if choice:
        panel.get_by_label("Subject").select_option(label=choice)
    panel.get_by_role("button", name="Ask", exact=True).click()
    panel.locator(".rt-answer", has_text=f"You asked about {about}").wait_for()
    assert app.page.evaluate(FLAWS) == []
