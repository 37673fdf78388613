"""Metrics: how wrong a forecast was, each as a number that a newcomer can be told in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtlib.forecast.grid import Numbers


@dataclass(frozen=True, slots=True)
class Score:
    """What a backtest says of one model on one series; NaN where there is nothing to divide by.

    Attributes:
        mae: Mean absolute error, in events an interval.
        wape: All errors together as a share of all that happened (0.1: a tenth was missed or made up).
        mase: The same error as a multiple of what last week's value would have missed within the history
            (Hyndman and Koehler 2006); below 1 is better than that.
        bias: What was forecast too much, as a share of all that happened; below 0 it was too little.
        coverage_80: The share of values within the 80 % interval.
        pinball: Mean pinball loss over all quantiles, in events: small when the quantiles are both narrow and right.
    """

    mae: float
    wape: float
    mase: float
    bias: float
    coverage_80: float
    pinball: float


def score(actual: Numbers, point: Numbers, quantiles: Numbers, levels: Numbers, *, naive_error: float) -> Score:
    """Score forecasts against what happened.

    Args:
        actual: What happened, of any shape; NaN is left out.
        point: What was forecast, of the same shape.
        quantiles: The same with one more, last axis: one number for each of ``levels``; NaN where none was known yet.
        levels: The quantiles' levels, rising, between 0 and 1.
        naive_error: Mean absolute error of the seasonal naive within the history.
    """
    seen = ~np.isnan(actual)
    truth, error = actual[seen], (point - actual)[seen]
    bands = quantiles[seen]
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
    """Mean pinball loss: each quantile pays its level for what it is too low, the rest of 1 for what it is too high."""
    if not actual.size:
        return np.nan
    short = actual[..., None] - quantiles
    return float(np.maximum(levels * short, (levels - 1) * short).mean())


def naive_error(values: Numbers, weekdays: Numbers) -> float:
    """Mean absolute difference of each day's values from those of the last day of the same weekday.

    Args:
        values: One row for each day, NaN where a value is missing.
        weekdays: The weekday of each row.
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
