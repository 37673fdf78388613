"""Forecast: from counts (``unique_id, ds, y``) to forecasts with intervals; a backtest chooses the model."""

from rtlib.forecast.backtest import Backtest
from rtlib.forecast.base import Model
from rtlib.forecast.champion import choose, explain
from rtlib.forecast.grid import Grid, grids
from rtlib.forecast.intervals import LEVELS
from rtlib.forecast.metrics import Score
from rtlib.forecast.models import BASELINE, ENSEMBLE, MODELS, PLAIN
from rtlib.forecast.run import ForecastResult, forecast_all

__all__ = [
    "BASELINE",
    "Backtest",
    "ENSEMBLE",
    "ForecastResult",
    "Grid",
    "LEVELS",
    "MODELS",
    "Model",
    "PLAIN",
    "Score",
    "choose",
    "explain",
    "forecast_all",
    "grids",
]
