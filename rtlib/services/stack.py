"""Stack: begin, end, ask about and empty the local stack of one state folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from rtlib import private
from rtlib.config import Settings, load_settings
from rtlib.errors import (
    CheckpointTorn,
    ConfigError,
    EnvironmentProblem,
    RegistryDamaged,
    RtlibError,
    ServiceError,
    SupervisorSilent,
    WarehouseDamaged,
)
from rtlib.notify import Notify
from rtlib.run_state import clear_run_state, make_secrets, save_options
from rtlib.services import jars, java, ports, processes, restarts, supervisor
from rtlib.services.broker import prepare_broker
from rtlib.services.logs import path as log_path
from rtlib.services.parts import MEMORY_MB, parts
from rtlib.services.registry import check_store, prepare_registry, store_damage

Check = Callable[[Settings], str]

STARTS = 5  # a part that has needed more of them will not come up by one more
OURS = {"jars", "logs", "ports.json", "run", "run.json", "secrets.json", "up.lock", "warehouse"}  # one of them at least
ENDED = ("BACKOFF", "EXITED", "FATAL")  # states of a part whose process is gone
SERVERS = ("broker", "registry", "warehouse", "receiver")


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part as ``rtlib status`` shows it; ``said`` is what its health check answered, or why it did not.

    A part that is over its memory works, and is healthy; ``said`` then ends with how much it has and with the cure.
    """

    name: str
    state: str
    healthy: bool
    said: str
    pid: int
    uptime_seconds: float
    resident_mb: float
    limit_mb: float = 0.0
    over_memory: bool = False


@dataclass(frozen=True, slots=True)
class StackStatus:
    """All parts, and the resident memory of the whole stack in MB, supervisor included."""

    running: bool
    domain: str
    parts: tuple[PartStatus, ...]
    resident_mb: float
    ports: Mapping[str, int]


def up(
    settings: Settings,
    *,
    checks: Mapping[str, Check],
    prepare: Callable[[Settings], None],
    chosen: Mapping[str, object],
    notify: Notify,
    idle: Collection[str] = (),
    timeout_seconds: float = 240.0,
) -> bool:
    """Start the stack and return when every part that is to run answers its health check.

    Args:
        settings: Where and how.
        checks: For each part, what asks it something and says what it answered; raises RtlibError until it can.
        prepare: Makes topics, schema and tables; called once the servers answer.
        chosen: Settings given for this stack; they are remembered for other terminals, with those that held anyway.
        notify: Receives one line for each step.
        idle: Parts that are not started with the others.
        timeout_seconds: How long all parts together may take to answer.

    Returns:
        False when the stack was running already (nothing was changed), else True.

    Raises:
        EnvironmentProblem: No Java, a busy port that was asked for, a full disk.
        DownloadError: A jar could not be fetched.
        ServiceError: A part does not answer; with the last lines of its log.
        WarehouseDamaged: The warehouse's file cannot be read.
    """
    with _one_at_a_time(settings):
        if supervisor.supervisor_pid(settings) is not None:
            notify("the stack is running already")
            return False
        try:
            found, fetched = _gather(settings, notify=notify)
            with ports.port_lock():
                settings = _lay_out(settings, found, fetched, chosen=chosen)
                supervisor.start(settings)
            running = supervisor.states(settings)
            deadline = time.monotonic() + timeout_seconds
            for name in SERVERS:
                if name in running:
                    wait_healthy(settings, name, checks[name], until=deadline, notify=notify)
            prepare(settings)
            notify("topics, schema and tables are there")
            later = [name for name in running if name not in SERVERS and name not in idle]
            for name in later:
                supervisor.start_part(settings, name, wait=False)
            for name in later:
                wait_healthy(settings, name, checks[name], until=deadline, notify=notify)
        except BaseException:
            down(settings, notify=lambda line: None)
            raise
        return True


def wait_healthy(settings: Settings, name: str, check: Check, *, until: float, notify: Notify) -> None:
    """Ask a part until it answers.

    Raises:
        ServiceError: It did not answer in time, or ended again and again; the message ends with the last lines of its
            log.
        WarehouseDamaged: It is the warehouse, and its file cannot be read: waiting would not change that.
        RegistryDamaged: It is the registry, and it has ended at its store.
        CheckpointTorn: It runs, but a query is stopped until its checkpoint has been rebuilt.
    """
    began, starts = time.monotonic(), set[float]()

    def ask() -> str:
        part = supervisor.states(settings).get(name)
        if part and part.started_at:
            starts.add(part.started_at)
        if part and (part.state in ENDED or len(starts) > 1) and (damage := _damage(settings, name)):
            raise damage
        if part and part.state != "RUNNING":  # the sign of life that the check finds may be an earlier process's
            raise ServiceError(f"it is {part.state.lower()}")
        if loop := restarts.loops(settings).get(name):
            raise ServiceError(loop)
        return check(settings)

    late = stop_after_delay(max(1.0, until - began))
    retrying = Retrying(
        stop=lambda state: late(state) or len(starts) > STARTS,
        wait=wait_fixed(0.2),
        retry=retry_if_exception(_may_pass),
    )
    try:
        said = retrying(ask)
    except RetryError as error:
        reason = str(error.last_attempt.exception()).splitlines()[0]
        again = f" and has ended {len(starts) - 1} times" if len(starts) > 1 else ""
        tail = "\n    ".join(tail_log(settings, name, 8))
        raise ServiceError(
            f"{name} does not answer{again}: {reason}\n  The end of its log:\n    {tail}",
            cure=f"rtlib logs {name} shows more; rtlib doctor checks the machine",
        ) from error
    notify(f"{name:<10} {said} ({time.monotonic() - began:.1f} s)")


def _damage(settings: Settings, name: str) -> RegistryDamaged | None:
    """The damage at which a part ended, where that is known from its log."""
    return store_damage(settings) if name == "registry" else None


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, RtlibError) and not isinstance(error, WarehouseDamaged | RegistryDamaged | CheckpointTorn)


def down(settings: Settings, *, notify: Notify) -> bool:
    """Stop everything that ``up`` began for this state folder, also after a crash; return False if nothing ran."""
    with processes.undisturbed():
        left = list[str]()
        try:
            pid = supervisor.supervisor_pid(settings)
            if pid is not None:
                notify("stopping the parts")
                supervisor.shut_down(settings)
                _wait_for_end(pid)
        except SupervisorSilent as error:
            pid = None
            notify(f"{error.what}; its processes are ended by their ids")
        finally:
            left += processes.end_leftovers(settings.home)
            clear_run_state(settings.home)
        if left:
            notify(f"ended what was left over: {', '.join(sorted(set(left)))}")
        return pid is not None or bool(left)


def status(settings: Settings, *, checks: Mapping[str, Check]) -> StackStatus:
    """Ask the supervisor and every part how they are, and add up what they weigh."""
    sizes = processes.resident_megabytes(settings.home)
    known = supervisor.states(settings)
    told = tuple(_part_status(settings, state, checks, sizes) for state in known.values())
    return StackStatus(bool(known), settings.domain, told, round(sum(sizes.values()), 1), settings.ports)


def reset(settings: Settings, *, downloads: bool = False) -> None:
    """Empty the state folder of a stopped stack; downloaded jars stay unless ``downloads`` is true.

    Raises:
        ServiceError: The stack is running, or some of it is, after a crash of its supervisor.
    """
    alive = sorted({part for part, _ in processes.processes_of(settings.home)})
    alive += [str(one) for one in processes.running_homes() if settings.home in one.parents]  # a benchmark's, for one
    if alive:
        raise ServiceError(
            f"the stack of {settings.home} is running ({', '.join(alive)}), so its state cannot be emptied",
            cure=f"RTLIB_HOME={settings.home} rtlib down, then rtlib reset",
        )
    if not settings.home.exists():
        return
    for entry in settings.home.iterdir():
        if entry.name == "jars" and not downloads:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def tail_log(settings: Settings, name: str, count: int) -> list[str]:
    """The last lines of a part's log, without their line ends; empty when there is none."""
    path = log_path(settings, name)
    if not path.exists():
        return []
    return path.read_text(errors="replace").splitlines()[-count:]


def _gather(settings: Settings, *, notify: Notify) -> tuple[java.Java, jars.Jars]:
    """End what a crash left over, and have Java and the jars here."""
    left = processes.end_leftovers(settings.home)
    if left:
        notify(f"ended what an earlier crash left over: {', '.join(sorted(set(left)))}")
    try:
        changed = private.close_to_others(settings.home)
    except PermissionError as error:
        raise EnvironmentProblem(
            f"{error.filename} in the state folder belongs to another user", cure=f"sudo chown -R $USER {settings.home}"
        ) from error
    if changed:
        notify(f"{changed} files and folders of {settings.home} were open to other users; they no longer are")
    return java.ensure_java(settings), jars.fetch(settings.home, maven_url=settings.maven_url, progress=True)


def _lay_out(settings: Settings, found: java.Java, fetched: jars.Jars, *, chosen: Mapping[str, object]) -> Settings:
    """Everything that must be on disk before the supervisor starts; returns settings that know the ports."""
    try:
        ports.choose(settings)
        clear_run_state(settings.home)  # what an earlier stack was started with, if a crash left it
        settings = load_settings(**chosen, home=settings.home)
        save_options(settings.home, settings.of_a_run())
        make_secrets(settings.home)
        check_store(settings)
        prepare_broker(settings, java=found.path, jars=fetched["kafka"])
        prepare_registry(settings)
        _write_supervisor_config(settings, found.path, fetched, chosen)
    except OSError as error:
        raise EnvironmentProblem(
            f"{settings.home} cannot be written: {error.strerror or error}",
            cure="free some space (rtlib doctor says how much is needed) or set RTLIB_HOME to another folder",
        ) from error
    return settings


def _write_supervisor_config(
    settings: Settings, java_path: Path, fetched: Mapping[str, tuple[Path, ...]], chosen: Mapping[str, object]
) -> None:
    variables = {f"RTLIB_{name.upper()}": str(value) for name, value in chosen.items()}
    variables["JAVA_HOME"] = str(java_path.parent.parent)
    # glibc keeps up to eight pools of memory for each core; Spark's native buffers never fill them evenly.
    variables["MALLOC_ARENA_MAX"] = "2"
    supervisor.write_config(settings, parts(settings, java=java_path, jars=fetched), environment=variables)


def _part_status(
    settings: Settings, state: supervisor.PartState, checks: Mapping[str, Check], sizes: Mapping[str, float]
) -> PartStatus:
    running = state.state == "RUNNING"
    healthy, said = _ask(checks[state.name], settings) if running else (False, state.said or state.state.lower())
    if state.state != "STOPPED" and (loop := restarts.loops(settings).get(state.name)):
        damage = _damage(settings, state.name)
        healthy, said = False, f"{damage.what}; cure: {damage.cure}" if damage else loop
    uptime = time.time() - state.started_at if running else 0.0
    size = round(sizes.get(state.name, 0.0), 1)
    limit = MEMORY_MB[settings.profile].get(state.name, 0)
    if over := 0 < limit < size:
        said = f"{said}; over its memory, {size:,.0f} of {limit:,} MB: rtlib restart {state.name} gives it back"
    return PartStatus(state.name, state.state, healthy, said, state.pid, round(uptime, 1), size, limit, over)


def _ask(check: Check, settings: Settings) -> tuple[bool, str]:
    try:
        return True, check(settings)
    except WarehouseDamaged as error:
        return False, f"{error.what}; cure: {error.cure}"
    except RtlibError as error:
        return False, error.what


def _wait_for_end(pid: int) -> None:
    import psutil

    try:
        psutil.Process(pid).wait(timeout=60)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return  # what is left is ended by its mark


def _refuse_a_folder_of_others(home: Path) -> None:
    """A state folder is closed to other users and emptied by a reset: it must not be a folder with other things in it.

    Raises:
        ConfigError: It has files, and none of a stack.
    """
    names = {path.name for path in home.iterdir()} if home.is_dir() else set()
    if names and not names & OURS:
        raise ConfigError(
            f"{home} is no state folder: it holds {', '.join(sorted(names)[:3])}, and nothing of rtlib",
            cure="set RTLIB_HOME to a folder that is new or empty",
        )


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    """Two ``up`` at the same moment would choose the same ports: the second waits, then finds the stack running."""
    lock = FileLock(settings.home / "up.lock", timeout=180)
    try:
        _refuse_a_folder_of_others(settings.home)
        private.make_folder(settings.home)
        lock.acquire()
    except Timeout as error:
        raise ServiceError("another rtlib up has been busy for three minutes", cure="rtlib status") from error
    except OSError as error:
        raise EnvironmentProblem(
            f"{settings.home} cannot be used as the state folder: {error.strerror}",
            cure="set RTLIB_HOME to a folder you may write",
        ) from error
    try:
        yield
    finally:
        lock.release()
