"""Sandbox worker: the process that runs answers, each in a fork of its own with bounds on time, memory and output.

The worker has a single thread and imports what answers need once, so a fork takes milliseconds and is safe. Its
requests and replies are pickles, each after its length in eight bytes.
"""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, BinaryIO

MAX_REPLY_BYTES = 1 << 20
MAX_KEPT_OUTPUT = 4_000  # bytes
LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Request:
    """Work for a fork.

    Attributes:
        call: ``module:function``; the function gets the arguments and returns something that can be pickled.
        payload: The pickled arguments. They are read in the fork, because reading them can run a learner's code.
        seconds: The limit in time.
        megabytes: The limit in memory, beyond what the worker itself uses.
        preload: Modules to import before the fork.
    """

    call: str
    payload: bytes
    seconds: float
    megabytes: int
    preload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        outcome: ``done``, ``late``, ``memory``, ``ended`` or ``error``.
        value: What the function returned, pickled; for ``error`` the traceback.
        output: The beginning of what was printed.
        printed: The number of bytes that were printed.
    """

    outcome: str
    value: bytes = b""
    output: bytes = b""
    printed: int = 0


def read(stream: BinaryIO | BufferedReader) -> Any:
    """The next message; raises EOFError when the other side has closed."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))  # noqa: S301  both sides are processes of the learner


def write(stream: BinaryIO, message: Any) -> None:
    """Send a message."""
    content = pickle.dumps(message)
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


def main() -> None:
    """Serve requests until the other side closes."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    with suppress(EOFError, BrokenPipeError):
        while True:
            write(replies, serve(read(requests)))


def serve(request: Request) -> Reply:
    """Run a request in a fork and wait for its end, or end it."""
    for module in request.preload:
        importlib.import_module(module)
    (result, result_in), (printed, printed_in) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _run(request, result_in, printed_in)
    for number in (result_in, printed_in):
        os.close(number)
    try:
        return _collect(result, printed, time.monotonic() + request.seconds)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ProcessLookupError):  # it may not have made its group yet
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for number in (result, printed):
            os.close(number)


def _collect(result: int, printed: int, until: float) -> Reply:
    """Read both pipes until the result is complete or time is up; of the output only the beginning is kept."""
    value, output, count, open_pipes = b"", b"", 0, {result, printed}
    while result in open_pipes:
        ready, _, _ = select.select(tuple(open_pipes), (), (), max(0.0, until - time.monotonic()))
        if not ready:
            return Reply("late", output=output, printed=count)
        for number in ready:
            chunk = os.read(number, 1 << 16)
            if not chunk:
                open_pipes.discard(number)
            elif number == result:
                value += chunk
            else:
                count, output = count + len(chunk), (output + chunk)[:MAX_KEPT_OUTPUT]
    outcome, _, value = value.partition(b":")
    return Reply(outcome.decode() or "ended", value, output, count)


def _run(request: Request, result: int, printed: int) -> None:
    """In the fork: call the function, send its result and end."""
    os.setsid()
    for number in (1, 2):
        os.dup2(printed, number)
    sys.stdout = sys.stderr = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: PTH123, SIM115
    try:
        bound_memory(request.megabytes)
        answer = b"done:" + pickle.dumps(_function(request.call)(*pickle.loads(request.payload)))  # noqa: S301
    except MemoryError:
        answer = b"memory:"
    except BaseException:  # also SystemExit and KeyboardInterrupt, which an answer can raise
        answer = b"error:" + traceback.format_exc(limit=-4)[-2_000:].encode()
    with suppress(Exception):
        sys.stdout.flush()
    answer = answer if len(answer) <= MAX_REPLY_BYTES else b"memory:"
    while answer:
        answer = answer[os.write(result, answer) :]
    os._exit(0)


def bound_memory(megabytes: int) -> None:
    """Limit the address space of this process to what it uses now and some more, where the system can."""
    with suppress(OSError, ValueError):
        import psutil

        limit = psutil.Process().memory_info().vms + megabytes * 1024 * 1024
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))


def _function(call: str) -> Callable[..., Any]:
    module, _, name = call.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


if __name__ == "__main__":
    main()
