"""Batch: the jobs of the batch path, in the order in which each needs those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rtlib.config import Settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.notify import Notify
from rtlib.pipeline import dbt, power_bi, retention
from rtlib.pipeline.backfill import backfill
from rtlib.pipeline.planning import forecasting, staff_plan
from rtlib.pipeline.runs import alone, because
from rtlib.records import BatchJob

WORKERS = {"laptop": 2, "small": 1}  # processes that fit forecast models, by profile


def run_job(settings: Settings, job: BatchJob, *, reason: str, notify: Notify) -> None:
    """Run a job in this process, and record the run with its reason.

    Raises:
        RtlibError: It failed; the run is recorded as failed, and what earlier runs wrote is still there.
    """
    with because(reason), alone(settings, job, notify=notify):
        JOBS[job](settings, notify)


def known_job(name: str) -> BatchJob:
    """The job of this name.

    Raises:
        ConfigError: There is none; the message lists all names.
    """
    if name not in set(BatchJob):
        raise ConfigError(f"there is no batch job {name!r}", cure=f"use one of: {', '.join(BatchJob)}")
    return BatchJob(name)


def _history(settings: Settings, notify: Notify) -> None:
    loaded = backfill(settings, days=settings.history_days or 28, notify=notify)
    notify(f"{loaded.events:,} events of history in {loaded.intervals:,} half-hours")


def _dbt(settings: Settings, notify: Notify) -> None:
    report = dbt.build(settings, unit_tests=False, notify=notify)
    if not report.ok:
        raise ServiceError(dbt.verdict(report)[1], cure="rtlib dbt build, which prints every model and test")


def _forecast(settings: Settings, notify: Notify) -> None:
    results = forecasting.forecast(settings, workers=WORKERS[settings.profile])
    notify(f"{len(results)} series are forecast")


def _plan(settings: Settings, notify: Notify) -> None:
    notify(f"{len(staff_plan.plan(settings))} days are planned")


def _report(settings: Settings, notify: Notify) -> None:
    notify(f"the report is valid; {power_bi.refresh(settings):,} rows are exported")


def _retention(settings: Settings, notify: Notify) -> None:
    rolled = retention.roll_up(settings, days=settings.raw_days)
    notify(f"{rolled.events if rolled else 0:,} old events are rollups now")


JOBS: Mapping[BatchJob, Callable[[Settings, Notify], None]] = {
    BatchJob.HISTORY: _history,
    BatchJob.DBT: _dbt,
    BatchJob.FORECAST: _forecast,
    BatchJob.PLAN: _plan,
    BatchJob.REPORT: _report,
    BatchJob.RETENTION: _retention,
}
