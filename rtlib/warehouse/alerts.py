"""Alerts: what the alerting service writes and the app reads; an outbox, so that a crash loses no message."""

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


def record(connection: SnowflakeConnection, domain: str, alerts: Sequence[Row], memory: Mapping[str, Any]) -> None:
    """Write new messages and where the service is, in one transaction; a message that is there is not written again.

    A message whose rule is muted at its site is kept and will not be sent.

    Args:
        connection: An open connection.
        domain: Whose.
        alerts: Rows with ``_COLUMNS``; moments are aware, ``evidence`` is a mapping, ``card`` is what to send.
        memory: What the service needs to go on.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; then nothing has changed.
    """
    now = moment_text(datetime.now(UTC))
    with transaction(connection):
        for row in alerts:
            _insert(connection, row, now)
        execute(connection, "delete from OPS.ALERT_MEMORY where domain = ?", (domain,))
        execute(connection, "insert into OPS.ALERT_MEMORY values (?, ?, ?)", (domain, json.dumps(memory), now))


def _insert(connection: SnowflakeConnection, row: Row, now: str) -> None:
    marks = ", ".join("parse_json(?)" if name == "evidence" else "?" for name in _COLUMNS)
    values = [_plain(row[name]) for name in _COLUMNS]
    execute(
        connection,
        f"insert into OPS.ALERTS ({', '.join(_COLUMNS)}, status, attempts, reason) select {marks}, "
        "iff(exists (select 1 from OPS.ALERT_MUTES where domain = ? and site = ? and rule = ? "
        "and muted_until > cast(? as timestamp_ntz)), 'muted', 'pending'), 0, '' "
        "where not exists (select 1 from OPS.ALERTS where alert_key = ?)",
        (*values, row["domain"], row["site"], row["rule"], now, row["alert_key"]),
    )


def memory(connection: SnowflakeConnection, domain: str) -> dict[str, Any] | None:
    """What the service left to go on from; None before its first window."""
    rows = query(connection, "select memory from OPS.ALERT_MEMORY where domain = ?", (domain,))
    return json.loads(rows[0]["memory"]) if rows else None


def pending(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """Messages that are still to be sent, the oldest first: ``alert_key`` and ``card``."""
    return query(
        connection,
        "select alert_key, card from OPS.ALERTS where domain = ? and status = 'pending' order by judged_at, alert_key",
        (domain,),
    )


def note_delivery(connection: SnowflakeConnection, key: str, *, taken: bool, attempts: int, reason: str) -> None:
    """Write what became of a message."""
    execute(
        connection,
        "update OPS.ALERTS set status = ?, attempts = ?, reason = ?, delivered_at = cast(? as timestamp_ntz) "
        "where alert_key = ?",
        (
            "delivered" if taken else "undelivered",
            attempts,
            reason,
            moment_text(datetime.now(UTC)) if taken else None,
            key,
        ),
    )


def recent(connection: SnowflakeConnection, domain: str, *, limit: int = 50) -> list[dict[str, Any]]:
    """The newest messages of a domain, moments aware and ``evidence`` a mapping."""
    rows = query(
        connection,
        f"select {', '.join(_COLUMNS)}, status, attempts, reason, delivered_at, acknowledged_at "
        f"from OPS.ALERTS where domain = ? order by judged_at desc, alert_key limit {int(limit)}",
        (domain,),
    )
    return [_told(row) for row in rows]


def unmeasured_since(row: Row) -> datetime | None:
    """Since when the number is no longer measured, of an alert that is over for that reason; its value is the last."""
    told = row["evidence"].get("unmeasured_since")
    return datetime.fromisoformat(told) if told else None


def counts(connection: SnowflakeConnection, domain: str) -> dict[str, int]:
    """How many alerts are up and unacknowledged, were raised, were delivered and could not be."""
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
    """Note that somebody has seen to an alert; the first time counts."""
    execute(
        connection,
        "update OPS.ALERTS set acknowledged_at = cast(? as timestamp_ntz) where alert_key = ? "
        "and acknowledged_at is null",
        (moment_text(datetime.now(UTC)), key),
    )


def mute(connection: SnowflakeConnection, domain: str, site: str, rule: str, *, until: datetime) -> None:
    """Call nobody for a rule at a site until some moment; the alerts are kept all the same.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; then nothing has changed.
    """
    with transaction(connection):
        execute(
            connection, "delete from OPS.ALERT_MUTES where domain = ? and site = ? and rule = ?", (domain, site, rule)
        )
        execute(connection, "insert into OPS.ALERT_MUTES values (?, ?, ?, ?)", (domain, site, rule, moment_text(until)))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return moment_text(value)
    return json.dumps(value) if isinstance(value, Mapping) else value


def _told(row: Row) -> dict[str, Any]:
    evidence = row["evidence"]
    moments = {name: row[name].replace(tzinfo=UTC) if row[name] else None for name in MOMENTS}
    return {**row, **moments, "evidence": json.loads(evidence) if isinstance(evidence, str) else dict(evidence or {})}
