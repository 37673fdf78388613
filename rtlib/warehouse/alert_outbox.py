"""Alert outbox: messages that the alerting service writes and the app reads; a crash loses no message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rtlib.warehouse.connection import execute, query, transaction
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Row = Mapping[str, Any]
MOMENTS = ("began_at", "raised_at", "judged_at", "delivered_at", "acknowledged_at")
_COLUMNS = (
    "alert_key", "domain", "site", "rule", "severity", "change", "title", "value", "unit", "threshold",
    "began_at", "raised_at", "judged_at", "evidence", "card",
)  # fmt: skip
# Joins a message with the message that raised its alert.
_ITS_ALERT = (
    "raised.change = 'raised' and raised.domain = message.domain and raised.site = message.site "
    "and raised.rule = message.rule and raised.raised_at = message.raised_at"
)


def record(connection: SnowflakeConnection, domain: str, alerts: Sequence[Row], memory: Mapping[str, Any]) -> None:
    """Write new messages and the state of the service in one transaction; existing messages are skipped.

    An alert whose rule is muted at its site is stored but not sent. A recovery follows its alert: it is sent if the
    alert was, muted in the meantime or not, and else it is not.

    Args:
        connection: An open connection.
        domain: Name of the domain.
        alerts: Rows with ``_COLUMNS``; moments are aware, ``evidence`` is a mapping, ``card`` is the card to send.
        memory: State with which the service resumes.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing has changed.
    """
    now = moment_text(datetime.now(UTC))
    with transaction(connection):
        for row in sorted(alerts, key=lambda row: row["change"] == "recovered"):
            _insert(connection, row, now)
        if alerts:
            _drop_orphaned_recoveries(connection)
        execute(connection, "delete from OPS.ALERT_MEMORY where domain = ?", (domain,))
        execute(connection, "insert into OPS.ALERT_MEMORY values (?, ?, ?)", (domain, json.dumps(memory), now))


def _insert(connection: SnowflakeConnection, row: Row, now: str) -> None:
    marks = ", ".join("parse_json(?)" if name == "evidence" else "?" for name in _COLUMNS)
    values = [_plain(row[name]) for name in _COLUMNS]
    key = (row["domain"], row["site"], row["rule"])
    if row["change"] == "recovered":
        muted = "OPS.ALERTS where domain = ? and site = ? and rule = ? and raised_at = cast(? as timestamp_ntz)"
        muted, since = f"{muted} and change = 'raised' and status = 'muted'", moment_text(row["raised_at"])
    else:
        muted = "OPS.ALERT_MUTES where domain = ? and site = ? and rule = ? and muted_until > cast(? as timestamp_ntz)"
        since = now
    execute(
        connection,
        f"insert into OPS.ALERTS ({', '.join(_COLUMNS)}, status, attempts, reason) select {marks}, "
        f"iff(exists (select 1 from {muted}), 'muted', 'pending'), 0, '' "
        "where not exists (select 1 from OPS.ALERTS where alert_key = ?)",
        (*values, *key, since, row["alert_key"]),
    )


def _drop_orphaned_recoveries(connection: SnowflakeConnection) -> None:
    """Give up pending recoveries whose alert was given up, because readers never saw that alert."""
    execute(
        connection,
        "update OPS.ALERTS as message set status = 'undelivered', reason = 'the alert itself was not delivered' "
        "where message.change = 'recovered' and message.status = 'pending' "
        f"and exists (select 1 from OPS.ALERTS as raised where raised.status = 'undelivered' and {_ITS_ALERT})",
    )


def memory(connection: SnowflakeConnection, domain: str) -> dict[str, Any] | None:
    """The stored state of the service; None before its first window."""
    rows = query(connection, "select memory from OPS.ALERT_MEMORY where domain = ?", (domain,))
    return json.loads(rows[0]["memory"]) if rows else None


def pending(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """Messages to send: ``alert_key``, ``card`` and ``attempts``.

    The oldest come first, then those with failed attempts. A recovery waits for its alert.
    """
    return query(
        connection,
        "select message.alert_key, message.card, message.attempts from OPS.ALERTS as message "
        "left join OPS.ALERTS as raised "
        f"on raised.status = 'pending' and message.change = 'recovered' and {_ITS_ALERT} "
        "where message.domain = ? and message.status = 'pending' and raised.alert_key is null "
        "order by message.attempts > 0, message.judged_at, message.alert_key",
        (domain,),
    )


def note_delivery(
    connection: SnowflakeConnection, key: str, *, taken: bool, attempts: int, reason: str, again: bool = False
) -> None:
    """Store the result of an attempt to send a message; with ``again`` it stays in the outbox."""
    given_up = not taken and not again
    execute(
        connection,
        "update OPS.ALERTS set status = ?, attempts = ?, reason = ?, delivered_at = cast(? as timestamp_ntz) "
        "where alert_key = ?",
        (
            "delivered" if taken else "undelivered" if given_up else "pending",
            attempts,
            reason,
            moment_text(datetime.now(UTC)) if taken else None,
            key,
        ),
    )
    if given_up:
        _drop_orphaned_recoveries(connection)


def recent(connection: SnowflakeConnection, domain: str, *, limit: int = 50) -> list[dict[str, Any]]:
    """The newest messages of a domain, with aware moments and ``evidence`` as a mapping."""
    rows = query(
        connection,
        f"select {', '.join(_COLUMNS)}, status, attempts, reason, delivered_at, acknowledged_at "
        f"from OPS.ALERTS where domain = ? order by judged_at desc, alert_key limit {int(limit)}",
        (domain,),
    )
    return [_message(row) for row in rows]


def unmeasured_since(row: Row) -> datetime | None:
    """The time of the last measurement, for an alert that ended because its number is no longer measured; else None."""
    since = row["evidence"].get("unmeasured_since")
    return datetime.fromisoformat(since) if since else None


def counts(connection: SnowflakeConnection, domain: str) -> dict[str, int]:
    """Numbers of messages: raised, recovered (``over``), delivered, undelivered, pending and muted."""
    row = query(
        connection,
        "select count_if(change = 'raised') as raised, count_if(change = 'recovered') as over, "
        "count_if(status = 'delivered') as delivered, count_if(status = 'undelivered') as undelivered, "
        "count_if(status = 'pending') as pending, count_if(status = 'muted') as muted "
        "from OPS.ALERTS where domain = ?",
        (domain,),
    )[0]
    return {name: int(value or 0) for name, value in row.items()}


def acknowledge(connection: SnowflakeConnection, key: str) -> None:
    """Mark an alert as acknowledged; the first acknowledgement counts."""
    execute(
        connection,
        "update OPS.ALERTS set acknowledged_at = cast(? as timestamp_ntz) where alert_key = ? "
        "and acknowledged_at is null",
        (moment_text(datetime.now(UTC)), key),
    )


def mute(connection: SnowflakeConnection, domain: str, site: str, rule: str, *, until: datetime) -> None:
    """Send no cards for a rule at a site until a moment; the alerts are still stored.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing has changed.
    """
    with transaction(connection):
        execute(
            connection, "delete from OPS.ALERT_MUTES where domain = ? and site = ? and rule = ?", (domain, site, rule)
        )
        execute(connection, "insert into OPS.ALERT_MUTES values (?, ?, ?, ?)", (domain, site, rule, moment_text(until)))


def mutes(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """The active mutes, the first to end first: ``site``, ``rule``, ``title`` and ``until``."""
    rows = query(
        connection,
        "select mutes.site, mutes.rule, mutes.muted_until, max(alerts.title) as title from OPS.ALERT_MUTES as mutes "
        "left join OPS.ALERTS as alerts "
        "on alerts.domain = mutes.domain and alerts.site = mutes.site and alerts.rule = mutes.rule "
        "where mutes.domain = ? and mutes.muted_until > cast(? as timestamp_ntz) "
        "group by mutes.site, mutes.rule, mutes.muted_until order by mutes.muted_until, mutes.site, mutes.rule",
        (domain, moment_text(datetime.now(UTC))),
    )
    return [
        {
            "site": row["site"],
            "rule": row["rule"],
            "title": row["title"] or f"{row['rule']}, {row['site']}",
            "until": row["muted_until"].replace(tzinfo=UTC),
        }
        for row in rows
    ]


def unmute(connection: SnowflakeConnection, domain: str, site: str, rule: str) -> None:
    """End the mute of a rule at a site."""
    execute(connection, "delete from OPS.ALERT_MUTES where domain = ? and site = ? and rule = ?", (domain, site, rule))


def send_again(connection: SnowflakeConnection, key: str) -> None:
    """Put an undelivered alert and its recovery back into the outbox, without earlier attempts."""
    execute(
        connection,
        "update OPS.ALERTS as message set status = 'pending', attempts = 0, reason = '' "
        "where message.status = 'undelivered' "
        f"and exists (select 1 from OPS.ALERTS as raised where raised.alert_key = ? and {_ITS_ALERT})",
        (key,),
    )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return moment_text(value)
    return json.dumps(value) if isinstance(value, Mapping) else value


def _message(row: Row) -> dict[str, Any]:
    evidence = row["evidence"]
    moments = {name: row[name].replace(tzinfo=UTC) if row[name] else None for name in MOMENTS}
    return {**row, **moments, "evidence": json.loads(evidence) if isinstance(evidence, str) else dict(evidence or {})}
