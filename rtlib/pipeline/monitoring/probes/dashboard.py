"""Dashboard probe: memory and processor time of the process that shows the graph."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.records import Observation, Reading, Status


class DashboardProbe:
    """Observes its own process, which is the kernel behind the graph."""

    def __init__(self, settings: Settings) -> None:
        import psutil

        self._process = psutil.Process()

    def look(self) -> Mapping[str, Observation]:
        """Memory and processor time of the kernel."""
        now = datetime.now(UTC)
        readings = (
            Reading("memory", self._process.memory_info().rss / 1024 / 1024, "MB", now),
            Reading("processor", self._process.cpu_percent(), "% of a core", now),
        )
        return {"dashboard": Observation(Status.HEALTHY, "you are looking at it", now, readings)}

    def close(self) -> None:
        """Nothing to close."""
