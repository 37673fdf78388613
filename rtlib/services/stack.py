"""Stack: starts and stops the local stack of a state folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import (
    CheckpointTorn,
    RegistryDamaged,
    RtlibError,
    ServiceError,
    SupervisorSilent,
    SupervisorStopping,
    WarehouseDamaged,
)
from rtlib.notify import Notify
from rtlib.run_state import clear_run_state
from rtlib.services import jars, java, ports, processes, restarts, state_folder, supervisor
from rtlib.services.logs import tail_log
from rtlib.services.parts import PARTS
from rtlib.services.status import HealthCheck, known_damage

MAX_STARTS = 5  # a part that has ended this often will not stay up
LASTING = (WarehouseDamaged, RegistryDamaged, CheckpointTorn, SupervisorStopping)  # waiting would not end these
ENDED = ("BACKOFF", "EXITED", "FATAL")  # states of a part without a process
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
            settings = _start_supervisor(settings, chosen=chosen, notify=notify)
            _start_parts(settings, checks, prepare, idle=idle, until=time.monotonic() + timeout_seconds, notify=notify)
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
) -> None:
    """The servers first, then what they hold, then the parts that need it."""
    configured = supervisor.states(settings)
    for name in (name for name in SERVERS if name in configured):
        wait_healthy(settings, name, checks[name], until=until, notify=notify)
    prepare(settings)
    notify("topics, schema and tables exist")
    others = [name for name in configured if name not in SERVERS and name not in idle]
    for name in others:
        supervisor.start_part(settings, name, wait=False)
    for name in others:
        wait_healthy(settings, name, checks[name], until=until, notify=notify)


def wait_healthy(settings: Settings, name: str, check: HealthCheck, *, until: float, notify: Notify) -> None:
    """Repeat the health check of a part until it passes.

    Args:
        settings: The state folder.
        name: The part.
        check: Its health check.
        until: When to give up, in seconds of ``time.monotonic``; at least one second is allowed.
        notify: Receives one line with the result.

    Raises:
        ServiceError: The part did not answer in time, or keeps ending; the message ends with the last lines of its
            log.
        WarehouseDamaged: The warehouse's file cannot be read; waiting would not change that.
        RegistryDamaged: The registry has ended because of its store.
        SupervisorStopping: Another command stops the stack.
        CheckpointTorn: The part runs, but a query is stopped until its checkpoint has been rebuilt.
    """
    began, starts = time.monotonic(), set[float]()

    def attempt() -> str:
        part = supervisor.states(settings).get(name)
        if part and part.started_at:
            starts.add(part.started_at)
        if part and (part.state in ENDED or len(starts) > 1) and (damage := known_damage(settings, name)):
            raise damage
        if part and part.state != "RUNNING":  # a heartbeat that the check finds may be an earlier process's
            raise ServiceError(f"it is {part.state.lower()}")
        if loop := restarts.loops(settings).get(name):
            raise ServiceError(loop)
        return check(settings)

    timed_out = stop_after_delay(max(1.0, until - began))
    retrying = Retrying(
        stop=lambda state: timed_out(state) or len(starts) > MAX_STARTS,
        wait=wait_fixed(0.2),
        retry=retry_if_exception(_is_transient),
    )
    try:
        detail = retrying(attempt)
    except RetryError as error:
        reason = str(error.last_attempt.exception()).splitlines()[0]
        raise _not_healthy(settings, name, reason, ends=len(starts) - 1) from error
    notify(f"{name:<10} {detail} ({time.monotonic() - began:.1f} s)")


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, RtlibError) and not isinstance(error, LASTING)


def _not_healthy(settings: Settings, name: str, reason: str, *, ends: int) -> ServiceError:
    times = f" and has ended {ends} times" if ends > 0 else ""
    log_end = "\n    ".join(tail_log(settings, name, 8))
    return ServiceError(
        f"{name} does not answer{times}: {reason}\n  The end of its log:\n    {log_end}",
        cure=f"rtlib logs {name} shows more; rtlib doctor checks the machine",
    )


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
