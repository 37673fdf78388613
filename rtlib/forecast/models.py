"""Models: all models, the simplest first; among equals the first is chosen."""

from __future__ import annotations

from rtlib.forecast.base import Model
from rtlib.forecast.baseline import FOUR_WEEK_MEAN, SEASONAL_NAIVE
from rtlib.forecast.daily import ARIMA_MODEL, ETS, REGRESSION
from rtlib.forecast.prophet import PROPHET

MODELS: tuple[Model, ...] = (SEASONAL_NAIVE, FOUR_WEEK_MEAN, REGRESSION, ETS, ARIMA_MODEL, PROPHET)
BASELINE = FOUR_WEEK_MEAN.name
ENSEMBLE = "ensemble"
PLAIN = {**{model.name: model.plain for model in MODELS}, ENSEMBLE: "the mean of the models that were best so far"}
