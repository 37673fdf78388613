"""Draw docs/teams-card.png: an alert and its recovery, as the local receiver shows them.

Run it after a change to the cards or their page: ``.venv/bin/python scripts/draw_teams_card.py``. The code of the real
alerts makes the cards from numbers measured earlier, and Microsoft's renderer draws them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import uvicorn
from pydantic import SecretStr

from rtlib.alerts import Alert, Change, card, message, rules_of
from rtlib.alerts.address import ReceiverAddress
from rtlib.alerts.receiver import Receiver
from rtlib.alerts.receiver_web import web_app
from rtlib.domains import load_domain
from rtlib.errors import ConfigError
from rtlib.pipeline.workers.alert_text import advice, site_title, site_zone
from rtlib.services.browser import find_browser
from rtlib.warehouse.plan_status import Shortage

TARGET = Path(__file__).resolve().parents[1] / "docs" / "teams-card.png"
SITE, RAISED = "richmond-macdonald-ave", datetime(2026, 3, 2, 15, 1, tzinfo=UTC)
ENOUGH = Shortage(0.0, None)


def cards() -> Iterator[dict[str, Any]]:
    """The two cards, the older first."""
    domain = load_domain("curbside")
    rule = next(rule for rule in rules_of(domain) if rule.name == "long-wait")
    begin = RAISED - timedelta(minutes=1)
    for change, value, events, minutes in ((Change.RAISED, 25.4, 7412, 0), (Change.RECOVERED, 4.35, 306, 3)):
        at = RAISED + timedelta(minutes=minutes)
        alert = Alert(domain.name, SITE, rule, change, value, begin, at, RAISED, {"events": events})
        words, link = advice(alert, domain, ENOUGH), "http://127.0.0.1:18866/?node=kpis"
        yield card(alert, site=site_title(domain, SITE), advice=words, link=link, zone=site_zone(domain, SITE))


@contextmanager
def shown() -> Iterator[str]:
    """Start a receiver that has accepted the cards; yields the address of its page."""
    receiver, secret = Receiver(), SecretStr(token_urlsafe())
    for body in cards():
        status, why = receiver.take(message(body))
        assert status == 202, why
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(web_app(receiver, secret), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield ReceiverAddress(f"http://127.0.0.1:{listening.getsockname()[1]}", secret).page.get_secret_value()
        server.should_exit = True
        thread.join(timeout=10)


def draw(target: Path) -> None:
    """Take a screenshot of the page, as wide as a Teams channel."""
    from playwright.sync_api import sync_playwright

    browser = find_browser()
    if browser is None:
        raise ConfigError("no browser was found", cure="rtlib doctor --browser --install")
    with shown() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(browser), args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 600, "height": 520}, color_scheme="light")
        page.goto(address)
        page.get_by_text("2 cards, the newest first").wait_for()
        page.screenshot(path=str(target), full_page=True)
        chromium.close()


if __name__ == "__main__":
    draw(TARGET)
