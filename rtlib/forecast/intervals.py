"""Intervals: the uncertainty of a forecast, from the past errors of the same model (split conformal, Vovk 2005).

Errors are scaled by the square root of the forecast, as the spread of counts is; so errors of quiet and busy slots form
one sample. No distribution is assumed.
"""

from __future__ import annotations

import numpy as np

from rtlib.forecast.grid import Numbers

LEVELS: Numbers = np.round(np.arange(0.05, 0.951, 0.05), 2)
LEAST_ERRORS = 20  # fewer do not give the outer quantiles


def scaled_errors(actual: Numbers, point: Numbers) -> Numbers:
    """Errors divided by the square root of the forecast, flattened; missing values are left out."""
    errors: Numbers = ((actual - point) / unit(point)).ravel()
    return errors[~np.isnan(errors)]


def quantiles(point: Numbers, errors: Numbers, levels: Numbers = LEVELS) -> Numbers:
    """Quantiles of the count, on a new last axis; 0 or more, NaN if fewer than ``LEAST_ERRORS`` errors are known."""
    if errors.size < LEAST_ERRORS:
        return np.full((*point.shape, len(levels)), np.nan)
    steps = np.quantile(errors, levels)
    bands: Numbers = np.maximum(0.0, point[..., None] + unit(point)[..., None] * steps)
    return bands


def unit(point: Numbers) -> Numbers:
    """One unit of scaled error, in events: the square root of the forecast, at least 1."""
    events: Numbers = np.sqrt(np.maximum(point, 1.0))
    return events
