"""Explain probe: what writes the explanations, and how this process has used the model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.explain.usage import USAGE
from rtlib.records import Observation, Reading, Status


class ExplainProbe:
    """Observes the explanations of its own process."""

    def __init__(self, settings: Settings) -> None:
        key = settings.gemini_api_key is not None
        writer = f"{settings.gemini_model} writes them, verified"
        self._reason = writer if key else "no key: they are made on this machine"

    def look(self) -> Mapping[str, Observation]:
        """Questions to the model, answers refused, and the cost."""
        now = datetime.now(UTC)
        readings = (
            Reading("asked", USAGE.questions, "questions", now),
            Reading("answers refused", USAGE.refused, "answers", now),
            Reading("cost", USAGE.dollars, "USD", now),
        )
        return {"explain": Observation(Status.HEALTHY, self._reason, now, readings)}

    def close(self) -> None:
        """Nothing to close."""
