"""Inject: does what a plan says, to processes of this state folder and to nothing else. Each way undoes itself."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ConfigError, ServiceError
from rtlib.faults.catalog import Plan
from rtlib.services import supervisor
from rtlib.services.freeze import process_of, resumed_at_end

DUTY_SECONDS = 0.6  # a slowed part stands still this long, then works half as long


def inject(settings: Settings, plan: Plan, *, stop: threading.Event) -> str:
    """Do it, and return once it is over, with a few words on what was done; ``stop`` ends it early.

    Raises:
        ConfigError: This machine cannot do it.
        ServiceError: The part does not run.
    """
    ways: dict[str, Callable[[Settings, Plan, threading.Event], str]] = {
        "kill": _kill,
        "pause": _pause,
        "slow": _slow,
        "disk": _fill_disk,
        "checkpoint": _delete_checkpoints,
        "burst": _burst,
    }
    return ways[plan.fault.way](settings, plan, stop)


def _kill(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    victim = process_of(settings, str(plan.fault.part))
    if plan.details.get("victim") == "JVM":
        victim = next((one for one in victim.children(recursive=True) if "java" in one.name()), victim)
    victim.kill()
    return f"process {victim.pid} ({victim.pid and plan.details.get('victim', plan.fault.part)}) got SIGKILL"


def _pause(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    victim, seconds = process_of(settings, str(plan.fault.part)), float(plan.details["seconds"])
    with resumed_at_end(victim):
        victim.suspend()
        stop.wait(seconds)
    return f"process {victim.pid} stood still for {seconds:.0f} s"


def _slow(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    victim, seconds = process_of(settings, str(plan.fault.part)), float(plan.details["seconds"])
    ends = time.monotonic() + seconds
    with resumed_at_end(victim):
        while time.monotonic() < ends and not stop.is_set():
            victim.suspend()
            stop.wait(DUTY_SECONDS)
            victim.resume()
            stop.wait(DUTY_SECONDS / 2)
    return f"process {victim.pid} worked a third of the time for {seconds:.0f} s"


def _fill_disk(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    """A limit on the size of the files it writes acts on a process as a full disk does: the next write fails."""
    if not sys.platform.startswith("linux"):
        raise ConfigError(
            "a full disk can be simulated on Linux alone", cure="take another fault; rtlib fault lists them"
        )
    victim = process_of(settings, str(plan.fault.part))
    _, hard = victim.rlimit(psutil.RLIMIT_FSIZE)
    victim.rlimit(psutil.RLIMIT_FSIZE, (1, hard))
    if not _gone(victim, seconds=30):
        victim.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))
        raise ServiceError("the broker wrote nothing for 30 s, so it never noticed", cure="rtlib status")
    return f"process {victim.pid} could not write any more and ended itself"


def _delete_checkpoints(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    process_of(settings, "stream")  # must run
    try:
        supervisor.stop_part(settings, "stream")
        shutil.rmtree(settings.home / "checkpoints" / settings.domain, ignore_errors=True)
    finally:
        supervisor.start_part(settings, "stream")
    return "Spark was stopped, its checkpoints were deleted, and it was started again"


def _burst(settings: Settings, plan: Plan, stop: threading.Event) -> str:
    from rtlib.pipeline.workers.burst import burst

    world = dict(plan.details)
    seconds = float(world.pop("seconds"))
    domain, name = load_domain(settings.domain), f"fault-{plan.fault.name}"
    tally = burst(settings, domain, name=name, seed=plan.seed, seconds=seconds, stop=stop, **world)
    parts = (
        (tally.duplicates, "duplicates"),
        (tally.malformed, "malformed"),
        (tally.late, "late"),
        (tally.too_late, "too late for the watermark"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    return f"{tally.records:,} records were sent besides the usual ones" + (f": {told}" if told else "")


def _gone(process: psutil.Process, *, seconds: float) -> bool:
    def alive() -> bool:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE

    retrying = Retrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda state: True,
    )
    try:
        return not retrying(alive)
    except psutil.NoSuchProcess:
        return True
