"""Series: made loads for exercises with forecasts and plans, and a backtest with a rolling origin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtlib.lessons.checks.value import type_of
from rtlib.lessons.exercise import Unusable

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOTS = 24
WEEKDAYS = (1.25, 1.0, 0.95, 1.0, 1.3, 0.6, 0.45)


def load(seed: int, *, days: int) -> NDArray[Any]:
    """A load of 24 intervals a day with a pattern of the week, a slow growth and noise; shape (days, 24)."""
    import numpy as np

    random = np.random.default_rng(seed)
    shape = 20 + 80 * np.sin(np.pi * np.arange(SLOTS) / SLOTS) ** 2
    level = np.array([WEEKDAYS[day % 7] * (1 + 0.001 * day) for day in range(days)])
    level *= random.normal(1, 0.06, days)  # a day is busy or quiet as a whole
    values: NDArray[Any] = random.poisson(np.outer(level, shape)).astype(float)
    return values


def day_error(forecast: Callable[..., Any], values: NDArray[Any], *, origins: int) -> float:
    """The mean absolute error of forecasts of the next day, each from the days before it alone.

    Args:
        forecast: From a history of shape (days, 24) to the 24 values of the next day.
        values: All days.
        origins: The number of days to forecast, the last ones.

    Raises:
        Unusable: A forecast has another shape.
    """
    import numpy as np

    errors = []
    for day in range(len(values) - origins, len(values)):
        given = forecast(values[:day].copy())
        errors.append(np.abs(as_day(given) - values[day]).mean())
    return float(np.mean(errors))


def as_day(given: Any) -> NDArray[Any]:
    """A forecast as 24 numbers.

    Raises:
        Unusable: It is something else.
    """
    import numpy as np

    try:
        day = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise Unusable(f"your function must return the {SLOTS} values of a day, not {type_of(given)}") from None
    if day.shape != (SLOTS,):
        raise Unusable(f"your function must return the {SLOTS} values of a day, not the shape {day.shape}")
    if not np.isfinite(day).all():
        raise Unusable("your forecast has values that are not numbers")
    return day
