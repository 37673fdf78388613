"""State folder: locked during `up`, closed to other users, laid out for a start, and emptied by a reset."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rtlib import private
from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError, EnvironmentProblem, ServiceError
from rtlib.run_state import clear_run_state, make_secrets, save_options
from rtlib.services import ports, processes, supervisor
from rtlib.services.broker import prepare_broker
from rtlib.services.jars import Jars
from rtlib.services.java import Java
from rtlib.services.jvm import FIRST_COMPILER_TIER, LOW_MEMORY
from rtlib.services.parts import programs
from rtlib.services.registry import check_store, prepare_registry

# A folder with files in it is a state folder if it holds at least one of these.
MARKERS = {"course.json", "jars", "logs", "ports.json", "run", "run.json", "secrets.json", "up.lock", "warehouse"}
LOCK_SECONDS = 180
PROGRESS_FILE = "course.json"  # of the lessons


@contextmanager
def up_lock(settings: Settings) -> Iterator[None]:
    """One ``up`` at a time, because two would choose the same ports; the second one finds the stack running.

    Raises:
        ConfigError: The folder holds files, and none of a stack.
        EnvironmentProblem: It cannot be made or written.
        ServiceError: Another ``up`` has held the lock for three minutes.
    """
    lock = FileLock(settings.home / "up.lock", timeout=LOCK_SECONDS)
    try:
        _refuse_foreign_folder(settings.home)
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


def close_to_others(settings: Settings) -> int:
    """Remove other users' access to the state folder; returns the number of files and folders that changed.

    Raises:
        EnvironmentProblem: Another user owns something in it.
    """
    try:
        return private.close_to_others(settings.home)
    except PermissionError as error:
        raise EnvironmentProblem(
            f"{error.filename} in the state folder belongs to another user", cure=f"sudo chown -R $USER {settings.home}"
        ) from error


def lay_out(settings: Settings, java: Java, jars: Jars, *, chosen: Mapping[str, object]) -> Settings:
    """Write everything that must be on disk before the supervisor starts.

    Returns:
        Settings with the chosen ports.

    Raises:
        EnvironmentProblem: The disk is full, or a pinned port is busy.
        ServiceError: The storage of the broker or of the registry is damaged.
    """
    try:
        ports.choose(settings)
        clear_run_state(settings.home)  # options of an earlier stack, if a crash left them
        settings = load_settings(**chosen, home=settings.home)
        save_options(settings.home, settings.run_options())
        make_secrets(settings.home)
        check_store(settings)
        prepare_broker(settings, java=java.path, jars=jars["kafka"])
        prepare_registry(settings)
        _write_supervisor_config(settings, java.path, jars, chosen)
    except OSError as error:
        raise EnvironmentProblem(
            f"{settings.home} cannot be written: {error.strerror or error}",
            cure="free some space (rtlib doctor shows how much is needed) or set RTLIB_HOME to another folder",
        ) from error
    return settings


def reset(settings: Settings, *, downloads: bool = False, progress: bool = False) -> None:
    """Empty the state folder of a stopped stack.

    Args:
        settings: The state folder.
        downloads: Whether the downloaded jars go too.
        progress: Whether the learner's progress goes too.

    Raises:
        ServiceError: The stack, a stack below its folder, or a process left by a crash is running.
    """
    alive = sorted({part for part, _ in processes.processes_of(settings.home)})
    alive += [str(home) for home in processes.running_homes() if settings.home in home.parents]  # such as a benchmark's
    if alive:
        raise ServiceError(
            f"the stack of {settings.home} is running ({', '.join(alive)}), so its state cannot be emptied",
            cure=f"RTLIB_HOME={settings.home} rtlib down, then rtlib reset",
        )
    if not settings.home.exists():
        return
    for entry in settings.home.iterdir():
        if (entry.name == "jars" and not downloads) or (entry.name == PROGRESS_FILE and not progress):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuse_foreign_folder(home: Path) -> None:
    """Protect a folder with other content, because a state folder is closed to other users and emptied by a reset."""
    names = {path.name for path in home.iterdir()} if home.is_dir() else set()
    if names and not names & MARKERS:
        raise ConfigError(
            f"{home} is not a state folder: it holds {', '.join(sorted(names)[:3])} and nothing of rtlib",
            cure="set RTLIB_HOME to a folder that is new or empty",
        )


def _write_supervisor_config(
    settings: Settings, java_path: Path, jars: Mapping[str, tuple[Path, ...]], chosen: Mapping[str, object]
) -> None:
    variables = {f"RTLIB_{name.upper()}": str(value) for name, value in chosen.items()}
    variables["JAVA_HOME"] = str(java_path.parent.parent)
    # glibc keeps up to eight memory pools per core; Spark's native buffers never fill them evenly.
    variables["MALLOC_ARENA_MAX"] = "2"
    variables["SPARK_LAUNCHER_OPTS"] = f"{FIRST_COMPILER_TIER} {' '.join(LOW_MEMORY)}"  # it writes a command line
    supervisor.write_config(settings, programs(settings, java=java_path, jars=jars), environment=variables)
