"""Processes: which ones belong to a state folder, what they weigh, and how to end those left over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

MEGABYTE = 1024 * 1024
# What asks a command to end: Ctrl-C, a polite kill, a closed terminal.
ENDING = tuple(number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)))


def processes_of(home: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Each (part, process) whose environment says that it was started for this state folder.

    A part's children inherit the mark, so the JVM of the streaming application counts as ``stream``. The supervisor
    itself comes as ``supervisor``; it is known by the configuration file on its command line.
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
    """The state folders on this machine whose supervisor runs, as far as this user may see."""
    homes = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            words = process.cmdline()
            if "supervisor.supervisord" in words:
                homes.add(Path(words[-1]).parent.parent)
    return homes


def resident_megabytes(home: Path) -> dict[str, float]:
    """Resident memory of each part in MB, children included."""
    sizes: dict[str, float] = {}
    for part, process in processes_of(home):
        try:
            sizes[part] = sizes.get(part, 0.0) + process.memory_info().rss / MEGABYTE
        except psutil.Error:
            continue
    return sizes


def end_leftovers(home: Path, *, grace_seconds: float = 10.0) -> list[str]:
    """End every process of this state folder that still runs, by its id; return the parts that were ended.

    The supervisor goes first, so that it restarts nothing. What is suspended goes on, or it could not end politely; a
    suspended supervisor is killed, because it would start anew what has ended meanwhile.
    """
    found = sorted(processes_of(home), key=lambda pair: pair[0] != "supervisor")
    for part, process in found:
        _quietly(process.kill if part == "supervisor" and _is_suspended(process) else process.terminate)
        _quietly(process.resume)
    _, stubborn = psutil.wait_procs([process for _, process in found], timeout=grace_seconds)
    for process in stubborn:
        _quietly(process.kill)
    psutil.wait_procs(stubborn, timeout=grace_seconds)
    return [part for part, _ in found]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Within it nothing more is asked to end: what is ending already goes to its end, a second Ctrl-C or not."""
    if threading.current_thread() is not threading.main_thread():  # the others get no signals
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_suspended(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED
    return False


def _quietly(action: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        action()
