"""Job process: a batch job in a process of its own, of low priority."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO

import psutil

from rtlib import private
from rtlib.config import Settings, inherited_environment
from rtlib.records import BatchJob

NICE = 10  # the stream, the loader and the app come first


def start(
    job: BatchJob, *, reason: str, output: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a job, recorded with this reason; output and environment are those of this process unless given."""
    command = (sys.executable, "-m", "rtlib", "batch", "run", job.value, "--reason", reason)
    return start_command(command, output=output, environment=environment)


def start_command(
    command: Sequence[str], *, output: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command with low priority."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
    with suppress(psutil.Error):  # it has ended already
        psutil.Process(process.pid).nice(NICE)
    return process


def start_in_background(settings: Settings, job: BatchJob) -> None:
    """Start a job for a button of the app; its output goes to ``logs/run-now.log``.

    Raises:
        ServiceError: No stack runs.
    """
    if settings.local_warehouse:
        settings.local_port("warehouse")  # raises if no stack runs
    log = private.make_folder(settings.home / "logs") / "run-now.log"
    private.append(log, f"{job}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
    # Marked as a process of the batch part, so that a stop of the stack ends it too.
    variables = {**inherited_environment(), "RTLIB_PART": "batch", "RTLIB_HOME": str(settings.home)}
    with log.open("ab") as output:
        process = start(job, reason="run now", output=output, environment=variables)
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay as a zombie
