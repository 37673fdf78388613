"""Streams of the simulator, by its usual arguments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from rtlib.domains import Domain, load_domain
from rtlib.simulator import Flaw, Sent, Simulator

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=12)
UNITY_DAY = datetime(2026, 10, 3, tzinfo=UTC)  # in Germany alone, a Saturday
FLAWED: dict[str, Any] = {
    "late_share": 0.02,
    "too_late_share": 0.01,
    "out_of_order_share": 0.05,
    "duplicate_share": 0.04,
    "malformed_share": 0.03,
}


def a_simulator(domain: Domain | None = None, **changed: Any) -> Simulator:
    return Simulator(domain or load_domain("curbside"), **{"seed": 7, "start": NOON, "rate": 500.0, **changed})


def first(count: int, **changed: Any) -> list[Sent]:
    return list(islice(a_simulator(**changed).records(), count))


def until(simulator: Simulator, end: datetime) -> Iterator[Sent]:
    return takewhile(lambda sent: sent.send_at < end, simulator.records())


def delays(records: list[Sent], flaw: Flaw | None) -> list[float]:
    chosen = [one for one in records if one.flaw is flaw and one.event is not None]
    return [(one.send_at - one.event.occurred_at).total_seconds() for one in chosen if one.event]
