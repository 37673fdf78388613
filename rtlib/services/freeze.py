"""Freeze: suspends a part; it resumes even if this process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.services import processes, supervisor


def process_of(settings: Settings, part: str) -> psutil.Process:
    """The running process of a part of this state folder.

    Raises:
        ServiceError: The part does not run here.
    """
    state = supervisor.states(settings).get(part)
    if state is None or state.state != "RUNNING":
        raise ServiceError(
            f"{part} is not running here, so it cannot be changed", cure=f"rtlib up, or rtlib start {part}"
        )
    own_pids = {process.pid for name, process in processes.processes_of(settings.home) if name == part}
    if state.pid not in own_pids or state.pid == os.getpid():
        raise ServiceError(f"process {state.pid} is not this state folder's {part}", cure="rtlib status")
    return psutil.Process(state.pid)


@contextmanager
def resumed_at_end(process: psutil.Process) -> Iterator[None]:
    """Send SIGCONT to a process at the end, even if this process is killed before.

    The supervisor cannot distinguish a suspended process from a running one, so nothing else would resume it. A child
    in its own session waits until its pipe from this process closes, by a normal end or by a kill, and sends the
    signal.
    """
    guard = (
        "import contextlib, os, sys; sys.stdin.read()\n"
        f"with contextlib.suppress(ProcessLookupError): os.kill({process.pid}, {signal.SIGCONT:d})"
    )
    with subprocess.Popen((sys.executable, "-S", "-c", guard), stdin=subprocess.PIPE, start_new_session=True):
        yield


@contextmanager
def frozen(settings: Settings, part: str) -> Iterator[None]:
    """Suspend a part and all its children; they keep memory, files and connections but get no processor time.

    Raises:
        ServiceError: The part does not run here.
    """
    root = process_of(settings, part)
    with ExitStack() as resumes:
        try:
            _suspend_tree(root, resumes)
        except psutil.NoSuchProcess as error:
            raise ServiceError(f"{part} has just ended", cure="rtlib status") from error
        yield


def _suspend_tree(process: psutil.Process, resumes: ExitStack) -> None:
    resumes.enter_context(resumed_at_end(process))
    process.suspend()
    for child in process.children():  # listed after the suspension, when it cannot start more
        with suppress(psutil.NoSuchProcess):  # it has ended on its own
            _suspend_tree(child, resumes)
