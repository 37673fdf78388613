"""Processes: those of a state folder, found by their environment, measured and ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MEGABYTE = 1024 * 1024
# Signals that end a command: Ctrl-C, kill, a closed terminal.
ENDING_SIGNALS = tuple(number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)))


def processes_of(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Each (part, process) that was started for this state folder, by its environment variables.

    Children inherit the variables, so the JVM of the streaming application counts as ``stream``. The supervisor itself,
    as ``supervisor``, is recognised by the configuration file on its command line.
    """
    config = str(home / "run" / "supervisord.conf")
    for process in psutil.process_iter():
        try:
            if config in process.cmdline():
                yield "supervisor", process
                continue
            variables = process.environ()
        except (psutil.Error, OSError):
            continue
        if variables.get("RTLIB_HOME") == str(home) and variables.get("RTLIB_PART"):
            yield variables["RTLIB_PART"], process


def running_homes() -> set[Path]:
    """The state folders on this machine whose supervisor runs, of those this user may see."""
    homes = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = process.cmdline()
            if "supervisor.supervisord" in words:
                homes.add(Path(words[-1]).parent.parent)
    return homes


def resident_megabytes(home: Path) -> dict[str, float]:
    """Resident memory of each part in MB, children included; pages that processes share are divided among them."""
    sizes: dict[str, float] = {}
    for part, process in processes_of(home):
        try:
            sizes[part] = sizes.get(part, 0.0) + _proportional_bytes(process) / MEGABYTE
        except psutil.Error:
            continue
    return sizes


def cpu_seconds(home: Path) -> dict[str, float]:
    """Processor seconds of each part since its processes began, children included."""
    seconds: dict[str, float] = {}
    for part, process in processes_of(home):
        with suppress(psutil.Error):
            times = process.cpu_times()
            seconds[part] = seconds.get(part, 0.0) + times.user + times.system
    return seconds


def _proportional_bytes(process: psutil.Process) -> int:
    """The proportional set size where the system reports it (Linux), else the resident set size.

    Each of eight Python processes counts the same libraries in its resident set, so their sum is far too large.
    """
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.rss))


def end_leftovers(home: Path, *, grace_seconds: float = 10.0) -> list[str]:
    """End every process of this state folder by its id, and return their parts.

    The supervisor comes first, so that it restarts nothing. A suspended process is resumed, because it cannot handle
    SIGTERM otherwise; a suspended supervisor is killed, because it would restart the parts that have ended.
    """
    leftovers = sorted(processes_of(home), key=lambda pair: pair[0] != "supervisor")
    for part, process in leftovers:
        _quietly(process.kill if part == "supervisor" and _is_suspended(process) else process.terminate)
        _quietly(process.resume)
    _, remaining = psutil.wait_procs([process for _, process in leftovers], timeout=grace_seconds)
    for process in remaining:
        _quietly(process.kill)
    psutil.wait_procs(remaining, timeout=grace_seconds)
    return [part for part, _ in leftovers]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and the other ending signals, so that a shutdown that has begun is completed."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield
        return
    handlers = {number: signal.signal(number, lambda *_: None) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _is_suspended(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED
    return False


def _quietly(action: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        action()
