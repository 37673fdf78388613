"""Peak: the most memory that each part, and the stack as a whole, had while something went on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rtlib.config import Settings
from rtlib.services import processes
from rtlib.services.parts import PROMISED_MB

TOLERANCE = 1.2  # what a stack under attack may have of what its profile promises


@dataclass
class Peak:
    """Resident memory in MB at its highest; ``parts`` are not all at theirs at the same moment."""

    allowed_mb: float
    stack_mb: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """True when the stack stayed within what is allowed."""
        return self.stack_mb <= self.allowed_mb

    def note(self, sizes: Mapping[str, float]) -> None:
        """Note what the parts have now."""
        self.stack_mb = max(self.stack_mb, round(sum(sizes.values()), 1))
        self.parts.update({name: max(self.parts.get(name, 0.0), round(size, 1)) for name, size in sizes.items()})

    def render(self) -> str:
        """A sentence: the stack's peak, what is allowed, and each part's."""
        parts = ", ".join(f"{name} {size:,.0f}" for name, size in sorted(self.parts.items()))
        return f"peak memory: {self.stack_mb:,.0f} MB, {self.allowed_mb:,.0f} allowed; by part: {parts}"


@contextmanager
def peak_memory(settings: Settings, *, every_seconds: float = 1.0) -> Iterator[Peak]:
    """Look at the stack's memory again and again while the block runs."""
    peak, stop = Peak(round(TOLERANCE * PROMISED_MB[settings.profile])), threading.Event()

    def look() -> None:
        while not stop.wait(every_seconds):
            peak.note(processes.resident_megabytes(settings.home))

    thread = threading.Thread(target=look, name="peak-memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join(timeout=30)
