"""Run: backtests and forecasts of many series, side by side in processes, with progress."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from rtlib.errors import ConfigError
from rtlib.forecast.backtest import Backtest, default_origins, ensemble, predict_at
from rtlib.forecast.base import Model
from rtlib.forecast.champion import choose, explain
from rtlib.forecast.grid import Grid, Numbers, moments
from rtlib.forecast.intervals import LEVELS, quantiles
from rtlib.forecast.metrics import Score
from rtlib.forecast.models import ENSEMBLE, MODELS

if TYPE_CHECKING:
    import pandas as pd

TaskProgress = Callable[[int, int, str], None]  # how many tasks are done, of how many, and what was done last
MOST = 1_000  # days ahead, origins, days between them, processes: no more of any
CHUNK = 16  # origins in one task: enough to be worth sending, few enough to share out


@dataclass(frozen=True)
class ForecastResult:
    """All there is to say about the days to come of one series.

    Attributes:
        grid: Its past.
        days: The days that were forecast.
        said: What each model says of them, days × slots.
        bands: The quantiles (``LEVELS``) about it, days × slots × levels.
        backtest: How each did before.
        scores: The same as numbers.
        champion: The model to believe.
        why: Why, in words.
    """

    grid: Grid
    days: tuple[date, ...]
    said: dict[str, Numbers]
    bands: dict[str, Numbers]
    backtest: Backtest
    scores: dict[str, Score]
    champion: str
    why: str

    def table(self) -> pd.DataFrame:
        """One row for each model and slot: ``unique_id, ds, model, mean, is_champion``, and ``q05`` … ``q95``."""
        import pandas as pd

        ds = moments(self.days, self.grid.slots)
        names = [f"q{round(100 * level):02d}" for level in LEVELS]
        parts = []
        for model, said in self.said.items():
            part = pd.DataFrame(self.bands[model].reshape(len(ds), -1), columns=names)
            part.insert(0, "unique_id", self.grid.unique_id)
            part.insert(1, "ds", ds)
            part.insert(2, "model", model)
            part.insert(3, "mean", said.ravel())
            part.insert(4, "is_champion", model == self.champion)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Task:
    grid: Grid
    model: Model
    origins: tuple[int, ...]
    horizon: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.grid.unique_id, self.model.name, self.origins[0]


def forecast_all(
    grids: Sequence[Grid],
    *,
    horizon: int = 1,
    origins: int = 10,
    step: int = 1,
    models: Sequence[Model] = MODELS,
    workers: int = 2,
    notify: TaskProgress | None = None,
) -> tuple[ForecastResult, ...]:
    """Backtest every model on every series, choose, and forecast the days that follow.

    Args:
        grids: The series.
        horizon: How many days are forecast.
        origins: At how many earlier days the models are tried.
        step: How many days lie between those.
        models: Which models; with more than two, an ensemble of the best is added.
        workers: How many processes; 1 stays in this one.
        notify: Called after each piece of work.

    Raises:
        ConfigError: A series is too short, there is none, two have the same name, no model is given, or horizon,
            origins, step or workers is no whole number from 1 to ``MOST``.
    """
    for name, value in (("horizon", horizon), ("origins", origins), ("step", step), ("workers", workers)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
            raise ConfigError(f"{name} is {value!r}", cure=f"give a whole number from 1 to {MOST}")
    _check_names(grids, models)
    before = {one.unique_id: default_origins(one, horizon=horizon, count=origins, step=step) for one in grids}
    tasks = [
        _Task(grid, model, some, horizon)
        for grid in grids
        for model in models
        for some in _chunks((*before[grid.unique_id], len(grid.days)))
    ]
    said = _work(tasks, workers, notify)
    return tuple(_outlook(grid, before[grid.unique_id], horizon, models, said) for grid in grids)


def _check_names(grids: Sequence[Grid], models: Sequence[Model]) -> None:
    """Results are kept by the names of series and models: of two with the same name one would be lost."""
    for kind, names in (("series", [one.unique_id for one in grids]), ("model", [one.name for one in models])):
        if not names:
            raise ConfigError(f"there is no {kind} to forecast with", cure=f"give at least one {kind}")
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise ConfigError(f"there are two {kind} called {twice!r}", cure="give each a name of its own")


def _chunks(origins: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
    return (origins[start : start + CHUNK] for start in range(0, len(origins), CHUNK))


def _work(tasks: Sequence[_Task], workers: int, notify: TaskProgress | None) -> dict[tuple[str, str, int], Numbers]:
    done: dict[tuple[str, str, int], Numbers] = {}
    for task, found in _in_one(tasks) if workers == 1 else _in_many(tasks, workers):
        done[task.key] = found
        if notify:
            notify(len(done), len(tasks), f"{task.model.name}, {task.grid.unique_id}")
    return done


def _in_one(tasks: Iterable[_Task]) -> Iterator[tuple[_Task, Numbers]]:
    return ((task, _run(task)) for task in tasks)


def _in_many(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[_Task, Numbers]]:
    # Spawned, because a fork of a notebook's kernel would carry its threads' locks along. Each with one thread for
    # linear algebra: on tables as small as ours more of them only wait for one another, at twenty times the cost.
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=os.putenv,
        initargs=("OPENBLAS_NUM_THREADS", "1"),
    ) as pool:
        waiting = {pool.submit(_run, task): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _run(task: _Task) -> Numbers:
    return predict_at(task.grid, task.model, task.origins, horizon=task.horizon)


def _outlook(
    grid: Grid,
    origins: tuple[int, ...],
    horizon: int,
    models: Sequence[Model],
    done: dict[tuple[str, str, int], Numbers],
) -> ForecastResult:
    starts = [some[0] for some in _chunks((*origins, len(grid.days)))]
    everything = {
        one.name: np.concatenate([done[grid.unique_id, one.name, start] for start in starts]) for one in models
    }
    backtest = Backtest(grid, origins, horizon, {name: told[:-1] for name, told in everything.items()})
    said = {name: told[-1] for name, told in everything.items()}
    if len(models) > 2:
        backtest, said = _with_ensemble(backtest, said)
    bands = {name: quantiles(told, backtest.errors_known(name, len(grid.days))) for name, told in said.items()}
    scores = backtest.scores()
    why = explain(scores, origins=len(origins), horizon=horizon)
    return ForecastResult(grid, grid.next_days(horizon), said, bands, backtest, scores, choose(scores), why)


def _with_ensemble(backtest: Backtest, said: dict[str, Numbers]) -> tuple[Backtest, dict[str, Numbers]]:
    """The same with the ensemble of each moment, made of the models that had done best until then."""
    before = [
        ensemble(backtest, {name: told[place] for name, told in backtest.said.items()}, place)[0]
        for place in range(len(backtest.origins))
    ]
    now, _ = ensemble(backtest, said, len(backtest.origins))
    return replace(backtest, said={**backtest.said, ENSEMBLE: np.array(before)}), {**said, ENSEMBLE: now}
