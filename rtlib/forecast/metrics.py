"""Metrics: the error of a forecast, in numbers that a sentence can explain to a newcomer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtlib.forecast.grid import Numbers


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of one model on one series; NaN where the denominator is 0.

    Attributes:
        mae: Mean absolute error, in events per interval.
        wape: Weighted absolute percentage error: the sum of absolute errors as a share of all events.
        mase: Mean absolute scaled error: ``mae`` divided by the error of last week's value within the history (Hyndman
            and Koehler 2006); below 1 is better than repeating last week.
        bias: Sum of errors as a share of all events; above 0 the forecast was too high.
        coverage_80: Share of values within the 80 % interval.
        pinball: Mean pinball loss over all quantiles, in events; small if the quantiles are both narrow and right.
    """

    mae: float
    wape: float
    mase: float
    bias: float
    coverage_80: float
    pinball: float


def score(actual: Numbers, point: Numbers, quantiles: Numbers, levels: Numbers, *, naive_error: float) -> Score:
    """Score forecasts against the actual values.

    Args:
        actual: The actual values, of any shape; NaN is left out.
        point: The forecasts, of the same shape.
        quantiles: Quantile forecasts, with ``levels`` as an additional last axis; NaN where unknown.
        levels: Levels of the quantiles, rising, between 0 and 1.
        naive_error: Mean absolute error of the seasonal naive forecast within the history.
    """
    present = ~np.isnan(actual)
    truth, error = actual[present], (point - actual)[present]
    bands = quantiles[present]
    known = ~np.isnan(bands).any(axis=-1)
    inside = (truth[known] >= _at(bands[known], levels, 0.1)) & (truth[known] <= _at(bands[known], levels, 0.9))
    mae = float(np.abs(error).mean()) if error.size else np.nan
    return Score(
        mae=mae,
        wape=_share(np.abs(error).sum(), truth.sum()),
        mase=_share(mae, naive_error),
        bias=_share(error.sum(), truth.sum()),
        coverage_80=float(inside.mean()) if inside.size else np.nan,
        pinball=pinball(truth[known], bands[known], levels),
    )


def pinball(actual: Numbers, quantiles: Numbers, levels: Numbers) -> float:
    """Mean pinball loss: a quantile costs ``level`` for each event it is too low, ``1 - level`` for each too high."""
    if not actual.size:
        return np.nan
    short = actual[..., None] - quantiles
    return float(np.maximum(levels * short, (levels - 1) * short).mean())


def naive_error(values: Numbers, weekdays: Numbers) -> float:
    """Mean absolute difference between the values of each day and of the last day with the same weekday.

    Args:
        values: One row for each day; NaN if missing.
        weekdays: Weekday of each row.
    """
    last: dict[int, int] = {}
    pairs = []
    for row, weekday in enumerate(weekdays.astype(int)):
        if weekday in last:
            pairs.append(np.abs(values[row] - values[last[weekday]]))
        last[weekday] = row
    return float(np.nanmean(pairs)) if pairs else np.nan


def _at(bands: Numbers, levels: Numbers, level: float) -> Numbers:
    return bands[..., int(np.argmin(np.abs(levels - level)))]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan
