"""Peak: the highest memory use of each part, and of the whole stack, during a block."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rtlib.config import Settings
from rtlib.faults.background import background
from rtlib.services import processes
from rtlib.services.parts import PROMISED_MB

TOLERANCE = 1.2  # a stack under attack may use this multiple of its profile's memory


@dataclass
class Peak:
    """Peak resident memory in MB; ``parts`` do not all peak at the same moment."""

    allowed_mb: float
    stack_mb: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """True if the stack stayed within its limit."""
        return self.stack_mb <= self.allowed_mb

    def note(self, sizes: Mapping[str, float]) -> None:
        """Add a sample: part to its resident memory in MB."""
        self.stack_mb = max(self.stack_mb, round(sum(sizes.values()), 1))
        self.parts.update({name: max(self.parts.get(name, 0.0), round(size, 1)) for name, size in sizes.items()})

    def render(self) -> str:
        """A sentence with the stack's peak, its limit, and each part's peak."""
        parts = ", ".join(f"{name} {size:,.0f}" for name, size in sorted(self.parts.items()))
        return f"peak memory: {self.stack_mb:,.0f} MB, {self.allowed_mb:,.0f} allowed; by part: {parts}"


@contextmanager
def peak_memory(settings: Settings, *, every_seconds: float = 1.0) -> Iterator[Peak]:
    """Sample the stack's memory while the block runs."""
    peak = Peak(round(TOLERANCE * PROMISED_MB[settings.profile]))

    def sample(stop: threading.Event) -> None:
        while not stop.wait(every_seconds):
            peak.note(processes.resident_megabytes(settings.home))

    with background(sample, name="peak-memory"):
        yield peak
