"""Series for the tests of forecasts: a known shape, with a known amount of chance."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from rtlib.forecast import Grid, grids

MONDAY = date(2026, 1, 5)


def a_frame(
    *, days: int = 28, level: float = 20, noise: float = 1, seed: int = 1, name: str = "site", growth: float = 0
) -> pd.DataFrame:
    """Half-hours with a busy noon and a busy Saturday; with ``noise`` 0 exactly so, with 1 as counts by chance."""
    ds = pd.date_range(MONDAY, periods=days * 48, freq="30min")
    daily = 1 + 0.8 * np.sin((np.arange(48) - 12) / 48 * 2 * np.pi)
    weekly = np.array([1, 1, 1, 1.1, 1.2, 1.6, 0.7])
    numbers = np.arange(days)
    mean = (level * weekly[numbers % 7] * np.exp(growth * numbers))[:, None] * daily[None, :]
    y = np.random.default_rng(seed).poisson(mean) * noise + mean * (1 - noise)
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": y.ravel()})


def a_grid(**changed: Any) -> Grid:
    return grids(a_frame(**changed), interval_minutes=30)[0]
