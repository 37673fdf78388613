"""Baselines: what somebody with a spreadsheet would do; whoever cannot beat them has learned nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from rtlib.forecast.grid import Grid, Numbers


@dataclass(frozen=True, slots=True)
class SameSlotMean:
    """The mean of the same slot on the last ``weeks`` days of the same weekday; one week is the seasonal naive."""

    name: str
    plain: str
    weeks: int

    def predict(self, past: Grid, days: Sequence[date]) -> Numbers:
        """See ``Model``."""
        filled = past.filled()
        return np.array([filled[self._like(past.days, day)].mean(axis=0) for day in days])

    def _like(self, past: Sequence[date], day: date) -> list[int]:
        """Which days of history are taken: all, where that weekday was never seen."""
        alike = [place for place, one in enumerate(past) if one.weekday() == day.weekday()]
        return alike[-self.weeks :] or list(range(len(past)))


SEASONAL_NAIVE = SameSlotMean("seasonal naive", "repeats last week", 1)
FOUR_WEEK_MEAN = SameSlotMean("four-week mean", "takes the mean of the last four weeks' same slot", 4)
