"""Stack: starts and stops the local stack of a state folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from rtlib.config import Settings
from rtlib.errors import SupervisorSilent
from rtlib.notify import Notify
from rtlib.run_state import clear_run_state
from rtlib.services import jars, java, peaks, ports, processes, state_folder, supervisor
from rtlib.services.health_wait import wait_all_healthy
from rtlib.services.parts import PARTS
from rtlib.services.start_trace import StartTrace
from rtlib.services.status import HealthCheck

SERVERS = tuple(part.name for part in PARTS if part.server)


def up(
    settings: Settings,
    *,
    checks: Mapping[str, HealthCheck],
    prepare: Callable[[Settings], None],
    chosen: Mapping[str, object],
    notify: Notify,
    idle: Collection[str] = (),
    timeout_seconds: float = 240.0,
    trace: StartTrace | None = None,
) -> bool:
    """Start the stack; return when every part passes its health check.

    Args:
        settings: Where and how.
        checks: The health check of each part, by name.
        prepare: Creates topics, schema and tables; called once the servers answer.
        chosen: Settings given for this stack; saved, with the others in force, for other terminals.
        notify: Receives one line for each step.
        idle: Parts that are left stopped.
        timeout_seconds: How long all parts together may take.
        trace: Receives what the start spends its time on.

    Returns:
        True when this call started the stack, False when it was running already.

    Raises:
        EnvironmentProblem: No Java, a pinned port that is busy, a full disk.
        DownloadError: A jar could not be fetched.
        ServiceError: A part does not answer; the message ends with the last lines of its log.
        WarehouseDamaged: The warehouse's file cannot be read.
    """
    with state_folder.up_lock(settings):
        if supervisor.supervisor_pid(settings) is not None:
            notify("the stack is running already")
            return False
        try:
            trace = trace or StartTrace(None)
            with trace.step("Java, jars, ports"):
                settings = _start_supervisor(settings, chosen=chosen, notify=notify)
            until = time.monotonic() + timeout_seconds
            _start_parts(settings, checks, prepare, idle=idle, until=until, notify=notify, trace=trace)
        except BaseException:
            down(settings, notify=lambda line: None)
            raise
        return True


def _start_supervisor(settings: Settings, *, chosen: Mapping[str, object], notify: Notify) -> Settings:
    leftovers = processes.end_leftovers(settings.home)
    if leftovers:
        notify(f"ended processes of an earlier crash: {', '.join(sorted(set(leftovers)))}")
    changed = state_folder.close_to_others(settings)
    if changed:
        notify(f"{changed} files and folders of {settings.home} were open to other users; they no longer are")
    found_java = java.ensure_java(settings)
    fetched_jars = jars.fetch(settings.home, maven_url=settings.maven_url, progress=True)
    with ports.port_lock():
        settings = state_folder.lay_out(settings, found_java, fetched_jars, chosen=chosen)
        peaks.forget(settings.home)
        supervisor.start(settings)
    return settings


def _start_parts(
    settings: Settings,
    checks: Mapping[str, HealthCheck],
    prepare: Callable[[Settings], None],
    *,
    idle: Collection[str],
    until: float,
    notify: Notify,
    trace: StartTrace,
) -> None:
    """The servers first, then what they hold, then the parts that need it."""
    configured = supervisor.states(settings)
    servers = {name: checks[name] for name in SERVERS if name in configured}
    wait_all_healthy(settings, servers, until=until, notify=notify, ready=trace.ready)
    with trace.step("topics, tables"):
        prepare(settings)
    notify("topics, schema and tables exist")
    others = [name for name in configured if name not in SERVERS and name not in idle]
    for name in others:
        supervisor.start_part(settings, name, wait=False)
    awaited = {name: checks[name] for name in others}
    wait_all_healthy(settings, awaited, until=until, notify=notify, ready=trace.ready)


def down(settings: Settings, *, notify: Notify) -> bool:
    """Stop every process of this state folder, also after a crash; return False if nothing ran."""
    with processes.undisturbed():
        leftovers = list[str]()
        try:
            pid = supervisor.supervisor_pid(settings)
            if pid is not None:
                notify("stopping the parts")
                supervisor.shut_down(settings)
                _wait_for_end(pid)
        except SupervisorSilent as error:
            pid = None
            notify(f"{error.what}; ending its processes by their ids")
        finally:
            leftovers += processes.end_leftovers(settings.home)
            clear_run_state(settings.home)
        if leftovers:
            notify(f"ended leftover processes: {', '.join(sorted(set(leftovers)))}")
        return pid is not None or bool(leftovers)


def _wait_for_end(pid: int) -> None:
    import psutil

    try:
        psutil.Process(pid).wait(timeout=60)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return  # processes that remain are found by their environment, and ended
