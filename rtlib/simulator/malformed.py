"""Malformed: the ways in which real producers break their events; the result fits no domain's schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from rtlib.simulator.records import compact

Fields: TypeAlias = dict[str, Any]


def _with(**changed: Any) -> Callable[[Fields], bytes]:
    return lambda fields: compact({**fields, **changed}).encode()


def _without(name: str) -> Callable[[Fields], bytes]:
    return lambda fields: compact({key: value for key, value in fields.items() if key != name}).encode()


def _truncated(fields: Fields) -> bytes:
    payload = compact(fields).encode()
    return payload[: len(payload) * 2 // 3]


def _not_utf8(fields: Fields) -> bytes:
    return compact(fields).encode().replace(b'"kind":"', b'"kind":"\xff\xfe', 1)


def _local_time(fields: Fields) -> bytes:
    return compact({**fields, "occurred_at": fields["occurred_at"].replace("T", " ").rstrip("Z")}).encode()


BREAKAGES: dict[str, Callable[[Fields], bytes]] = {
    "truncated": _truncated,
    "not UTF-8": _not_utf8,
    "not JSON": lambda fields: f"{fields['kind']} at {fields['site']}".encode(),
    "an empty object": lambda fields: b"{}",
    "an array": lambda fields: compact([fields]).encode(),
    "value is text": _with(value="n/a"),
    "value out of range": _with(value=1e9),
    "sequence is text": _with(sequence="first"),
    "sequence is negative": _with(sequence=-1),
    "no event_id": _without("event_id"),
    "no occurred_at": _without("occurred_at"),
    "event_id is no UUID": _with(event_id="42"),
    "unknown kind": _with(kind="teleported"),
    "unknown site": _with(site="atlantis"),
    "another domain": _with(domain="elsewhere"),
    "local time": _local_time,
    "impossible month": _with(occurred_at="2025-13-45T25:61:00Z"),
    "attributes is null": _with(attributes=None),
    "an unexpected field": _with(debug=True),
}


def malformed_payload(name: str, fields: Fields) -> bytes:
    """The event with these JSON fields, broken as named in ``BREAKAGES``."""
    return BREAKAGES[name](fields)
