"""Intervals: how sure a forecast is, from how wrong the same model was before (split conformal, Vovk 2005).

An error is measured in units of the square root of what was forecast, which is how the randomness of counts grows; so
the errors of quiet and busy slots can be put into one sample. Nothing is assumed about their distribution.
"""

from __future__ import annotations

import numpy as np

from rtlib.forecast.grid import Numbers

LEVELS: Numbers = np.round(np.arange(0.05, 0.951, 0.05), 2)
LEAST_ERRORS = 20  # from fewer one cannot read a quantile near the ends


def scaled_errors(actual: Numbers, point: Numbers) -> Numbers:
    """Errors in units of the square root of the forecast, in one row; missing values are left out."""
    errors: Numbers = ((actual - point) / unit(point)).ravel()
    return errors[~np.isnan(errors)]


def quantiles(point: Numbers, errors: Numbers, levels: Numbers = LEVELS) -> Numbers:
    """The quantiles of what may happen, on a new last axis; 0 or more, NaN when too few errors are known."""
    if errors.size < LEAST_ERRORS:
        return np.full((*point.shape, len(levels)), np.nan)
    steps = np.quantile(errors, levels)
    told: Numbers = np.maximum(0.0, point[..., None] + unit(point)[..., None] * steps)
    return told


def unit(point: Numbers) -> Numbers:
    """What one unit of scaled error is worth, in events; never less than that of one event."""
    told: Numbers = np.sqrt(np.maximum(point, 1.0))
    return told
