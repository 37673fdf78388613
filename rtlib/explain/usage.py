"""Usage: how often this process asked the model, how often its answer was refused, and what that cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Usage:
    """Totals since the process began; ``dollars`` leaves out answers whose cost is unknown."""

    questions: int = 0
    refused: int = 0
    dollars: float = 0.0


USAGE = Usage()
