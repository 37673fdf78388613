"""The outbox of alerts: written once, sent from there, muted, acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rtlib.errors import WarehouseError
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import execute

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def message(key: str, **fields: Any) -> dict[str, Any]:
    row = {
        "alert_key": key, "domain": "curbside", "site": "north", "rule": "long-wait", "severity": "critical",
        "change": "raised", "title": "Mean wait, North", "value": 12.5, "unit": "min", "threshold": 10.0,
        "began_at": NOON, "raised_at": NOON, "judged_at": NOON, "evidence": {"events": 20, "note": "it's \"so\""},
        "card": "{}",
    }  # fmt: skip
    return {**row, **fields}


@pytest.fixture
def connection(warehouse: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    for table in ("OPS.ALERTS", "OPS.ALERT_MEMORY", "OPS.ALERT_MUTES"):
        execute(warehouse, f"delete from {table}")
    yield warehouse


def test_a_message_is_written_once_and_the_memory_with_it(connection: SnowflakeConnection) -> None:
    assert alert_outbox.memory(connection, "curbside") is None
    for number in (1, 2):
        alert_outbox.record(connection, "curbside", [message("a")], {"until": number})
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["a"]
    assert alert_outbox.memory(connection, "curbside") == {"until": 2}
    (stored,) = alert_outbox.recent(connection, "curbside")
    assert stored["evidence"] == {"events": 20, "note": 'it\'s "so"'}
    assert (stored["judged_at"], stored["status"], stored["acknowledged_at"]) == (NOON, "pending", None)


def test_a_statement_that_fails_leaves_neither_message_nor_memory(connection: SnowflakeConnection) -> None:
    with pytest.raises(WarehouseError):
        alert_outbox.record(connection, "curbside", [message("a"), message("b", value=None)], {"until": 1})
    assert alert_outbox.pending(connection, "curbside") == []
    assert alert_outbox.memory(connection, "curbside") is None


def test_the_delivery_of_a_message_is_stored_and_it_is_not_sent_again(connection: SnowflakeConnection) -> None:
    alert_outbox.record(connection, "curbside", [message("a"), message("b", judged_at=NOON + timedelta(minutes=1))], {})
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["a", "b"]
    alert_outbox.note_delivery(connection, "a", taken=True, attempts=1, reason="")
    alert_outbox.note_delivery(connection, "b", taken=False, attempts=5, reason="HTTP 503")
    assert alert_outbox.pending(connection, "curbside") == []
    newest, older = alert_outbox.recent(connection, "curbside")
    assert (newest["status"], newest["attempts"], newest["reason"], newest["delivered_at"]) == (
        "undelivered", 5, "HTTP 503", None,
    )  # fmt: skip
    assert older["status"] == "delivered" and older["delivered_at"] is not None
    counts = alert_outbox.counts(connection, "curbside")
    assert (counts["raised"], counts["delivered"], counts["undelivered"], counts["pending"]) == (2, 1, 1, 0)


def test_a_muted_rule_sends_nothing_for_its_site_until_the_mute_ends(connection: SnowflakeConnection) -> None:
    now = datetime.now(UTC)
    alert_outbox.mute(connection, "curbside", "north", "long-wait", until=now + timedelta(hours=1))
    alert_outbox.record(connection, "curbside", [message("a"), message("b", site="south")], {})
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["b"]
    assert {row["alert_key"]: row["status"] for row in alert_outbox.recent(connection, "curbside")}["a"] == "muted"
    alert_outbox.mute(connection, "curbside", "north", "long-wait", until=now - timedelta(seconds=1))
    alert_outbox.record(connection, "curbside", [message("c")], {})
    assert {row["alert_key"] for row in alert_outbox.pending(connection, "curbside")} == {"b", "c"}


RAISED, OVER = {"change": "raised"}, {"change": "recovered", "judged_at": NOON + timedelta(minutes=9)}


def test_the_recovery_of_a_sent_alert_is_sent_although_it_was_muted_since(connection: Any) -> None:
    alert_outbox.record(connection, "curbside", [message("a", **RAISED)], {})
    alert_outbox.mute(connection, "curbside", "north", "long-wait", until=datetime.now(UTC) + timedelta(hours=1))
    alert_outbox.note_delivery(connection, "a", taken=True, attempts=1, reason="")
    alert_outbox.record(connection, "curbside", [message("b", **OVER)], {})
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["b"]


def test_the_recovery_of_a_muted_alert_is_not_sent_although_the_mute_has_ended(connection: Any) -> None:
    alert_outbox.mute(connection, "curbside", "north", "long-wait", until=datetime.now(UTC) + timedelta(hours=1))
    alert_outbox.record(connection, "curbside", [message("a", **RAISED)], {})
    alert_outbox.unmute(connection, "curbside", "north", "long-wait")
    alert_outbox.record(connection, "curbside", [message("b", **OVER)], {})
    assert alert_outbox.pending(connection, "curbside") == []
    assert {row["status"] for row in alert_outbox.recent(connection, "curbside")} == {"muted"}


def test_the_recovery_of_an_undelivered_alert_is_given_up(connection: Any) -> None:
    alert_outbox.record(connection, "curbside", [message("a", **RAISED)], {})
    alert_outbox.note_delivery(connection, "a", taken=False, attempts=8, reason="HTTP 503")
    alert_outbox.record(connection, "curbside", [message("b", **OVER), message("c", site="south", **OVER)], {})
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["c"]
    assert alert_outbox.recent(connection, "curbside")[0]["reason"] == "the alert itself was not delivered"


def test_a_mute_is_listed_until_it_ends_or_is_removed(connection: Any) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    alert_outbox.record(connection, "curbside", [message("a")], {})
    alert_outbox.mute(connection, "curbside", "north", "long-wait", until=until)
    alert_outbox.mute(connection, "curbside", "south", "long-wait", until=until - timedelta(hours=2))
    alert_outbox.mute(connection, "iot", "north", "long-wait", until=until)
    mute = {"site": "north", "rule": "long-wait", "title": "Mean wait, North", "until": until}
    assert alert_outbox.mutes(connection, "curbside") == [mute]
    alert_outbox.unmute(connection, "curbside", "north", "long-wait")
    assert alert_outbox.mutes(connection, "curbside") == []


def test_a_postponed_message_is_sent_after_others_and_before_its_recovery(connection: Any) -> None:
    later = {"site": "south", "judged_at": NOON + timedelta(minutes=20)}
    alert_outbox.record(
        connection, "curbside", [message("b", **OVER), message("a", **RAISED), message("c", **later)], {}
    )
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["a", "c"]
    alert_outbox.note_delivery(connection, "a", taken=False, attempts=1, reason="HTTP 503", again=True)
    messages = alert_outbox.pending(connection, "curbside")
    assert [(row["alert_key"], int(row["attempts"])) for row in messages] == [("c", 0), ("a", 1)]
    alert_outbox.note_delivery(connection, "a", taken=True, attempts=2, reason="")
    assert [row["alert_key"] for row in alert_outbox.pending(connection, "curbside")] == ["b", "c"]


def test_an_undelivered_message_can_be_sent_again_and_a_delivered_message_cannot(connection: Any) -> None:
    alert_outbox.record(connection, "curbside", [message("a"), message("b")], {})
    alert_outbox.note_delivery(connection, "a", taken=False, attempts=8, reason="HTTP 503")
    alert_outbox.note_delivery(connection, "b", taken=True, attempts=1, reason="")
    for key in ("a", "b"):
        alert_outbox.send_again(connection, key)
    (stored,) = alert_outbox.pending(connection, "curbside")
    assert (stored["alert_key"], int(stored["attempts"])) == ("a", 0)


def test_an_alert_is_acknowledged_once(connection: SnowflakeConnection) -> None:
    alert_outbox.record(connection, "curbside", [message("a")], {})
    alert_outbox.acknowledge(connection, "a")
    (first,) = alert_outbox.recent(connection, "curbside")
    alert_outbox.acknowledge(connection, "a")
    (again,) = alert_outbox.recent(connection, "curbside")
    assert first["acknowledged_at"] == again["acknowledged_at"] is not None
