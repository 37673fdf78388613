"""Forecasting: forecasts of every site of a domain, made from the dbt mart and stored in the warehouse."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.forecast import LEVELS, ForecastResult, forecast_all
from rtlib.forecast.grid import Numbers
from rtlib.forecast.run import TaskProgress
from rtlib.pipeline import batch_log
from rtlib.pipeline.planning.demand import measured_load, series_of
from rtlib.pipeline.planning.plan_needs import needs
from rtlib.pipeline.runs import RunReport, recorded
from rtlib.records import BatchJob
from rtlib.warehouse import plan_store
from rtlib.warehouse.connection import connect

ORIGINS, STEP = 4, 2  # number of earlier days on which the models are tried, and the days between them


def forecast(
    settings: Settings, *, days: int = 7, workers: int = 2, notify: TaskProgress | None = None
) -> tuple[ForecastResult, ...]:
    """Forecast the load of every site of the domain, and of the domain as a whole, and store the forecasts.

    The load is read from the dbt mart ``interval_load``: events of the kinds that the domain's staffing names, by
    half-hour. A second run replaces what the first wrote. In the intervals that are planned already, the people whom
    the new forecast needs are stored beside the plan.

    Example:
        >>> results = forecast(load_settings(), days=7)  # doctest: +SKIP
        >>> results[0].champion  # doctest: +SKIP
        'ensemble'

    Args:
        settings: The domain, and the address of the warehouse.
        days: Number of days ahead.
        workers: Number of processes.
        notify: Called after each task with the tasks done, their total and a description.

    Raises:
        ConfigError: There is no history or too little, or the mart is missing or older than RAW.
        WarehouseError: The warehouse refused a statement or did not answer.
    """
    with recorded(settings, BatchJob.FORECAST) as run:
        results, run.rows = _forecast(settings, days, workers, run, notify)
    batch_log.note(settings, "forecast", days)
    return results


def _forecast(
    settings: Settings, days: int, workers: int, run: RunReport, notify: TaskProgress | None
) -> tuple[tuple[ForecastResult, ...], int]:
    """Make and store the forecasts; returns them and the number of stored rows."""

    def report(done: int, total: int, task: str) -> None:
        run.progress(done, total, "tasks")
        if notify:
            notify(done, total, task)

    domain = load_domain(settings.domain)
    with closing(connect(settings)) as connection:
        series = series_of(measured_load(connection, domain), domain)
        results = forecast_all(series, horizon=days, origins=ORIGINS, step=STEP, workers=workers, notify=report)
        made_at = datetime.now(UTC)
        forecasts = [row for result in results for row in _forecast_rows(result, made_at)]
        backtests = [row for result in results for row in _backtest_rows(result, made_at)]
        renewed = needs(domain.staffing, plan_store.read_staffing(connection, domain.name), forecasts)
        plan_store.write_forecasts(connection, domain.name, forecasts, backtests, renewed)
    return results, len(forecasts)


def _forecast_rows(result: ForecastResult, made_at: datetime) -> list[dict[str, Any]]:
    at = result.grid.instants(result.days)
    starts = at.moments.to_pydatetime()
    return [
        {
            "site": result.grid.unique_id,
            "model": model,
            "made_at": made_at,
            "interval_start": start,
            "interval_minutes": result.grid.interval_minutes,
            "mean": float(mean),
            "lower_80": float(bands[_index_of(0.1)]),
            "upper_80": float(bands[_index_of(0.9)]),
            # Plans are made from the champion's.
            "quantiles": _levels(bands) if model == result.champion else None,
            "is_champion": model == result.champion,
        }
        for model, points in result.points.items()
        for start, mean, bands in zip(starts, at.of(points), at.of(result.bands[model]), strict=True)
    ]


def _backtest_rows(result: ForecastResult, made_at: datetime) -> list[dict[str, Any]]:
    common = {
        "site": result.grid.unique_id,
        "made_at": made_at,
        "horizon_days": result.backtest.horizon,
        "origins": len(result.backtest.origins),
    }
    return [
        {
            **common,
            "model": model,
            **asdict(score),
            "is_champion": model == result.champion,
            "why": result.why if model == result.champion else None,
        }
        for model, score in result.scores.items()
    ]


def _levels(bands: Numbers) -> dict[str, float]:
    return {f"{level:.2f}": round(float(band), 4) for level, band in zip(LEVELS, bands, strict=True)}


def _index_of(level: float) -> int:
    return int(np.argmin(np.abs(LEVELS - level)))
