"""Run now: a batch job in a process of its own, for a button of the app."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime

import psutil

from rtlib import private
from rtlib.config import Settings, inherited_environment
from rtlib.pipeline.runs import NICE
from rtlib.records import BatchJob


def start_in_background(settings: Settings, job: BatchJob) -> None:
    """Start a job in a process of its own, of low priority; its output goes to ``logs/run-now.log``.

    Raises:
        ServiceError: No stack runs.
    """
    if settings.local_warehouse:
        settings.local_port("warehouse")  # raises if no stack runs
    log = private.make_folder(settings.home / "logs") / "run-now.log"
    private.append(log, f"{job}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n")
    with log.open("ab") as output:
        command = (sys.executable, "-m", "rtlib", "batch", "run", job.value, "--reason", "run now")
        # Marked as a process of the batch part, so that a stop of the stack ends it too.
        variables = {**inherited_environment(), "RTLIB_PART": "batch", "RTLIB_HOME": str(settings.home)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables)
    threading.Thread(target=process.wait, daemon=True).start()  # or it would stay as a zombie
    with suppress(psutil.Error):  # it has ended already
        psutil.Process(process.pid).nice(NICE)
