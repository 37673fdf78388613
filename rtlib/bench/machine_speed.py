"""Pace: how fast this machine is at the moment, so that figures of different days can be set side by side.

A core that another guest of the same host keeps busy does half of its work, and nothing on this side tells of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

LOOK_SECONDS = 0.5
EVENT = json.dumps(
    {
        "event_id": "01a2158e-1f99-7390-a2ba-202a2f6c3a1a", "domain": "curbside", "site": "oakland-broadway",
        "kind": "order_placed", "occurred_at": "2026-03-02T09:00:00.250000Z", "producer_id": "sim-0-0",
        "sequence": 2, "value": 62.27, "unit": "USD", "attributes": {"channel": "app", "items": 37},
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pace:
    """Events per second that Python's ``json`` reads: by one core alone, and by all cores at once, together."""

    one: float
    every: float


def pace() -> Pace:
    """Measure this machine's pace; takes about a second."""
    return Pace(_read_by(1), _read_by(os.cpu_count() or 1))


def _read_by(count: int) -> float:
    """Processes of their own, each of which runs this file: Python's threads would share one core."""
    running = [subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(float(one.communicate()[0]) for one in running)


def events_read(seconds: float) -> float:
    """Events per second that this process reads, measured for so long."""
    began, read = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds or not read:
        for _ in range(200):
            json.loads(EVENT)
        read += 200
    return read / passed


def told(looks: Sequence[Pace]) -> str:
    """What the looks of a run say, in words; there is at least one."""
    alone, every = sorted(one.one for one in looks), sorted(one.every for one in looks)
    return (
        f"one core read {alone[0]:,.0f} to {alone[-1]:,.0f} events/s from JSON, all at once {every[0]:,.0f} to "
        f"{every[-1]:,.0f}, in {len(looks)} looks during the run"
    )


if __name__ == "__main__":
    sys.stdout.write(str(events_read(LOOK_SECONDS)))
