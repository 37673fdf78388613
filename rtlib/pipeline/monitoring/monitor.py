"""Monitor: collects the observations of all probes in the background, so that a view never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rtlib.config import Settings
from rtlib.errors import RtlibError, WarehouseDamaged
from rtlib.graph import KpiBoard
from rtlib.pipeline.monitoring.probe import Probe, ProbeFactory
from rtlib.records import Observation, Status

INTERVAL_SECONDS = 0.8
STOP_SECONDS = 5.0


class Monitor:
    """Runs each probe about once a second in its own thread; a slow or dead part does not delay the others.

    Args:
        settings: What to observe.
        probes: The probes by name.
        board: Returns the newest KPI board; without it the board is empty.
        restart_loops: Returns a reason for each observation whose process exits again and again, by its name.
    """

    def __init__(
        self,
        settings: Settings,
        probes: Mapping[str, ProbeFactory],
        *,
        board: Callable[[], KpiBoard] | None = None,
        restart_loops: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._settings = settings
        self._probes = probes
        self._board = board or (lambda: KpiBoard(title=settings.domain))
        self._restart_loops = restart_loops
        self._observations: dict[str, Observation] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def names(self) -> frozenset[str]:
        """The names of all observations that its probes make."""
        return frozenset(name for factory in self._probes.values() for name in factory.names)

    def start(self) -> Self:
        """Start the probes; returns itself."""
        for name, factory in self._probes.items():
            thread = threading.Thread(target=self._run, args=(factory,), name=f"probe-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Stop the probes, and give them a moment to close their connections."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=STOP_SECONDS)

    def observations(self) -> Mapping[str, Observation]:
        """The newest observation of each part, by name; returns at once."""
        loops = self._restart_loops()
        return {
            name: replace(observation, status=Status.STOPPED, reason=loops[name]) if name in loops else observation
            for name, observation in dict(self._observations).items()
        }

    def kpis(self) -> KpiBoard:
        """The newest KPIs of the domain; returns at once."""
        return self._board()

    def _run(self, factory: ProbeFactory) -> None:
        while not self._stop.is_set():
            probe: Probe | None = None
            try:
                probe = factory.build(self._settings)
                while not self._stop.is_set():
                    self._observations.update(probe.look())
                    self._stop.wait(INTERVAL_SECONDS)
            except Exception as error:  # any error that a dead part causes in a client must not end this thread
                self._note_failure(factory.names, error)
            finally:
                if probe is not None:
                    _close(probe)
            self._stop.wait(INTERVAL_SECONDS)

    def _note_failure(self, names: tuple[str, ...], error: Exception) -> None:
        """Mark these parts as stopped, and keep their last readings with the time at which they were true."""
        reason = error.what if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, WarehouseDamaged):  # the reason is cut off below; the cure must not be
            reason = f"{reason[:140]}; cure: {error.cure}"
        reason, now = reason.splitlines()[0][:200], datetime.now(UTC)
        for name in names:
            last = self._observations.get(name) or Observation(Status.STOPPED, reason, now)
            self._observations[name] = replace(last, status=Status.STOPPED, reason=reason, at=now)


def _close(probe: Probe) -> None:
    try:
        probe.close()
    except Exception:  # the part is dead, and so is the connection
        return
