"""Soak: the pipeline under a steady load, with faults at seeded moments; at the end the ledger has the word."""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.faults.catalog import MENU, Plan, plan
from rtlib.faults.inject import inject
from rtlib.faults.peak import Peak, peak_memory
from rtlib.faults.runner import FAULT
from rtlib.ledger import Ledger, take
from rtlib.notify import Notify
from rtlib.pipeline.audit.tallies import runs, written_at
from rtlib.pipeline.recovery.readiness import wait_until_settled
from rtlib.pipeline.telemetry.progress_topic import newest_progress
from rtlib.pipeline.workers.flood import Flooded, flood
from rtlib.services import processes, supervisor

SAMPLE_SECONDS = 5.0
STEADY_BATCH = 2  # a query's first batch forgets nothing, for it has no watermark, and the second begins to
LARGE_A_SECOND = 200
PATIENCE_SECONDS = 240  # how long after the end of a soak everything may take to arrive
FLOOD_PATIENCE_SECONDS = 1800  # more arrives than can be archived meanwhile; it waits on the broker's disk
GROWTH = 1.5  # what a number that does not grow may differ by, between the middle and the end of a run


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault of a soak: when it began (seconds from the start), which, and what was done."""

    at_seconds: float
    name: str
    done: str


@dataclass(frozen=True, slots=True)
class Sample:
    """What the stack weighed at a moment: resident memory in MB, and rows in the state of the kpis query, by the batch
    that told of them."""

    at_seconds: float
    resident_mb: float
    state_rows: int
    batch_id: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A soak, its faults, its samples, and its ledger.

    Attributes:
        events: Events that were sent while it lasted, those of faults included.
        state_bound: How many rows the state may have however long it runs: one for each event that is younger than
            what the watermark and its intervals take, at this rate, for each event of a fault, and a fifth more.
        peak: The most memory, when large records were sent; it is judged instead of the growth then.
        flooded: The large records that were sent besides.
    """

    seed: int
    seconds: int
    faults: tuple[Moment, ...]
    samples: tuple[Sample, ...]
    events: int
    state_bound: int
    ledger: Ledger
    peak: Peak | None = None
    flooded: Flooded | None = None

    @property
    def steady(self) -> tuple[Sample, ...]:
        """The samples by which the state is judged: without those of a query that reads all again and forgets nothing
        yet, as after its checkpoint was deleted."""
        return tuple(one for one in self.samples if one.batch_id >= STEADY_BATCH)

    @property
    def state_rows(self) -> int:
        """The most rows that the state of the kpis query had, at steady times."""
        return max((one.state_rows for one in self.steady), default=0)

    @property
    def judges_state(self) -> bool:
        """False when fewer events were sent than the state may hold: it could not have grown beyond that."""
        return self.events > self.state_bound

    @property
    def state_holds(self) -> bool:
        """True when the state stayed within its bound, or the run was too short to tell."""
        return not self.judges_state or (bool(self.steady) and self.state_rows <= self.state_bound)

    @property
    def memory_growth(self) -> float:
        """Resident memory of the last third for each of the middle third (medians)."""
        return _growth([one.resident_mb for one in self.samples])

    @property
    def memory_holds(self) -> bool:
        """True when memory did not grow, or stayed within what is allowed under large records."""
        return self.memory_growth <= GROWTH if self.peak is None else self.peak.holds

    @property
    def holds(self) -> bool:
        """True when nothing was lost or doubled, and state and memory stayed bounded."""
        return self.ledger.reconciles and self.state_holds and self.memory_holds

    def bounds(self) -> tuple[str, str]:
        """What state and memory did, and whether that is allowed, a sentence each."""
        judged = f"{self.state_bound:,} allowed"
        if not self.judges_state:
            judged += f"; not judged, since {self.events:,} events are too few to exceed that: soak for longer"
        elif not self.steady:
            judged += "; no steady batch told of any"
        return (
            f"state: {self.state_rows:,} rows at the most, {judged}",
            f"memory: x{self.memory_growth:g} from the middle third of the run to its last, x{GROWTH:g} allowed"
            if self.peak is None
            else self.peak.render(),
        )


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


def soak(settings: Settings, *, seed: int, seconds: int, faults: int, notify: Notify, record_bytes: int = 0) -> Soak:
    """Hurt the running stack at seeded moments, stop the simulator at the end, let everything arrive, take the ledger.

    A simulator that ran before runs again afterwards. With ``record_bytes`` as many bytes each have the records that
    are sent besides, ``LARGE_A_SECOND`` of them; they are no events.

    Raises:
        ServiceError: The stack does not run, or a part did not come back.
    """
    before = supervisor.states(settings).get("simulator")
    sent, since = _sent(settings), time.time()
    supervisor.start_part(settings, "simulator")
    plans = schedule(settings, seed=seed, seconds=seconds, faults=faults)
    try:
        with peak_memory(settings) as peak:
            with _large_records(settings, record_bytes, seconds) as flooded:
                done, samples = _hurt(settings, plans, seconds, notify)
            supervisor.stop_part(settings, "simulator")
            notify(f"  {time.time() - since:5.0f} s  the simulator has stopped; waiting until everything has arrived")
            patience = FLOOD_PATIENCE_SECONDS if record_bytes else PATIENCE_SECONDS
            if not wait_until_settled(settings, notify=notify, seconds=patience):
                notify(
                    f"  not everything has arrived in {patience / 60:.0f} minutes; the ledger says what is in flight"
                )
        events, bound = account(settings, sent, since=since, seconds=seconds)
        ledger = take(settings, notify=notify)
        if not record_bytes:
            return Soak(seed, seconds, done, samples, events, bound, ledger)
        return Soak(seed, seconds, done, samples, events, bound, ledger, peak, *flooded)
    finally:
        if before is not None and before.state == "RUNNING":
            supervisor.start_part(settings, "simulator")


@contextmanager
def _large_records(settings: Settings, record_bytes: int, seconds: float) -> Iterator[list[Flooded]]:
    """Send large records while the block runs, if any; how many were taken is in the list afterwards."""
    found: list[Flooded] = []
    stop = threading.Event()
    if not record_bytes:
        yield found
        return

    def send() -> None:
        found.append(flood(settings, record_bytes=record_bytes, rate=LARGE_A_SECOND, seconds=seconds, stop=stop))

    thread = threading.Thread(target=send, name="flood", daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(timeout=90)


def _hurt(
    settings: Settings, plans: Sequence[tuple[float, Plan]], seconds: int, notify: Notify
) -> tuple[tuple[Moment, ...], tuple[Sample, ...]]:
    """Do each fault at its moment and look at the stack meanwhile."""
    began, stop = time.monotonic(), threading.Event()
    samples: list[Sample] = []
    sampler = threading.Thread(target=_sample, args=(settings, began, stop, samples), daemon=True)
    sampler.start()
    done = []
    try:
        for at, chosen in plans:
            stop.wait(max(0.0, began + at - time.monotonic()))
            now = time.monotonic() - began
            done.append(Moment(round(now, 1), chosen.fault.name, _patiently(settings, chosen)))
            notify(f"  {now:5.0f} s  {chosen.fault.name:<20} {done[-1].done}")
        stop.wait(max(0.0, began + seconds - time.monotonic()))
    finally:
        stop.set()
        sampler.join(timeout=30)
    return tuple(done), tuple(samples)


def _sent(settings: Settings) -> dict[str, int]:
    return {run.name: run.tally.events for run in runs(settings)}


def account(settings: Settings, before: Mapping[str, int], *, since: float, seconds: float) -> tuple[int, int]:
    """How many events were sent, and how many rows the state may have; what faults sent besides may all be in it.

    Args:
        settings: Which domain, and what its queries remember.
        before: How many events each run had sent before; they belong to another time.
        since: When it began, in seconds since 1970.
        seconds: For how long.
    """
    horizon = settings.watermark_seconds + settings.window_seconds + 2 * settings.real_time_interval_seconds
    new = {run.name: run.tally.events - before.get(run.name, 0) for run in runs(settings)}
    steady = sum(events for name, events in new.items() if not name.startswith(FAULT))
    faults = [run for run in runs(settings) if run.name.startswith(FAULT)]
    extra = sum(run.tally.events for run in faults if written_at(settings, run) > since - horizon)
    return sum(new.values()), round(1.2 * (steady / seconds * horizon + extra))


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
            told = newest_progress(settings, "kpis")
        except Exception:  # a broker that is being hurt answers nothing; there is a next sample
            continue
        resident = sum(processes.resident_megabytes(settings.home).values())
        rows, batch = (told.state_rows, told.batch_id) if told else (0, 0)
        samples.append(Sample(round(time.monotonic() - began, 1), round(resident, 1), rows, batch))


def _growth(values: Sequence[float]) -> float:
    third = len(values) // 3
    if third == 0:
        return 1.0
    middle, last = statistics.median(values[third : 2 * third]), statistics.median(values[-third:])
    return round(last / middle, 3) if middle else 1.0
