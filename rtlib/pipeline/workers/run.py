"""Run: starts a worker by its name and lets SIGTERM stop it."""

from __future__ import annotations

import pkgutil
import signal
import threading
from collections.abc import Callable

from rtlib.config import Settings
from rtlib.errors import ConfigError

Worker = Callable[[Settings, threading.Event], None]
# Entry points as text, so that a process imports only its own worker.
WORKERS = {
    "stream": "rtlib.pipeline.workers.stream:run_stream",
    "loader": "rtlib.pipeline.workers.loader:run_loader",
    "simulator": "rtlib.pipeline.workers.simulator:run_simulator",
    "alerts": "rtlib.pipeline.workers.alerting:run_alerts",
    "receiver": "rtlib.pipeline.workers.receiver:run_receiver",
    "batch": "rtlib.pipeline.workers.batch:run_batch",
}


def worker(name: str) -> Worker:
    """The function that runs a worker until its event is set.

    Raises:
        ConfigError: There is no worker of this name.
    """
    if name not in WORKERS:
        raise ConfigError(f"there is no worker {name!r}", cure=f"use one of: {', '.join(WORKERS)}")
    function: Worker = pkgutil.resolve_name(WORKERS[name])
    return function


def run_part(name: str, settings: Settings) -> None:
    """Run a worker in this process until SIGTERM or SIGINT.

    Raises:
        ConfigError: There is no worker of this name.
        RtlibError: A service that the worker needs is missing; the supervisor restarts the worker.
    """
    run, stop = worker(name), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop)
