"""Run: starts a worker by its name and lets SIGTERM stop it."""

from __future__ import annotations

import logging
import pkgutil
import signal
import threading
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential
from tenacity.nap import sleep_using_event

from rtlib.config import Settings
from rtlib.errors import ConfigError, WarehouseDamaged, WarehouseUnreachable

log = logging.getLogger(__name__)

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

    While the warehouse is away the worker begins anew, after half a second at first and five in the end: a new process
    would import everything again, which takes more of the machine than the work.

    Raises:
        ConfigError: There is no worker of this name.
        RtlibError: Another service that the worker needs is missing; the supervisor restarts the worker.
    """
    run, stop = worker(name), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_until(stop, run, settings)


def run_until(stop: threading.Event, run: Worker, settings: Settings) -> None:
    """Run a worker until ``stop`` is set, and begin anew whenever the warehouse was away.

    Raises:
        RtlibError: What the worker raises, except for the absence of the warehouse.
    """
    patiently = Retrying(
        retry=retry_if_exception_type((WarehouseUnreachable, WarehouseDamaged)),
        wait=wait_exponential(multiplier=0.5, max=5),
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=_say_why,
        retry_error_callback=lambda _: None,  # it is to stop
    )
    patiently(run, settings, stop)


def _say_why(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("the worker begins anew: %s", error)
