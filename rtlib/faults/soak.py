"""Soak: the pipeline under a steady load, with faults at seeded moments; the ledger decides at the end."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.faults.background import background
from rtlib.faults.catalog import MENU, Plan, plan
from rtlib.faults.inject import inject
from rtlib.faults.peak import peak_memory
from rtlib.faults.runner import FAULT
from rtlib.faults.soak_result import Moment, Sample, Soak
from rtlib.ledger import take
from rtlib.notify import Notify
from rtlib.pipeline.audit.tallies import runs, written_at
from rtlib.pipeline.recovery.drain import wait_until_drained
from rtlib.pipeline.telemetry.progress_topic import newest_progress
from rtlib.pipeline.workers.flood import Flooded, flood
from rtlib.services import processes, supervisor

SAMPLE_SECONDS = 5.0
LARGE_RECORDS_PER_SECOND = 200
PATIENCE_SECONDS = 240.0  # without any progress, after the simulator has stopped
FAULT_SECONDS = 90.0  # for a part to come back from the previous fault
FLOOD_JOIN_SECONDS = 90.0


def schedule(settings: Settings, *, seed: int, seconds: float, faults: int) -> list[tuple[float, Plan]]:
    """Faults of different kinds, each with its moment in seconds; the same seed gives the same schedule.

    The last fifth of the time has no faults, so that the effects of the last fault have time to show.
    """
    rng = random.Random(f"soak|{seed}")
    excluded = {"surge"} if sys.platform.startswith("linux") else {"surge", "disk-full"}  # a surge hurts no part
    candidates = [name for name in MENU if name not in excluded]
    names = rng.sample(candidates, min(faults, len(candidates)))
    moments = sorted(rng.uniform(0.05, 0.8) * seconds for _ in names)
    domain = load_domain(settings.domain)
    return [(at, plan(name, seed=seed, domain=domain)) for at, name in zip(moments, names, strict=True)]


def soak(settings: Settings, *, seed: int, seconds: int, faults: int, notify: Notify, record_bytes: int = 0) -> Soak:
    """Inject faults into the running stack, stop the simulator, wait until everything has arrived, take the ledger.

    A simulator that ran before is started again afterwards.

    Args:
        settings: Which stack.
        seed: Chooses the faults and their moments.
        seconds: The duration of the load.
        faults: The number of faults.
        notify: Receives progress lines.
        record_bytes: Also send ``LARGE_RECORDS_PER_SECOND`` malformed records of this size; 0 sends none.

    Raises:
        ServiceError: The stack does not run, or a part did not come back.
    """
    before = supervisor.states(settings).get("simulator")
    sent, since = _events_sent(settings), time.time()
    supervisor.start_part(settings, "simulator")
    plans = schedule(settings, seed=seed, seconds=seconds, faults=faults)
    try:
        with peak_memory(settings) as peak:
            with _large_records(settings, record_bytes, seconds) as flooded:
                moments, samples = _inject_all(settings, plans, seconds, notify)
            supervisor.stop_part(settings, "simulator")
            notify(f"  {time.time() - since:5.0f} s  the simulator has stopped; waiting until everything has arrived")
            if not wait_until_drained(settings, notify=notify, patience=PATIENCE_SECONDS, after_faults=True):
                notify("  not everything has arrived; the ledger shows what is in flight")
        events, bound = account(settings, sent, since=since, seconds=seconds)
        ledger = take(settings, notify=notify)
        if not record_bytes:
            return Soak(seed, seconds, moments, samples, events, bound, ledger)
        return Soak(seed, seconds, moments, samples, events, bound, ledger, peak, *flooded)
    finally:
        if before is not None and before.state == "RUNNING":
            supervisor.start_part(settings, "simulator")


@contextmanager
def _large_records(settings: Settings, record_bytes: int, seconds: float) -> Iterator[list[Flooded]]:
    """Send large records, if any, while the block runs; the list holds their counts afterwards."""
    counts: list[Flooded] = []
    if not record_bytes:
        yield counts
        return

    def send(stop: threading.Event) -> None:
        counts.append(
            flood(settings, record_bytes=record_bytes, rate=LARGE_RECORDS_PER_SECOND, seconds=seconds, stop=stop)
        )

    with background(send, name="flood", join_seconds=FLOOD_JOIN_SECONDS):
        yield counts


def _inject_all(
    settings: Settings, plans: Sequence[tuple[float, Plan]], seconds: int, notify: Notify
) -> tuple[tuple[Moment, ...], tuple[Sample, ...]]:
    """Inject each fault at its moment, and sample the stack meanwhile."""
    began = time.monotonic()
    samples: list[Sample] = []
    moments: list[Moment] = []

    def sample(stop: threading.Event) -> None:
        while not stop.wait(SAMPLE_SECONDS):
            samples.extend(_sample(settings, time.monotonic() - began))

    with background(sample, name="soak-samples"):
        for at, chosen in plans:
            time.sleep(max(0.0, began + at - time.monotonic()))
            elapsed = time.monotonic() - began
            moments.append(Moment(round(elapsed, 1), chosen.fault.name, _inject_patiently(settings, chosen)))
            notify(f"  {elapsed:5.0f} s  {chosen.fault.name:<20} {moments[-1].done}")
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    return tuple(moments), tuple(samples)


def _events_sent(settings: Settings) -> dict[str, int]:
    return {run.name: run.tally.events for run in runs(settings)}


def account(settings: Settings, before: Mapping[str, int], *, since: float, seconds: float) -> tuple[int, int]:
    """Events sent, and the limit of the state's rows, which may include all events of faults.

    Args:
        settings: Which domain; its watermark and window decide how long a query keeps an event in its state.
        before: Events that each run had sent before.
        since: When the soak began, in seconds since 1970.
        seconds: Its duration.
    """
    horizon = settings.watermark_seconds + settings.window_seconds + 2 * settings.real_time_interval_seconds
    new = {run.name: run.tally.events - before.get(run.name, 0) for run in runs(settings)}
    steady = sum(events for name, events in new.items() if not name.startswith(FAULT))
    faults = [run for run in runs(settings) if run.name.startswith(FAULT)]
    extra = sum(run.tally.events for run in faults if written_at(settings, run) > since - horizon)
    return sum(new.values()), round(1.2 * (steady / seconds * horizon + extra))


def _inject_patiently(settings: Settings, chosen: Plan) -> str:
    """Inject a fault; a part that is still coming back from another fault is given time."""
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceError),
        wait=wait_fixed(1.0),
        stop=stop_after_delay(FAULT_SECONDS),
        reraise=True,
    )
    done: str = retrying(inject, settings, chosen, stop=threading.Event())
    return done


def _sample(settings: Settings, elapsed: float) -> list[Sample]:
    """A sample of the stack; none while the broker does not answer."""
    try:
        progress = newest_progress(settings, "kpis")
    except Exception:  # a broker under attack may raise anything; there is a next sample
        return []
    resident = sum(processes.resident_megabytes(settings.home).values())
    rows, batch = (progress.state_rows, progress.batch_id) if progress else (0, 0)
    return [Sample(round(elapsed, 1), round(resident, 1), rows, batch)]
