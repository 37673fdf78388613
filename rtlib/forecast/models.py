"""Models: all there are, the simple ones first; where two do equally well, the simpler one is taken."""

from __future__ import annotations

from rtlib.forecast.base import Model
from rtlib.forecast.baseline import FOUR_WEEK_MEAN, SEASONAL_NAIVE
from rtlib.forecast.daily import ARIMA_MODEL, ETS, REGRESSION
from rtlib.forecast.prophet import PROPHET

MODELS: tuple[Model, ...] = (SEASONAL_NAIVE, FOUR_WEEK_MEAN, REGRESSION, ETS, ARIMA_MODEL, PROPHET)
BASELINE = FOUR_WEEK_MEAN.name
ENSEMBLE = "ensemble"
PLAIN = {**{one.name: one.plain for one in MODELS}, ENSEMBLE: "the mean of those that did best so far"}
