"""Status: the state, health and memory of every part of the local stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from rtlib.config import Settings
from rtlib.errors import RegistryDamaged, RtlibError, WarehouseDamaged
from rtlib.services import peaks, processes, restarts, supervisor
from rtlib.services.parts import BY_NAME
from rtlib.services.registry import store_damage

HealthCheck: TypeAlias = Callable[[Settings], str]
"""Makes a part do its work and returns a few words about it; raises an RtlibError when the part does not answer."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part as ``rtlib status`` shows it.

    Attributes:
        name: The part.
        state: The supervisor's word for it: RUNNING, STARTING, BACKOFF, STOPPED, ...
        healthy: True when its health check passes. A part above its memory limit works, so it is healthy.
        detail: The result of its health check, or why that failed; the key in JSON is ``said``. Above the memory
            limit it ends with the size and the cure.
        pid: Its process id; 0 when it does not run.
        uptime_seconds: How long it has been running.
        resident_mb: Resident memory in MB, children included.
        limit_mb: What it may take, in MB; 0 means no limit.
        peak_mb: The most that it took since the start of the stack, as far as sampled.
        over_memory: True when it takes more.
    """

    name: str
    state: str
    healthy: bool
    detail: str
    pid: int
    uptime_seconds: float
    resident_mb: float
    limit_mb: float = 0.0
    over_memory: bool = False
    peak_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class StackStatus:
    """All parts, and the resident memory of the whole stack in MB and its peak, supervisor included."""

    running: bool
    domain: str
    parts: tuple[PartStatus, ...]
    resident_mb: float
    ports: Mapping[str, int]
    peak_mb: float = 0.0

    @property
    def healthy(self) -> bool:
        """True when the stack runs and every part passes its health check."""
        return self.running and all(part.healthy for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """The object that ``rtlib status --json`` prints."""
        fields = asdict(self)
        parts = [{"said" if name == "detail" else name: part[name] for name in part} for part in fields["parts"]]
        return {**fields, "parts": parts, "healthy": self.healthy}


def status(settings: Settings, *, checks: Mapping[str, HealthCheck]) -> StackStatus:
    """Query the supervisor, run the health check of every part, and measure their memory."""
    sizes = processes.resident_megabytes(settings.home)
    states = supervisor.states(settings)
    most = peaks.note(settings.home, sizes) if states else {}
    parts = tuple(
        replace(_part_status(settings, state, checks, sizes), peak_mb=most.get(state.name, 0.0))
        for state in states.values()
    )
    resident = round(sum(sizes.values()), 1)
    return StackStatus(bool(states), settings.domain, parts, resident, settings.ports, most.get(peaks.WHOLE, 0.0))


def _part_status(
    settings: Settings, state: supervisor.PartState, checks: Mapping[str, HealthCheck], sizes: Mapping[str, float]
) -> PartStatus:
    running = state.state == "RUNNING"
    healthy, detail = False, state.spawn_error or state.state.lower()
    if running:
        healthy, detail = _run_check(checks[state.name], settings)
    if state.state != "STOPPED" and (loop := restarts.loops(settings).get(state.name)):
        damage = known_damage(settings, state.name)
        healthy, detail = False, f"{damage.what}; cure: {damage.cure}" if damage else loop
    uptime = time.time() - state.started_at if running else 0.0
    size = round(sizes.get(state.name, 0.0), 1)
    limit = BY_NAME[state.name].memory_mb[settings.profile] if state.name in BY_NAME else 0
    if over := 0 < limit < size:
        detail = f"{detail}; over its memory, {size:,.0f} of {limit:,} MB: rtlib restart {state.name} gives it back"
    return PartStatus(state.name, state.state, healthy, detail, state.pid, round(uptime, 1), size, limit, over)


def known_damage(settings: Settings, name: str) -> RegistryDamaged | None:
    """The damage that made a part end, if its log names it."""
    return store_damage(settings) if name == "registry" else None


def _run_check(check: HealthCheck, settings: Settings) -> tuple[bool, str]:
    try:
        return True, check(settings)
    except WarehouseDamaged as error:
        return False, f"{error.what}; cure: {error.cure}"
    except RtlibError as error:
        return False, error.what
