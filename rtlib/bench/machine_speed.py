"""Machine speed: how fast this machine is during a run, so that figures of different days can be compared.

A core that another guest of the same host keeps busy does half its work, and this guest cannot see why.
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
    """Events per second that Python's ``json`` reads: on a single core, and on all cores at once, in total."""

    single: float
    all_cores: float


def pace() -> Pace:
    """Measure the speed of this machine; takes about a second."""
    return Pace(_read_by(1), _read_by(os.cpu_count() or 1))


def _read_by(count: int) -> float:
    """Run this file in several processes; threads of Python would share a core."""
    running = [subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(float(process.communicate()[0]) for process in running)


def events_read(seconds: float) -> float:
    """Events per second that this process reads, measured for ``seconds``."""
    began, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds or not count:
        for _ in range(200):
            json.loads(EVENT)
        count += 200
    return count / passed


def summary(paces: Sequence[Pace]) -> str:
    """The range of the measurements of a run, in words; there is at least one."""
    single, all_cores = sorted(pace.single for pace in paces), sorted(pace.all_cores for pace in paces)
    return (
        f"a single core read {single[0]:,.0f} to {single[-1]:,.0f} events/s from JSON, all cores "
        f"{all_cores[0]:,.0f} to {all_cores[-1]:,.0f}, in {len(paces)} measurements during the run"
    )


if __name__ == "__main__":
    sys.stdout.write(str(events_read(LOOK_SECONDS)))
