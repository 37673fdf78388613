"""Base: what a model is: something that knows a grid's past and names the values of days to come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from rtlib.forecast.grid import Grid, Numbers


class Model(Protocol):
    """One way to forecast.

    Intervals are not a model's business: they come from how wrong it was before (``intervals``), which is the same
    measure for all of them and assumes no distribution.
    """

    @property
    def name(self) -> str:
        """A short name, for tables."""
        ...

    @property
    def plain(self) -> str:
        """What it does, in half a sentence, for a newcomer."""
        ...

    def predict(self, past: Grid, days: Sequence[date]) -> Numbers:
        """What each slot of each day will count: one row for each day, one column for each slot; 0 or more."""
        ...
