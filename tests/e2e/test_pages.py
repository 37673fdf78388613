"""Every page of the app in a real browser: readable, in one piece, reachable by keyboard, and open to everybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from support.app_page import AppPage, open_app
from support.served import Served

pytestmark = pytest.mark.e2e

PAGES = {
    "Graph": ".rt-graph canvas",
    "Live": ".rt-sites td",
    "Plan": ".rt-chart svg",
    "Alerts": ".rt-calls-list td",
    "Quality": ".rt-quality td",
}
# Text that lies over other text, or is cut without saying so. Ancestors do not count, nor what nobody sees.
FLAWS = """() => {
  const seen = e => { const b = e.getBoundingClientRect(), s = getComputedStyle(e);
    return b.width > 1 && b.height > 1 && s.visibility !== 'hidden' && Number(s.opacity) > 0
      && e.checkVisibility({ opacityProperty: true, visibilityProperty: true }); };
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const texts = [...document.querySelectorAll('.rt-app *')].filter(e => own(e) && seen(e)
    && !e.closest('.rt-graph, option, style, .rt-pulse'));
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

TALL = "page.scrollHeight > page.clientHeight"  # a list of cards may be longer than what is seen of it


@pytest.fixture(scope="module", params=["light", "dark"])
def app(request: pytest.FixtureRequest, served: Served, chromium: Browser) -> Iterator[AppPage]:
    with open_app(served.url, chromium) as opened:
        if request.param == "dark":
            opened.page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
        yield opened


def turn(app: AppPage, name: str) -> None:
    """Turn to a page, and wait until its content is there."""
    app.page.locator(".rt-nav button", has_text=name).click()
    app.page.locator(PAGES[name]).first.wait_for()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
def test_no_text_is_cut_or_lies_over_another(app: AppPage, name: str, width: int, height: int) -> None:
    app.page.set_viewport_size({"width": width, "height": height})
    turn(app, name)
    assert app.page.evaluate(FLAWS) == []


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(app: AppPage, name: str) -> None:
    turn(app, name)
    found = Axe().run(app.page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert {one["id"]: [node["html"][:160] for node in one["nodes"]] for one in serious} == {}


def test_the_header_stays_where_it_is_from_page_to_page(app: AppPage) -> None:
    # In one step: between finding the header and measuring it, an update may have put a new one in its place.
    measured = "JSON.stringify(document.querySelector('.rt-header').getBoundingClientRect())"
    before = app.page.evaluate(measured)
    for name in PAGES:
        turn(app, name)
        assert app.page.evaluate(measured) == before


def test_the_pages_can_be_turned_with_the_keyboard_alone(app: AppPage) -> None:
    turn(app, "Graph")
    app.page.locator(".rt-nav button", has_text="Graph").focus()
    app.page.keyboard.press("Tab")
    app.page.keyboard.press("Enter")
    app.page.locator(PAGES["Live"]).first.wait_for()
    assert app.page.locator(".rt-nav button.mod-active").inner_text() == "Live"


def test_an_alert_that_is_acknowledged_is_no_longer_to_be_seen_to(
    serve: Callable[..., Served], chromium: Browser
) -> None:
    with open_app(serve().url, chromium) as app:
        turn(app, "Alerts")
        assert app.page.locator(".rt-calls-bar option").count() == 2
        app.page.get_by_role("button", name="Acknowledge").click()
        app.page.get_by_text("seen to").first.wait_for()
        app.page.wait_for_function("document.querySelectorAll('.rt-calls-bar option').length === 1")


def test_a_mute_is_shown_with_its_end_and_can_be_taken_back_and_a_lost_card_can_be_sent_again(
    serve: Callable[..., Served], chromium: Browser
) -> None:
    with open_app(serve().url, chromium) as app:
        turn(app, "Alerts")
        again = app.page.get_by_role("button", name="Send again")
        app.page.get_by_text("no answer (ConnectionError)").first.wait_for()
        again.click()
        app.page.get_by_text("no answer (ConnectionError)").first.wait_for(state="detached")
        expect(again).to_be_disabled()  # it was delivered
        app.page.get_by_role("button", name="Mute for 1 hour").click()
        muted = app.page.get_by_text(re.compile(r"Mean wait, Oakland, 3rd Street: muted until \d\d:\d\d UTC"))
        muted.wait_for()
        assert app.page.evaluate(FLAWS) == []
        app.page.get_by_role("button", name="Unmute").click()
        muted.wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_cards_as_the_channel_shows_them_are_readable_and_open_to_everybody(
    app: AppPage, chromium: Browser, scheme: str
) -> None:
    turn(app, "Alerts")
    frame = app.page.locator(".rt-calls-cards iframe")
    app.page.frame_locator(".rt-calls-cards iframe").get_by_text("2 cards, the newest first").wait_for()
    # Alone, as wide as it is there: axe sees into no frame.
    page = chromium.new_page(color_scheme=scheme, viewport={"width": 440, "height": 620})
    page.goto(str(frame.get_attribute("src")))
    page.get_by_text("Over: Mean wait").wait_for()
    assert page.evaluate(FLAWS.replace(".rt-app *", "body *").replace(TALL, "false")) == []
    serious = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert {one["id"]: [node["html"][:160] for node in one["nodes"]] for one in serious} == {}
    page.close()


def test_the_address_of_a_card_opens_the_part_it_speaks_of(served: Served, chromium: Browser) -> None:
    with open_app(f"{served.url}/?node=alerts", chromium) as app:
        assert "Teams alerts" in app.read_panel("alerts")
    with open_app(f"{served.url}/?node=nonsense", chromium) as app:
        assert "From event to answer" in app.read_panel("")


def test_a_question_about_a_part_is_answered_in_its_panel(app: AppPage) -> None:
    turn(app, "Graph")
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
def test_a_question_is_answered_on_the_page_that_shows_what_it_is_about(
    app: AppPage, name: str, choice: str, about: str
) -> None:
    turn(app, name)
    asker = app.page.locator(".rt-asker:visible")
    if choice:
        asker.get_by_label("What it is about").select_option(label=choice)
    asker.get_by_role("button", name="Ask", exact=True).click()
    asker.locator(".rt-answer", has_text=f"You asked about {about}").wait_for()
    assert app.page.evaluate(FLAWS) == []
