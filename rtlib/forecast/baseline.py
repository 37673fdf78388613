"""Baselines: forecasts that a spreadsheet can make; a model has to beat them to be of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from rtlib.forecast.grid import Grid, Numbers


@dataclass(frozen=True, slots=True)
class SameSlotMean:
    """The mean of the same slot on the last ``weeks`` days of the same weekday; with one week, the seasonal naive."""

    name: str
    plain: str
    weeks: int

    def predict(self, past: Grid, days: Sequence[date]) -> Numbers:
        """See ``Model``."""
        filled = past.filled()
        return np.array([filled[self._same_weekday(past.days, day)].mean(axis=0) for day in days])

    def _same_weekday(self, past: Sequence[date], day: date) -> list[int]:
        """Indices of the days that are averaged; all days if the weekday does not occur in the past."""
        indices = [index for index, earlier in enumerate(past) if earlier.weekday() == day.weekday()]
        return indices[-self.weeks :] or list(range(len(past)))


SEASONAL_NAIVE = SameSlotMean("seasonal naive", "repeats last week", 1)
FOUR_WEEK_MEAN = SameSlotMean("four-week mean", "takes the mean of the last four weeks' same slot", 4)
