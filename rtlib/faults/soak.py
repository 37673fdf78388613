"""Soak: the pipeline under a steady load, with faults at seeded moments; at the end the ledger has the word."""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.faults.inject import inject
from rtlib.faults.menu import MENU, Plan, plan
from rtlib.ledger import Ledger, take
from rtlib.pipeline.recovery import wait_until_settled
from rtlib.pipeline.signs import state_rows
from rtlib.pipeline.tallies import runs
from rtlib.services import processes, supervise

Tell = Callable[[str], None]
SAMPLE_SECONDS = 5.0
GROWTH = 1.5  # what a number that does not grow may differ by, between the middle and the end of a run


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault of a soak: when it began (seconds from the start), which, and what was done."""

    at_seconds: float
    name: str
    done: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What the stack weighed at a moment: resident memory in MB, and rows in the state of the kpis query."""

    at_seconds: float
    resident_mb: float
    state_rows: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A soak, its faults, its samples, and its ledger.

    ``state_bound`` is how many rows the state may have however long it runs: one for each event that is younger than
    what the watermark and its intervals take, at this rate, and a fifth more.
    """

    seed: int
    seconds: int
    faults: tuple[Moment, ...]
    samples: tuple[Sample, ...]
    state_bound: int
    ledger: Ledger

    @property
    def state_rows(self) -> int:
        """The most rows that the state of the kpis query had."""
        return max((one.state_rows for one in self.samples), default=0)

    @property
    def memory_growth(self) -> float:
        """Resident memory of the last third for each of the middle third (medians)."""
        return _growth([one.resident_mb for one in self.samples])

    @property
    def holds(self) -> bool:
        """True when nothing was lost or doubled, and state and memory stayed bounded."""
        bounded = self.state_rows <= self.state_bound and self.memory_growth <= GROWTH
        return self.ledger.reconciles and bounded


def schedule(settings: Settings, *, seed: int, seconds: float, faults: int) -> list[tuple[float, Plan]]:
    """Which faults, of different kinds, at which second; the same seed makes the same plan.

    The last fifth of the time is left in peace, so that what a fault did has time to show.
    """
    rng = random.Random(f"soak|{seed}")
    unfit = {"surge"} if sys.platform.startswith("linux") else {"surge", "disk-full"}  # a surge hurts no part
    possible = [one for one in MENU if one not in unfit]
    names = rng.sample(possible, min(faults, len(possible)))
    moments = sorted(rng.uniform(0.05, 0.8) * seconds for _ in names)
    domain = load_domain(settings.domain)
    return [(at, plan(name, seed=seed, domain=domain)) for at, name in zip(moments, names, strict=True)]


def soak(settings: Settings, *, seed: int, seconds: int, faults: int, tell: Tell) -> Soak:
    """Hurt the running stack at seeded moments, stop the simulator at the end, let everything arrive, take the ledger.

    Raises:
        ServiceError: The stack does not run, or a part did not come back.
    """
    supervise.start_part(settings, "simulator")
    began, stop = time.monotonic(), threading.Event()
    samples: list[Sample] = []
    sampler = threading.Thread(target=_sample, args=(settings, began, stop, samples), daemon=True)
    sampler.start()
    done = []
    try:
        for at, chosen in schedule(settings, seed=seed, seconds=seconds, faults=faults):
            stop.wait(max(0.0, began + at - time.monotonic()))
            now = time.monotonic() - began
            done.append(Moment(round(now, 1), chosen.fault.name, _patiently(settings, chosen)))
            tell(f"  {now:5.0f} s  {chosen.fault.name:<20} {done[-1].done}")
        stop.wait(max(0.0, began + seconds - time.monotonic()))
    finally:
        stop.set()
        sampler.join(timeout=30)
    supervise.stop_part(settings, "simulator")
    tell(f"  {time.monotonic() - began:5.0f} s  the simulator has stopped; waiting until everything has arrived")
    wait_until_settled(settings)
    return Soak(seed, seconds, tuple(done), tuple(samples), _state_bound(settings, seconds), take(settings))


def _state_bound(settings: Settings, seconds: int) -> int:
    """Rows that the state may have; what faults sent besides may all be in it."""
    horizon = settings.watermark_seconds + settings.window_seconds + 2 * settings.real_time_interval_seconds
    steady = sum(run.tally.events for run in runs(settings) if not run.name.startswith("fault-"))
    extra = sum(run.tally.events for run in runs(settings) if run.name.startswith("fault-"))
    return round(1.2 * (steady / seconds * min(horizon, seconds) + extra))


def _patiently(settings: Settings, chosen: Plan) -> str:
    """Do it; a part that is just coming back from another fault is waited for."""
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceError), wait=wait_fixed(1.0), stop=stop_after_delay(90), reraise=True
    )
    said: str = retrying(inject, settings, chosen, stop=threading.Event())
    return said


def _sample(settings: Settings, began: float, stop: threading.Event, samples: list[Sample]) -> None:
    while not stop.wait(SAMPLE_SECONDS):
        try:
            rows = state_rows(settings)
        except Exception:  # a broker that is being hurt answers nothing; there is a next sample
            continue
        resident = sum(processes.resident_megabytes(settings.home).values())
        samples.append(Sample(round(time.monotonic() - began, 1), round(resident, 1), rows))


def _growth(values: Sequence[float]) -> float:
    third = len(values) // 3
    if third == 0:
        return 1.0
    middle, last = statistics.median(values[third : 2 * third]), statistics.median(values[-third:])
    return round(last / middle, 3) if middle else 1.0
