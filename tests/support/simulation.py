"""Streams of the simulator, with its usual arguments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from rtlib.domains import Domain, load_domain
from rtlib.simulator import Defect, SimulatedRecord, Simulator

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=12)
UNITY_DAY = datetime(2026, 10, 3, tzinfo=ZoneInfo("Europe/Berlin"))  # in Germany alone, a Saturday
DEFECTS: dict[str, Any] = {
    "late_share": 0.02,
    "too_late_share": 0.01,
    "out_of_order_share": 0.05,
    "duplicate_share": 0.04,
    "malformed_share": 0.03,
}


def a_simulator(domain: Domain | None = None, **changed: Any) -> Simulator:
    return Simulator(domain or load_domain("curbside"), **{"seed": 7, "start": NOON, "rate": 500.0, **changed})


def first(count: int, **changed: Any) -> list[SimulatedRecord]:
    return list(islice(a_simulator(**changed).records(), count))


def until(simulator: Simulator, end: datetime) -> Iterator[SimulatedRecord]:
    return takewhile(lambda sent: sent.send_at < end, simulator.records())


def delays(records: list[SimulatedRecord], defect: Defect | None) -> list[float]:
    chosen = [record for record in records if record.defect is defect and record.event is not None]
    return [(record.send_at - record.event.occurred_at).total_seconds() for record in chosen if record.event]


def deviation(counts: np.ndarray, expected: np.ndarray) -> float:
    """Chi-square of Poisson counts against their means, as a number of standard deviations from its own mean."""
    statistic = ((counts - expected) ** 2 / expected).sum()
    variance = (2 + 1 / expected).sum()  # of (count - mean)² / mean
    return float((statistic - counts.size) / variance**0.5)
