"""Bursts: the same name and seed send the same events at any time."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import takewhile
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.faults import MENU, plan
from rtlib.pipeline.workers import burst
from rtlib.records import Tally
from rtlib.simulator import SimulatedRecord, Simulator

IOT = load_domain("iot")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Simulator, list[SimulatedRecord]]]:
    """The records that each burst would send."""
    bursts: list[tuple[Simulator, list[SimulatedRecord]]] = []

    def send(settings: Settings, simulator: Simulator, *, stop: threading.Event, seconds: float) -> Tally:
        due = takewhile(
            lambda record: (record.send_at - simulator.start).total_seconds() < seconds, simulator.records()
        )
        bursts.append((simulator, list(due)))
        return Tally()

    monkeypatch.setattr(burst, "send", send)
    return bursts


def shape(world: Simulator, records: list[SimulatedRecord]) -> Counter[Any]:
    """The records without their times, identifiers and producers."""
    return Counter(
        (record.send_at - world.start, record.key, record.defect)
        + ((record.event.kind, record.event.value, record.event.occurred_at - world.start) if record.event else ())
        for record in records
    )


@pytest.mark.parametrize("name", [fault.name for fault in MENU.values() if fault.method == "burst"])
def test_a_burst_of_the_same_seed_repeats_the_same_events(
    name: str, sent: list[tuple[Simulator, list[SimulatedRecord]]]
) -> None:
    for seed in (1, 1, 2):
        world = dict(plan(name, seed=1, domain=IOT).details)
        seconds = float(world.pop("seconds"))
        burst.burst(Settings(), IOT, name=f"fault-{name}", seed=seed, seconds=seconds, stop=threading.Event(), **world)
    first, again, other = (shape(*burst) for burst in sent)
    assert first == again != other
    assert len(sent[0][1]) > 100


def test_another_fault_of_the_same_seed_sends_other_events(sent: list[tuple[Simulator, list[SimulatedRecord]]]) -> None:
    for name in ("a", "b"):
        burst.burst(Settings(), IOT, name=name, seed=1, seconds=5, stop=threading.Event(), rate=50)
    assert shape(*sent[0]) != shape(*sent[1])
