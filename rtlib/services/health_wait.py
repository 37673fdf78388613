"""Health wait: repeats the health checks of parts until all of them pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import (
    CheckpointTorn,
    RegistryDamaged,
    RtlibError,
    ServiceError,
    SupervisorStopping,
    WarehouseDamaged,
)
from rtlib.notify import Notify
from rtlib.services import restarts, supervisor
from rtlib.services.logs import tail_log
from rtlib.services.status import HealthCheck, known_damage

MAX_STARTS = 5  # a part that has ended this often will not stay up
LASTING = (WarehouseDamaged, RegistryDamaged, CheckpointTorn, SupervisorStopping)  # waiting would not end these
ENDED = ("BACKOFF", "EXITED", "FATAL")  # states of a part without a process
PAUSE_SECONDS = 0.2
Ready = Callable[[str, float], None]  # a part, and when it was started, in Unix seconds


def wait_healthy(settings: Settings, name: str, check: HealthCheck, *, until: float, notify: Notify) -> None:
    """Repeat the health check of a part until it passes; see ``wait_all_healthy``."""
    wait_all_healthy(settings, {name: check}, until=until, notify=notify)


def wait_all_healthy(
    settings: Settings,
    checks: Mapping[str, HealthCheck],
    *,
    until: float,
    notify: Notify,
    ready: Ready = lambda name, started: None,
) -> None:
    """Repeat the health checks of some parts until each has passed.

    Args:
        settings: The state folder.
        checks: The health check of each part, by name.
        until: When to give up, in seconds of ``time.monotonic``; at least one second is allowed.
        notify: Receives one line with the result of each part.
        ready: Called when a part passes.

    Raises:
        ServiceError: A part did not answer in time, or keeps ending; the message ends with the last lines of its
            log.
        WarehouseDamaged: The warehouse's file cannot be read; waiting would not change that.
        RegistryDamaged: The registry has ended because of its store.
        SupervisorStopping: Another command stops the stack.
        CheckpointTorn: The part runs, but a query is stopped until its checkpoint has been rebuilt.
    """
    began = time.monotonic()
    waits = [_Wait(settings, name, check) for name, check in checks.items()]

    def attempt() -> None:
        for wait in [wait for wait in waits if not wait.passed]:
            if wait.attempt():
                notify(f"{wait.name:<10} {wait.detail} ({time.monotonic() - began:.1f} s)")
                ready(wait.name, wait.started_at)
        if not all(wait.passed for wait in waits):
            raise _NotYet

    timed_out = stop_after_delay(max(1.0, until - began))
    retrying = Retrying(
        stop=lambda state: timed_out(state) or any(len(wait.starts) > MAX_STARTS for wait in waits),
        wait=wait_fixed(PAUSE_SECONDS),
        retry=retry_if_exception_type(_NotYet),
    )
    try:
        retrying(attempt)
    except RetryError:
        raise next(wait for wait in waits if not wait.passed).failure() from None


class _NotYet(Exception):
    """A part has not passed yet."""


class _Wait:
    """The wait for a part.

    Attributes:
        starts: The times at which its process was started.
        passed: Its health check has passed.
        detail: The result of its health check, or the reason why that failed last.
    """

    def __init__(self, settings: Settings, name: str, check: HealthCheck) -> None:
        self._settings, self.name, self._check = settings, name, check
        self.starts = set[float]()
        self.passed, self.detail = False, ""

    @property
    def started_at(self) -> float:
        """When its process was last started, in Unix seconds."""
        return max(self.starts, default=0.0)

    def attempt(self) -> bool:
        """Run the check once; True if it passed.

        Raises:
            RtlibError: One that will not go away.
        """
        try:
            self.detail, self.passed = self._look(), True
        except LASTING:
            raise
        except RtlibError as error:
            self.detail = str(error).splitlines()[0]
        return self.passed

    def _look(self) -> str:
        settings, name = self._settings, self.name
        part = supervisor.states(settings).get(name)
        if part and part.started_at:
            self.starts.add(part.started_at)
        if part and (part.state in ENDED or len(self.starts) > 1) and (damage := known_damage(settings, name)):
            raise damage
        if part and part.state != "RUNNING":  # a heartbeat that the check finds may be an earlier process's
            raise ServiceError(f"it is {part.state.lower()}")
        if loop := restarts.loops(settings).get(name):
            raise ServiceError(loop)
        return self._check(settings)

    def failure(self) -> ServiceError:
        """The error for a part that did not pass, with the end of its log."""
        ends = len(self.starts) - 1
        times = f" and has ended {ends} times" if ends > 0 else ""
        log_end = "\n    ".join(tail_log(self._settings, self.name, 8))
        return ServiceError(
            f"{self.name} does not answer{times}: {self.detail}\n  The end of its log:\n    {log_end}",
            cure=f"rtlib logs {self.name} shows more; rtlib doctor checks the machine",
        )
