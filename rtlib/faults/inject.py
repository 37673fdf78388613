"""Inject: carries out a plan on processes of this state folder and nothing else. Each method undoes itself."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable

import psutil

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ConfigError, ServiceError
from rtlib.faults.catalog import Plan
from rtlib.services import supervisor
from rtlib.services.freeze import process_of, resumed_at_end
from rtlib.wait import wait_until

FREEZE_SECONDS = 0.6  # a slowed part is frozen this long, then works half as long
DISK_SECONDS = 30.0  # for the broker to notice that its disk is full


def inject(settings: Settings, plan: Plan, *, stop: threading.Event) -> str:
    """Inject the fault and return once it is over; ``stop`` ends it early.

    Returns:
        What was done, in a few words.

    Raises:
        ConfigError: The fault is impossible on this machine.
        ServiceError: The part does not run.
    """
    methods: dict[str, Callable[[Settings, Plan, threading.Event], str]] = {
        "kill": _kill,
        "pause": _pause,
        "slow": _slow,
        "disk": _fill_disk,
        "checkpoint": _delete_checkpoints,
        "burst": _burst,
    }
    return methods[plan.fault.method](settings, plan, stop)


def _kill(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    victim = process_of(settings, str(plan.fault.part))
    if plan.details.get("victim") == "JVM":
        victim = next((child for child in victim.children(recursive=True) if "java" in child.name()), victim)
    victim.kill()
    return f"process {victim.pid} ({plan.details.get('victim', plan.fault.part)}) received SIGKILL"


def _pause(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    victim, seconds = process_of(settings, str(plan.fault.part)), float(plan.details["seconds"])
    with resumed_at_end(victim):
        victim.suspend()
        stop.wait(seconds)
    return f"process {victim.pid} was frozen for {seconds:.0f} s"


def _slow(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    victim, seconds = process_of(settings, str(plan.fault.part)), float(plan.details["seconds"])
    ends = time.monotonic() + seconds
    with resumed_at_end(victim):
        while time.monotonic() < ends and not stop.is_set():
            victim.suspend()
            stop.wait(FREEZE_SECONDS)
            victim.resume()
            stop.wait(FREEZE_SECONDS / 2)
    return f"process {victim.pid} worked a third of the time for {seconds:.0f} s"


def _fill_disk(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    """Limit the size of the files that the process may write: the next write fails, as on a full disk."""
    if not sys.platform.startswith("linux"):
        raise ConfigError(
            "a full disk can be simulated only on Linux", cure="choose another fault; rtlib fault lists them"
        )
    victim = process_of(settings, str(plan.fault.part))
    _, hard = victim.rlimit(psutil.RLIMIT_FSIZE)
    victim.rlimit(psutil.RLIMIT_FSIZE, (1, hard))
    if not _exited(victim, seconds=DISK_SECONDS):
        victim.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))
        raise ServiceError(
            f"the broker wrote nothing for {DISK_SECONDS:.0f} s, so it did not notice the full disk",
            cure="rtlib status",
        )
    return f"process {victim.pid} could not write any more and exited"


def _delete_checkpoints(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    process_of(settings, "stream")  # must run
    try:
        supervisor.stop_part(settings, "stream")
        shutil.rmtree(settings.home / "checkpoints" / settings.domain, ignore_errors=True)
    finally:
        supervisor.start_part(settings, "stream")
    return "Spark was stopped, its checkpoints were deleted, and it was restarted"


def _burst(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    from rtlib.pipeline.workers.burst import burst

    options = dict(plan.details)
    seconds = float(options.pop("seconds"))
    domain, name = load_domain(settings.domain), f"fault-{plan.fault.name}"
    tally = burst(settings, domain, name=name, seed=plan.seed, seconds=seconds, stop=stop, **options)
    parts = (
        (tally.duplicates, "duplicates"),
        (tally.malformed, "malformed"),
        (tally.late, "late"),
        (tally.too_late, "too late for the watermark"),
    )
    defects = ", ".join(f"{count:,} {kind}" for count, kind in parts if count)
    return f"{tally.records:,} additional records were sent" + (f": {defects}" if defects else "")


def _exited(process: psutil.Process, *, seconds: float) -> bool:
    def exited() -> bool:
        try:
            return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return wait_until(exited, seconds=seconds, interval=0.2)
