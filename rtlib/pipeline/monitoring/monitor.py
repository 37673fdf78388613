"""Monitor: gathers what every probe sees, in the background, so that whoever looks never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.config import Settings
from rtlib.errors import RtlibError, WarehouseDamaged
from rtlib.graph import KpiBoard
from rtlib.records import Observation, Status
from rtlib.services import restarts


class Probe(Protocol):
    """Looks at some parts. Built anew after a failure, so it may hold connections."""

    names: tuple[str, ...]

    def look(self) -> Mapping[str, Observation]:
        """What it sees now, by the names it answers for."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


class Monitor:
    """Runs each probe about once a second in a thread of its own; a slow or dead part holds up no other.

    Args:
        settings: What to look at.
        probes: Makers of the probes.
        board: The probe among them that also knows the KPIs, asked for the newest board.
        loops: Asked what to say of those whose process ends again and again, by the names the probes answer for.
    """

    def __init__(
        self,
        settings: Settings,
        probes: Mapping[str, Callable[[Settings], Probe]],
        *,
        loops: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._settings = settings
        self._loops = loops
        self._probes = probes
        self._seen: dict[str, Observation] = {}
        self._board = KpiBoard(title=settings.domain)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Begin to look; returns itself."""
        for name, make in self._probes.items():
            thread = threading.Thread(target=self._watch, args=(make,), name=f"probe-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        """Stop looking, and wait a moment for the probes to give their connections back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)

    def observations(self) -> Mapping[str, Observation]:
        """The newest observation of each probe, by its name; at once."""
        loops = self._loops()
        return {
            name: replace(one, status=Status.STOPPED, reason=loops[name]) if name in loops else one
            for name, one in dict(self._seen).items()
        }

    def kpis(self) -> KpiBoard:
        """The newest KPIs of the domain; at once."""
        return self._board

    def _watch(self, make: Callable[[Settings], Probe]) -> None:
        while not self._stop.is_set():
            probe: Probe | None = None
            names: tuple[str, ...] = getattr(make, "names", ())
            try:
                probe = make(self._settings)
                while not self._stop.is_set():
                    self._seen.update(probe.look())
                    self._board = getattr(probe, "board", None) or self._board
                    self._stop.wait(0.8)
            except Exception as error:  # whatever a dead part makes a client raise must not end the watch
                self._note_failure(names, error)
            finally:
                if probe is not None:
                    _close(probe)
            self._stop.wait(0.8)

    def _note_failure(self, names: tuple[str, ...], error: Exception) -> None:
        """Say that these parts do not answer, and keep their last numbers with the time they were true."""
        said = error.what if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}".rstrip(": ")
        if isinstance(error, WarehouseDamaged):  # the reason is cut off below; the cure must not be
            said = f"{said[:140]}; cure: {error.cure}"
        now = datetime.now(UTC)
        for name in names:
            before = self._seen.get(name) or Observation(Status.STOPPED, said, now)
            self._seen[name] = replace(before, status=Status.STOPPED, reason=said.splitlines()[0][:200], at=now)


def _close(probe: Probe) -> None:
    try:
        probe.close()
    except Exception:  # it is being thrown away because its part is dead
        return


def monitor(settings: Settings) -> Monitor:
    """The monitor of the whole pipeline, started."""
    from rtlib.pipeline.monitoring.probes.catalog import PROBES

    parts = {one.probe: one.part for one in ARCHITECTURE_COMPONENTS_LIST if one.probe and one.part}

    def loops() -> Mapping[str, str]:
        found = restarts.loops(settings)
        return {probe: found[part] for probe, part in parts.items() if part in found}

    return Monitor(settings, PROBES, loops=loops).start()
