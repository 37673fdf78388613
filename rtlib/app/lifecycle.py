"""Lifecycle: starts the stack for one command, and stops it afterwards if the command started it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.notify import Notify
from rtlib.pipeline import batch_log
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.provision import provision
from rtlib.run_state import load_options
from rtlib.services import stack, state_folder, supervisor
from rtlib.services.start_trace import StartTrace
from rtlib.services.warehouse_salvage import INTERRUPTED


def start(
    settings: Settings,
    chosen: Mapping[str, object],
    *,
    notify: Notify,
    idle: Collection[str] = (),
    trace: StartTrace | None = None,
) -> bool:
    """Start the stack, or report which of the settings a running stack ignores.

    Args:
        settings: Where and how.
        chosen: Settings given on the command line, by name.
        notify: Receives one line for each step.
        idle: Parts that are left stopped.
        trace: Receives what the start spends its time on.

    Returns:
        True when this call started the stack, False when it was running already.

    Raises:
        ConfigError: The stack is running for another domain.
        RtlibError: It could not be started.
    """
    with health.checks_at_start() as checks:
        started = stack.up(
            settings, checks=checks, prepare=provision, chosen=chosen, notify=notify, idle=idle, trace=trace
        )
    if (settings.home / INTERRUPTED).exists():
        notify("a rebuild of the warehouse was interrupted, so KPIs are missing; finish it: rtlib rebuild warehouse")
    if batch_log.has_old_history(settings):
        notify("history was loaded at another rate than the stream's; replace it: rtlib backfill, then rtlib dbt build")
    if not started:
        _report_ignored({**settings.run_options(), **chosen}, load_options(settings.home), notify=notify)
    return started


def _report_ignored(requested: Mapping[str, object], active: Mapping[str, object], *, notify: Notify) -> None:
    ignored = {name: value for name, value in active.items() if requested.get(name, value) != value}
    if "domain" in ignored:
        raise ConfigError(
            f"the stack is running for {active['domain']}",
            cure=f"rtlib down, then rtlib up --domain {requested['domain']}",
        )
    for name, value in ignored.items():
        notify(
            f"the stack runs with {name} {value}; {requested[name]} is ignored. To change it: rtlib down, then rtlib up"
        )


@contextmanager
def running_stack(
    settings: Settings, chosen: Mapping[str, object], *, notify: Notify, idle: Collection[str] = ()
) -> Iterator[Settings]:
    """A running stack, started if necessary; if this started it, it is stopped at the end, also after an error."""
    with interrupt_on_signal():
        started = False
        try:
            started = start(settings, chosen, notify=notify, idle=idle)
            yield load_settings(home=settings.home)
        finally:
            if started:
                stack.down(settings, notify=notify)


@contextmanager
def scratch_folder(settings: Settings, name: str) -> Iterator[Settings]:
    """An empty state folder below the usual one that shares its downloads; removed at the end.

    Raises:
        ServiceError: A stack is running and would share the machine.
    """
    if supervisor.supervisor_pid(settings) is not None:
        raise ServiceError(f"a stack is running and would share the machine with the {name}", cure="rtlib down")
    home = settings.home / name
    state_folder.reset(load_settings(home=home), downloads=True, progress=True)
    home.mkdir(parents=True, exist_ok=True)
    (settings.home / "jars").mkdir(exist_ok=True)
    (home / "jars").symlink_to(settings.home / "jars")
    try:
        yield load_settings(home=home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def interrupt_on_signal() -> Iterator[None]:
    """Handle SIGTERM and a closed terminal like Ctrl-C, so that whatever was started is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
    handlers = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
