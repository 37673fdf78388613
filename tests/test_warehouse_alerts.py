"""The outbox of alerts: written once, sent from there, muted, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rtlib.errors import WarehouseError
from rtlib.warehouse import alerts
from rtlib.warehouse.connection import execute

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def message(key: str, **fields: Any) -> dict[str, Any]:
    told = {
        "alert_key": key, "domain": "curbside", "site": "north", "rule": "long-wait", "severity": "critical",
        "change": "raised", "title": "Mean wait, North", "value": 12.5, "unit": "min", "threshold": 10.0,
        "began_at": NOON, "raised_at": NOON, "judged_at": NOON, "evidence": {"events": 20, "note": "it's \"so\""},
        "card": "{}",
    }  # fmt: skip
    return {**told, **fields}


@pytest.fixture
def connection(warehouse: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    for table in ("OPS.ALERTS", "OPS.ALERT_MEMORY", "OPS.ALERT_MUTES"):
        execute(warehouse, f"delete from {table}")
    yield warehouse


def test_a_message_is_written_once_and_the_memory_with_it(connection: SnowflakeConnection) -> None:
    assert alerts.memory(connection, "curbside") is None
    for number in (1, 2):
        alerts.record(connection, "curbside", [message("a")], {"until": number})
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["a"]
    assert alerts.memory(connection, "curbside") == {"until": 2}
    (told,) = alerts.recent(connection, "curbside")
    assert told["evidence"] == {"events": 20, "note": 'it\'s "so"'}
    assert (told["judged_at"], told["status"], told["acknowledged_at"]) == (NOON, "pending", None)


def test_a_statement_that_fails_leaves_neither_message_nor_memory(connection: SnowflakeConnection) -> None:
    with pytest.raises(WarehouseError):
        alerts.record(connection, "curbside", [message("a"), message("b", value=None)], {"until": 1})
    assert alerts.pending(connection, "curbside") == []
    assert alerts.memory(connection, "curbside") is None


def test_what_became_of_a_message_is_noted_and_it_is_not_sent_again(connection: SnowflakeConnection) -> None:
    alerts.record(connection, "curbside", [message("a"), message("b", judged_at=NOON + timedelta(minutes=1))], {})
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["a", "b"]
    alerts.note_delivery(connection, "a", taken=True, attempts=1, reason="")
    alerts.note_delivery(connection, "b", taken=False, attempts=5, reason="HTTP 503")
    assert alerts.pending(connection, "curbside") == []
    newest, older = alerts.recent(connection, "curbside")
    assert (newest["status"], newest["attempts"], newest["reason"], newest["delivered_at"]) == (
        "undelivered", 5, "HTTP 503", None,
    )  # fmt: skip
    assert older["status"] == "delivered" and older["delivered_at"] is not None
    told = alerts.counts(connection, "curbside")
    assert (told["raised"], told["delivered"], told["undelivered"], told["pending"]) == (2, 1, 1, 0)


def test_a_muted_rule_calls_nobody_at_its_site_until_its_time_is_over(connection: SnowflakeConnection) -> None:
    now = datetime.now(UTC)
    alerts.mute(connection, "curbside", "north", "long-wait", until=now + timedelta(hours=1))
    alerts.record(connection, "curbside", [message("a"), message("b", site="south")], {})
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["b"]
    assert {one["alert_key"]: one["status"] for one in alerts.recent(connection, "curbside")}["a"] == "muted"
    alerts.mute(connection, "curbside", "north", "long-wait", until=now - timedelta(seconds=1))
    alerts.record(connection, "curbside", [message("c")], {})
    assert {one["alert_key"] for one in alerts.pending(connection, "curbside")} == {"b", "c"}


def test_an_alert_is_acknowledged_once(connection: SnowflakeConnection) -> None:
    alerts.record(connection, "curbside", [message("a")], {})
    alerts.acknowledge(connection, "a")
    (first,) = alerts.recent(connection, "curbside")
    alerts.acknowledge(connection, "a")
    (again,) = alerts.recent(connection, "curbside")
    assert first["acknowledged_at"] == again["acknowledged_at"] is not None
