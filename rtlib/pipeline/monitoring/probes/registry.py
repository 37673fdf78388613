"""Registry probe: the subjects of the schema registry and the newest version of the domain's schema."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.broker.registry import latest, subjects
from rtlib.broker.subjects import events_subject
from rtlib.config import Settings
from rtlib.records import Observation, Reading, Status


class RegistryProbe:
    """Observes the schema registry."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Mapping[str, Observation]:
        """The number of subjects, the newest schema version, and the response time."""
        began = time.monotonic()
        registered, name = subjects(self._settings), events_subject(self._settings)
        version = latest(self._settings, name).version if name in registered else None
        milliseconds = 1000 * (time.monotonic() - began)
        now = datetime.now(UTC)
        readings = (
            Reading("subjects", len(registered), "subjects", now),
            Reading("schema version", version, "", now),
            Reading("answers in", milliseconds, "ms", now),
        )
        return {"registry": Observation(Status.HEALTHY, "it answers for its subjects", now, readings)}

    def close(self) -> None:
        """Nothing to close."""
