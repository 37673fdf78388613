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
# A message and the one that raised its alert.
_ITS_ALERT = (
    "up.change = 'raised' and up.domain = told.domain and up.site = told.site and up.rule = told.rule "
    "and up.raised_at = told.raised_at"
)


def record(connection: SnowflakeConnection, domain: str, alerts: Sequence[Row], memory: Mapping[str, Any]) -> None:
    """Write new messages and where the service is, in one transaction; a message that is there is not written again.

    An alert whose rule is muted at its site is kept and will not be sent. That it is over follows the alert: who heard
    of it hears of its end, muted since or not, and who did not hears of neither.

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
        for row in sorted(alerts, key=lambda row: row["change"] == "recovered"):
            _insert(connection, row, now)
        if alerts:
            _follow(connection)
        execute(connection, "delete from OPS.ALERT_MEMORY where domain = ?", (domain,))
        execute(connection, "insert into OPS.ALERT_MEMORY values (?, ?, ?)", (domain, json.dumps(memory), now))


def _insert(connection: SnowflakeConnection, row: Row, now: str) -> None:
    marks = ", ".join("parse_json(?)" if name == "evidence" else "?" for name in _COLUMNS)
    values = [_plain(row[name]) for name in _COLUMNS]
    of = (row["domain"], row["site"], row["rule"])
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
        (*values, *of, since, row["alert_key"]),
    )


def _follow(connection: SnowflakeConnection) -> None:
    """Give up the message that an alert is over where the alert itself was given up: nobody would know of what."""
    execute(
        connection,
        "update OPS.ALERTS as told set status = 'undelivered', reason = 'the alert itself was not delivered' "
        "where told.change = 'recovered' and told.status = 'pending' "
        f"and exists (select 1 from OPS.ALERTS as up where up.status = 'undelivered' and {_ITS_ALERT})",
    )


def memory(connection: SnowflakeConnection, domain: str) -> dict[str, Any] | None:
    """What the service left to go on from; None before its first window."""
    rows = query(connection, "select memory from OPS.ALERT_MEMORY where domain = ?", (domain,))
    return json.loads(rows[0]["memory"]) if rows else None


def pending(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """Messages that are still to be sent: ``alert_key``, ``card`` and ``attempts``.

    The oldest come first, after them those that were tried already. That an alert is over waits for the alert itself.
    """
    return query(
        connection,
        "select told.alert_key, told.card, told.attempts from OPS.ALERTS as told "
        "left join OPS.ALERTS as up on up.status = 'pending' and told.change = 'recovered' and " + _ITS_ALERT + " "
        "where told.domain = ? and told.status = 'pending' and up.alert_key is null "
        "order by told.attempts > 0, told.judged_at, told.alert_key",
        (domain,),
    )


def note_delivery(
    connection: SnowflakeConnection, key: str, *, taken: bool, attempts: int, reason: str, again: bool = False
) -> None:
    """Write what became of a message; with ``again`` it stays in the outbox."""
    gone = not taken and not again
    execute(
        connection,
        "update OPS.ALERTS set status = ?, attempts = ?, reason = ?, delivered_at = cast(? as timestamp_ntz) "
        "where alert_key = ?",
        (
            "delivered" if taken else "undelivered" if gone else "pending",
            attempts,
            reason,
            moment_text(datetime.now(UTC)) if taken else None,
            key,
        ),
    )
    if gone:
        _follow(connection)


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


def mutes(connection: SnowflakeConnection, domain: str) -> list[dict[str, Any]]:
    """The mutes that hold now, the first to end first: ``site``, ``rule``, ``title`` and ``until``."""
    rows = query(
        connection,
        "select one.site, one.rule, one.muted_until, max(told.title) as title from OPS.ALERT_MUTES as one "
        "left join OPS.ALERTS as told on told.domain = one.domain and told.site = one.site and told.rule = one.rule "
        "where one.domain = ? and one.muted_until > cast(? as timestamp_ntz) "
        "group by one.site, one.rule, one.muted_until order by one.muted_until, one.site, one.rule",
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
    """Call people again for a rule at a site."""
    execute(connection, "delete from OPS.ALERT_MUTES where domain = ? and site = ? and rule = ?", (domain, site, rule))


def send_again(connection: SnowflakeConnection, key: str) -> None:
    """Put an alert that was given up into the outbox again, as if it had never been tried, and that it is over."""
    execute(
        connection,
        "update OPS.ALERTS as told set status = 'pending', attempts = 0, reason = '' where told.status = 'undelivered' "
        f"and exists (select 1 from OPS.ALERTS as up where up.alert_key = ? and {_ITS_ALERT})",
        (key,),
    )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return moment_text(value)
    return json.dumps(value) if isinstance(value, Mapping) else value


def _told(row: Row) -> dict[str, Any]:
    evidence = row["evidence"]
    moments = {name: row[name].replace(tzinfo=UTC) if row[name] else None for name in MOMENTS}
    return {**row, **moments, "evidence": json.loads(evidence) if isinstance(evidence, str) else dict(evidence or {})}
