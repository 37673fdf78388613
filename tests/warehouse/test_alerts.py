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


RAISED, OVER = {"change": "raised"}, {"change": "recovered", "judged_at": NOON + timedelta(minutes=9)}


def test_that_an_alert_is_over_is_heard_by_who_heard_of_the_alert_though_it_was_muted_since(connection: Any) -> None:
    alerts.record(connection, "curbside", [message("a", **RAISED)], {})
    alerts.mute(connection, "curbside", "north", "long-wait", until=datetime.now(UTC) + timedelta(hours=1))
    alerts.note_delivery(connection, "a", taken=True, attempts=1, reason="")
    alerts.record(connection, "curbside", [message("b", **OVER)], {})
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["b"]


def test_that_a_muted_alert_is_over_is_told_to_nobody_though_the_mute_has_ended(connection: Any) -> None:
    alerts.mute(connection, "curbside", "north", "long-wait", until=datetime.now(UTC) + timedelta(hours=1))
    alerts.record(connection, "curbside", [message("a", **RAISED)], {})
    alerts.unmute(connection, "curbside", "north", "long-wait")
    alerts.record(connection, "curbside", [message("b", **OVER)], {})
    assert alerts.pending(connection, "curbside") == []
    assert {one["status"] for one in alerts.recent(connection, "curbside")} == {"muted"}


def test_that_an_alert_is_over_is_given_up_where_the_alert_itself_did_not_arrive(connection: Any) -> None:
    alerts.record(connection, "curbside", [message("a", **RAISED)], {})
    alerts.note_delivery(connection, "a", taken=False, attempts=8, reason="HTTP 503")
    alerts.record(connection, "curbside", [message("b", **OVER), message("c", site="south", **OVER)], {})
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["c"]
    assert alerts.recent(connection, "curbside")[0]["reason"] == "the alert itself was not delivered"


def test_a_mute_is_listed_with_its_end_until_it_is_over_or_taken_back(connection: Any) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    alerts.record(connection, "curbside", [message("a")], {})
    alerts.mute(connection, "curbside", "north", "long-wait", until=until)
    alerts.mute(connection, "curbside", "south", "long-wait", until=until - timedelta(hours=2))
    alerts.mute(connection, "iot", "north", "long-wait", until=until)
    told = {"site": "north", "rule": "long-wait", "title": "Mean wait, North", "until": until}
    assert alerts.mutes(connection, "curbside") == [told]
    alerts.unmute(connection, "curbside", "north", "long-wait")
    assert alerts.mutes(connection, "curbside") == []


def test_a_message_that_was_put_off_lets_others_go_first_and_its_recovery_waits_for_it(connection: Any) -> None:
    later = {"site": "south", "judged_at": NOON + timedelta(minutes=20)}
    alerts.record(connection, "curbside", [message("b", **OVER), message("a", **RAISED), message("c", **later)], {})
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["a", "c"]
    alerts.note_delivery(connection, "a", taken=False, attempts=1, reason="HTTP 503", again=True)
    told = alerts.pending(connection, "curbside")
    assert [(one["alert_key"], int(one["attempts"])) for one in told] == [("c", 0), ("a", 1)]
    alerts.note_delivery(connection, "a", taken=True, attempts=2, reason="")
    assert [one["alert_key"] for one in alerts.pending(connection, "curbside")] == ["b", "c"]


def test_a_message_that_was_given_up_can_be_sent_again_and_a_delivered_one_cannot(connection: Any) -> None:
    alerts.record(connection, "curbside", [message("a"), message("b")], {})
    alerts.note_delivery(connection, "a", taken=False, attempts=8, reason="HTTP 503")
    alerts.note_delivery(connection, "b", taken=True, attempts=1, reason="")
    for key in ("a", "b"):
        alerts.send_again(connection, key)
    (told,) = alerts.pending(connection, "curbside")
    assert (told["alert_key"], int(told["attempts"])) == ("a", 0)


def test_an_alert_is_acknowledged_once(connection: SnowflakeConnection) -> None:
    alerts.record(connection, "curbside", [message("a")], {})
    alerts.acknowledge(connection, "a")
    (first,) = alerts.recent(connection, "curbside")
    alerts.acknowledge(connection, "a")
    (again,) = alerts.recent(connection, "curbside")
    assert first["acknowledged_at"] == again["acknowledged_at"] is not None
