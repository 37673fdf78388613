"""Delivery of the alert outbox, for every answer of the channel; and the wording of a card."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from rtlib.alerts import Alert, Change, Delivery, Teams, rules_of
from rtlib.domains import load_domain
from rtlib.pipeline.workers.alert_text import advice, site_zone
from rtlib.pipeline.workers.delivery import deliver
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import Warehouse, execute
from rtlib.warehouse.plan_status import Shortage

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from support.warehouse_server import WarehouseServer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PUT_OFF = Delivery(False, 1, "HTTP 503", again=True)


class Channel:
    """A channel with prepared answers, which accepts every further card."""

    def __init__(self, *answers: Delivery) -> None:
        self._answers, self.posts = list(answers), list[tuple[str, int]]()

    def post(self, body: bytes, *, attempts: int = 0) -> Delivery:
        self.posts.append((body.decode(), attempts))
        return self._answers.pop(0) if self._answers else Delivery(True, attempts + 1)


@pytest.fixture
def send(warehouse: SnowflakeConnection, warehouse_server: WarehouseServer) -> Iterator[Callable[[Channel], int]]:
    """A round of the sender over an outbox with an alert, its recovery, and an alert of another site."""
    execute(warehouse, "delete from OPS.ALERTS")
    rows = [row("a", "raised", "north", 0), row("b", "recovered", "north", 9), row("c", "raised", "south", 5)]
    alert_outbox.record(warehouse, "curbside", rows, {})
    store = Warehouse(warehouse_server.settings)
    yield lambda channel: deliver(warehouse_server.settings, store, cast(Teams, channel), threading.Event())
    store.close()


def row(key: str, change: str, site: str, minute: int) -> dict[str, Any]:
    return {
        "alert_key": key, "domain": "curbside", "site": site, "rule": "long-wait", "severity": "critical",
        "change": change, "title": "Mean wait", "value": 12.5, "unit": "min", "threshold": 10.0, "began_at": NOON,
        "raised_at": NOON, "judged_at": NOON + timedelta(minutes=minute), "evidence": {}, "card": f'"card {key}"',
    }  # fmt: skip


def cards(channel: Channel) -> list[tuple[str, int]]:
    """The keys of the cards in the order of arrival, each with its number of earlier attempts."""
    return [(body.partition("card ")[2][0], attempts) for body, attempts in channel.posts]


def test_the_end_of_an_alert_for_lack_of_measurements_is_worded_without_thanks() -> None:
    domain = load_domain("curbside")
    over = Alert("curbside", "all", rules_of(domain)[0], Change.RECOVERED, 12.5, NOON, NOON, NOON)
    silent = replace(over, unmeasured_since=NOON)
    assert "Nothing more to do" in advice(over, domain, Shortage(None, None))
    assert "its present state is unknown" in advice(silent, domain, Shortage(None, None))


def test_the_advice_gives_the_busiest_interval_by_the_clocks_of_the_domain() -> None:
    domain = load_domain("curbside")
    up = Alert("curbside", "all", rules_of(domain)[0], Change.RAISED, 12.5, NOON, NOON, NOON)
    words = advice(up, domain, Shortage(3.0, NOON + timedelta(hours=1)))
    assert "3 × curb-side runner more than planned for are needed at 05:00 in Los Angeles." in words


def test_the_zone_of_a_card_is_that_of_its_site_or_of_the_domain() -> None:
    domain = load_domain("ecommerce")
    assert [site_zone(domain, site) for site in ("shop-india", "all")] == ["Asia/Kolkata", "Europe/Berlin"]


def test_a_recovery_follows_its_alert(send: Callable[[Channel], int]) -> None:
    channel = Channel()
    assert [send(channel) for _ in range(3)] == [2, 1, 0]
    assert cards(channel) == [("a", 0), ("c", 0), ("b", 0)]


def test_a_postponed_card_does_not_block_the_others_and_is_sent_again(send: Callable[[Channel], int]) -> None:
    channel = Channel(PUT_OFF)
    assert [send(channel) for _ in range(4)] == [1, 1, 1, 0]
    assert cards(channel) == [("a", 0), ("c", 0), ("a", 1), ("b", 0)]


def test_a_finally_refused_card_is_sent_again_on_request_together_with_its_recovery(
    send: Callable[[Channel], int], warehouse: SnowflakeConnection
) -> None:
    channel = Channel(Delivery(False, 1, "HTTP 404"))
    assert [send(channel) for _ in range(2)] == [1, 0]  # its recovery is not sent either
    alert_outbox.send_again(warehouse, "a")
    assert [send(channel) for _ in range(3)] == [1, 1, 0]
    assert cards(channel) == [("a", 0), ("c", 0), ("a", 0), ("b", 0)]
