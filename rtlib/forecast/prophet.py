"""Prophet: trend, week and month fitted as curves (Taylor and Letham 2018), on daily totals.

It is fitted to totals and distributed by the profile, as ETS and ARIMA are. Fitted to the slots it takes ten times as
long and is worse, because one curve has to describe both the day and the week.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from rtlib.forecast.calendar import MONTH_DAYS, MONTH_WAVES, MONTHLY_FROM, features
from rtlib.forecast.daily import Daily
from rtlib.forecast.grid import Grid, Numbers

if TYPE_CHECKING:
    import pandas as pd

EFFECTS = ("after_closure", "holiday")


def prophet(logs: Numbers, past: Grid, days: Sequence[date]) -> Numbers:
    """Logarithms of the totals, by Prophet."""
    from cmdstanpy import disable_logging

    model = _model(past)
    with disable_logging():  # it logs every fit
        model.fit(_table(past, past.days).assign(y=logs))
    totals: Numbers = model.predict(_table(past, days))["yhat"].to_numpy(dtype=float)
    return totals


def _model(past: Grid) -> Any:
    from prophet import Prophet

    model = Prophet(
        daily_seasonality=False,
        weekly_seasonality=3,
        yearly_seasonality=False,
        n_changepoints=min(15, len(past.days) // 3),
        uncertainty_samples=0,
    )
    if len(past.days) >= MONTHLY_FROM:
        model.add_seasonality("month", period=MONTH_DAYS, fourier_order=MONTH_WAVES)
    for name in EFFECTS:
        model.add_regressor(name)
    return model


def _table(past: Grid, days: Sequence[date]) -> pd.DataFrame:
    import pandas as pd

    weekdays = len({day.weekday() for day in past.days})
    effects = features(past, days)[:, weekdays : weekdays + len(EFFECTS)]
    moments = np.array(days, dtype="datetime64[ns]")
    return pd.DataFrame({"ds": moments, **{name: effects[:, column] for column, name in enumerate(EFFECTS)}})


PROPHET = Daily("Prophet", "trend, week and month as curves", prophet)
