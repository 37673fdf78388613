"""Base: the protocol of a forecasting model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from rtlib.forecast.grid import Grid, Numbers


class Model(Protocol):
    """A forecasting model: from the past of a series to the values of the days to come.

    A model gives points only. Intervals are computed from its past errors (``rtlib.forecast.intervals``), in the same
    way for every model and without assuming a distribution.
    """

    @property
    def name(self) -> str:
        """Short name, for tables."""
        ...

    @property
    def plain(self) -> str:
        """What it does, in half a sentence for a newcomer."""
        ...

    def predict(self, past: Grid, days: Sequence[date]) -> Numbers:
        """Forecast the counts of each slot (columns) of each day (rows); 0 or more."""
        ...
