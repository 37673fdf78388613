"""Still: a part that stands still for a while, and goes on whatever becomes of the one that stopped it."""

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
    """The part's process, which must belong to this state folder.

    Raises:
        ServiceError: The part does not run here.
    """
    state = supervisor.states(settings).get(part)
    if state is None or state.state != "RUNNING":
        raise ServiceError(
            f"{part} is not running here, so nothing can be done to it", cure="rtlib up, or rtlib start " + part
        )
    ours = {one.pid for name, one in processes.processes_of(settings.home) if name == part}
    if state.pid not in ours or state.pid == os.getpid():
        raise ServiceError(f"process {state.pid} is not this state folder's {part}", cure="rtlib status")
    return psutil.Process(state.pid)


@contextmanager
def goes_on_in_any_case(victim: psutil.Process) -> Iterator[None]:
    """A process that is stopped within goes on at the end, also if the one that stopped it is killed meanwhile.

    The supervisor takes a stopped process for a running one, so nobody else would wake it. A child that outlives its
    parent reads the end of a pipe and sends the signal; it is the only one that does, so both ends are the same.
    """
    watch = (
        "import contextlib, os, sys; sys.stdin.read()\n"
        f"with contextlib.suppress(ProcessLookupError): os.kill({victim.pid}, {signal.SIGCONT:d})"
    )
    with subprocess.Popen((sys.executable, "-S", "-c", watch), stdin=subprocess.PIPE, start_new_session=True):
        yield


@contextmanager
def frozen(settings: Settings, part: str) -> Iterator[None]:
    """A part and all its children take no processor time within; what they hold they keep.

    Raises:
        ServiceError: The part does not run here.
    """
    first = process_of(settings, part)
    with ExitStack() as ends:
        try:
            _stop_all(first, ends)
        except psutil.NoSuchProcess as error:
            raise ServiceError(f"{part} has just ended", cure="rtlib status") from error
        yield


def _stop_all(one: psutil.Process, ends: ExitStack) -> None:
    ends.enter_context(goes_on_in_any_case(one))
    one.suspend()
    for child in one.children():  # asked now, when it starts no more of them
        with suppress(psutil.NoSuchProcess):  # it has ended by itself
            _stop_all(child, ends)
