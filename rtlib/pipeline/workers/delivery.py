"""Delivery: sends the cards of the outbox to Teams, oldest first, at least once."""

from __future__ import annotations

import json
import logging
import threading
from functools import partial

from pydantic import SecretStr

from rtlib.alerts import Teams, message
from rtlib.config import Settings
from rtlib.errors import WarehouseDamaged, WarehouseUnreachable
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import Warehouse

log = logging.getLogger(__name__)
SEND_SECONDS = 10.0  # the outbox is read at this interval even without a wake-up call


def webhook(settings: Settings) -> SecretStr:
    """The address for cards: Teams if a webhook is set, otherwise the receiver of this stack."""
    return settings.teams_webhook_url or receiver_address(settings).webhook


def send_pending(settings: Settings, stop: threading.Event, wake: threading.Event) -> None:
    """Send the cards of the outbox whenever ``wake`` is set, until ``stop`` is; waits while the warehouse is away."""

    def sleep(seconds: float) -> None:
        stop.wait(seconds)

    warehouse, teams = Warehouse(settings), Teams(webhook(settings), sleep=sleep)
    try:
        while not stop.is_set():
            wake.clear()
            try:
                sent = deliver(settings, warehouse, teams, stop)
            except (WarehouseUnreachable, WarehouseDamaged) as error:
                log.warning("no card can be sent: %s", error)
                sent = 0
            if not sent:
                wake.wait(SEND_SECONDS)
    finally:
        warehouse.close()


def deliver(settings: Settings, warehouse: Warehouse, teams: Teams, stop: threading.Event) -> int:
    """Send each pending card and record the result; a card that has to wait does not block the others.

    Returns:
        The number of cards accepted: their recoveries may be sent now.
    """
    accepted = 0
    for row in warehouse.run(alert_outbox.pending, settings.domain):
        if stop.is_set():
            return accepted
        delivery = teams.post(message(json.loads(row["card"])), attempts=int(row["attempts"]))
        if not delivery.taken and stop.is_set():
            return accepted  # interrupted, not refused; the next start sends it
        log.info("card %s: %s after %d attempts", row["alert_key"], delivery.reason or "accepted", delivery.attempts)
        record = partial(
            alert_outbox.note_delivery,
            key=row["alert_key"],
            taken=delivery.taken,
            attempts=delivery.attempts,
            reason=delivery.reason,
            again=delivery.again,
        )
        warehouse.run(record)
        accepted += delivery.taken
    return accepted
