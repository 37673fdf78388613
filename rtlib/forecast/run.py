"""Run: backtests and forecasts of many series in parallel processes, with progress."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
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
from rtlib.forecast.grid import Grid, Numbers
from rtlib.forecast.intervals import LEVELS, quantiles
from rtlib.forecast.metrics import Score
from rtlib.forecast.models import ENSEMBLE, MODELS

if TYPE_CHECKING:
    import pandas as pd

TaskProgress = Callable[[int, int, str], None]  # tasks done, tasks in all, description of the last
TaskKey = tuple[str, str, int]  # series, model, first origin
MOST = 1_000  # upper limit of horizon, origins, step and workers
CHUNK = 16  # origins in one task: few enough to share out, enough to outweigh the cost of sending


@dataclass(frozen=True)
class ForecastResult:
    """Forecasts and backtest of one series.

    Attributes:
        grid: The past of the series.
        days: The days that were forecast.
        points: Forecasts by model, of shape days × slots.
        bands: Quantiles (``LEVELS``) by model, of shape days × slots × levels.
        backtest: The models' forecasts of earlier days.
        scores: Scores of the backtest by model.
        champion: Name of the chosen model.
        why: The reason for the choice, in words.
    """

    grid: Grid
    days: tuple[date, ...]
    points: dict[str, Numbers]
    bands: dict[str, Numbers]
    backtest: Backtest
    scores: dict[str, Score]
    champion: str
    why: str

    def table(self) -> pd.DataFrame:
        """One row for each model and moment: ``unique_id, ds, model, mean, is_champion``, and ``q05`` … ``q95``.

        ``ds`` has the time zone of the series. A slot that the clock skips has no row; a slot that it repeats has two.
        """
        import pandas as pd

        at = self.grid.instants(self.days)
        ds = at.moments
        if self.grid.time_zone:
            ds = ds.tz_localize("UTC").tz_convert(self.grid.time_zone)
        names = [f"q{round(100 * level):02d}" for level in LEVELS]
        parts = []
        for model, points in self.points.items():
            part = pd.DataFrame(at.of(self.bands[model]), columns=names)
            part.insert(0, "unique_id", self.grid.unique_id)
            part.insert(1, "ds", ds)
            part.insert(2, "model", model)
            part.insert(3, "mean", at.of(points))
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
    def key(self) -> TaskKey:
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
    """Backtest every model on every series, choose a champion, and forecast the days that follow.

    Example:
        >>> from rtlib.forecast.bank import bank_grid
        >>> (result,) = forecast_all([bank_grid(interval_minutes=30)], origins=25)  # doctest: +SKIP
        >>> print(result.why)  # doctest: +SKIP

    Args:
        grids: The series.
        horizon: Number of days to forecast.
        origins: Number of earlier days from which the models are tried.
        step: Days between the origins.
        models: The models; with more than two, an ensemble of the best is added.
        workers: Number of processes; 1 stays in this process.
        notify: Called after each task.

    Raises:
        ConfigError: A series is too short, there is no series or no model, two have the same name, or horizon,
            origins, step or workers is not a whole number from 1 to ``MOST``.
    """
    for name, value in (("horizon", horizon), ("origins", origins), ("step", step), ("workers", workers)):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
            raise ConfigError(f"{name} is {value!r}", cure=f"give a whole number from 1 to {MOST}")
    _check_names(grids, models)
    origins_of = {grid.unique_id: default_origins(grid, horizon=horizon, count=origins, step=step) for grid in grids}
    tasks = [
        _Task(grid, model, chunk, horizon)
        for grid in grids
        for model in models
        for chunk in _chunks((*origins_of[grid.unique_id], len(grid.days)))
    ]
    points = _run_tasks(tasks, workers, notify)
    return tuple(_result(grid, origins_of[grid.unique_id], horizon, models, points) for grid in grids)


def _check_names(grids: Sequence[Grid], models: Sequence[Model]) -> None:
    """Refuse duplicate names: results are keyed by series and model, so a duplicate would overwrite another."""
    for kind, names in (("series", [grid.unique_id for grid in grids]), ("model", [model.name for model in models])):
        if not names:
            raise ConfigError(f"there is no {kind} to forecast with", cure=f"give at least one {kind}")
        duplicate = next((name for name in names if names.count(name) > 1), None)
        if duplicate is not None:
            raise ConfigError(f"there are two {kind} called {duplicate!r}", cure="give each a name of its own")


def _chunks(origins: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
    return (origins[start : start + CHUNK] for start in range(0, len(origins), CHUNK))


def _run_tasks(tasks: Sequence[_Task], workers: int, notify: TaskProgress | None) -> dict[TaskKey, Numbers]:
    done: dict[TaskKey, Numbers] = {}
    for task, points in _in_this_process(tasks) if workers == 1 else _in_processes(tasks, workers):
        done[task.key] = points
        if notify:
            notify(len(done), len(tasks), f"{task.model.name}, {task.grid.unique_id}")
    return done


def _in_this_process(tasks: Iterable[_Task]) -> Iterator[tuple[_Task, Numbers]]:
    return ((task, _predict(task)) for task in tasks)


def _in_processes(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[_Task, Numbers]]:
    # Spawned, because a fork of a notebook's kernel would inherit its locks. Each with one thread for linear algebra:
    # on tables of this size several threads only wait for one another, at twenty times the cost.
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
    ) as pool:
        submitted = {pool.submit(_predict, task): task for task in tasks}
        try:
            for future in as_completed(submitted):
                yield submitted[future], future.result()
        except BaseException:  # Ctrl-C, or a task that failed: the others need not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin_worker() -> None:
    """Use a single thread for linear algebra, and end when the parent is killed, which the pool does not notice."""
    os.putenv("OPENBLAS_NUM_THREADS", "1")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _predict(task: _Task) -> Numbers:
    return predict_at(task.grid, task.model, task.origins, horizon=task.horizon)


def _result(
    grid: Grid, origins: tuple[int, ...], horizon: int, models: Sequence[Model], done: dict[TaskKey, Numbers]
) -> ForecastResult:
    starts = [chunk[0] for chunk in _chunks((*origins, len(grid.days)))]
    every_origin = {
        model.name: np.concatenate([done[grid.unique_id, model.name, start] for start in starts]) for model in models
    }
    # The last origin is the end of the series: its forecast is that of the days to come.
    backtest = Backtest(grid, origins, horizon, {model: points[:-1] for model, points in every_origin.items()})
    ahead = {model: points[-1] for model, points in every_origin.items()}
    if len(models) > 2:
        backtest, ahead = _with_ensemble(backtest, ahead)
    bands = {model: quantiles(points, backtest.errors_known(model, len(grid.days))) for model, points in ahead.items()}
    scores = backtest.scores()
    why = explain(scores, origins=len(origins), horizon=horizon)
    return ForecastResult(grid, grid.next_days(horizon), ahead, bands, backtest, scores, choose(scores), why)


def _with_ensemble(backtest: Backtest, ahead: dict[str, Numbers]) -> tuple[Backtest, dict[str, Numbers]]:
    """Add the ensemble, made at each origin of the models that were best before it."""
    earlier = [
        ensemble(backtest, {model: points[index] for model, points in backtest.points.items()}, index)[0]
        for index in range(len(backtest.origins))
    ]
    mean, _ = ensemble(backtest, ahead, len(backtest.origins))
    return replace(backtest, points={**backtest.points, ENSEMBLE: np.array(earlier)}), {**ahead, ENSEMBLE: mean}
