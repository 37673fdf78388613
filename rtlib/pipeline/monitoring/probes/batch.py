"""Batch probe: results and runs of dbt, forecast, plan and report; queried every few seconds, not with every look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rtlib import formatting
from rtlib.bi import PAGES
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline import dbt, power_bi
from rtlib.pipeline.batch_status import combine, with_run
from rtlib.pipeline.planning.today import Today, of_today
from rtlib.pipeline.power_bi import Export
from rtlib.records import BatchJob, Heartbeat, Observation, Reading, Status
from rtlib.warehouse import runs
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.plan_status import Outcome, outcome
from rtlib.warehouse.runs import JobHistory

QUERY_SECONDS = 10.0


JOB_OF = {
    "dbt": BatchJob.DBT,
    "forecast": BatchJob.FORECAST,
    "staffing": BatchJob.PLAN,
    "powerbi": BatchJob.REPORT,
}  # by the name of the observation


class BatchProbe:
    """Reads dbt's last results, the newest rows of ML and OPS, and the runs of the jobs behind them.

    Args:
        settings: The domain, and the address of the warehouse.
        heartbeats: Returns the newest heartbeat of each part and of each job.
        utc: Times in reasons are in UTC, not by the clocks of the domain.
    """

    def __init__(
        self, settings: Settings, *, heartbeats: Callable[[], Mapping[str, Heartbeat]] = dict, utc: bool = False
    ) -> None:
        self._settings, self._domain = settings, load_domain(settings.domain)
        self._heartbeats = heartbeats
        self._zone = "UTC" if utc else self._domain.time_zone
        self._warehouse = Warehouse(settings, ride_out_seconds=2)
        self._queried_at = float("-inf")
        self._observations: Mapping[str, Observation] = {}
        self._runs: Mapping[BatchJob, JobHistory] = {}
        self._running = frozenset[BatchJob]()

    def look(self) -> Mapping[str, Observation]:
        """The result of each job's last run, with how far the running job is, and when the next one runs.

        The warehouse is queried every ``QUERY_SECONDS``, and when a job has begun or ended.
        """
        now = datetime.now(UTC)
        statuses = combine(self._runs, self._heartbeats(), now=now)
        running = frozenset(job for job, status in statuses.items() if status.running)
        if running != self._running:
            self._running, self._queried_at = running, float("-inf")
        self._query(now)
        statuses = combine(self._runs, self._heartbeats(), now=now)
        return {
            name: with_run(observation, JOB_OF[name], statuses, now=now)
            for name, observation in self._observations.items()
        }

    def _query(self, now: datetime) -> None:
        if time.monotonic() - self._queried_at >= QUERY_SECONDS:
            result = self._warehouse.run(outcome, self._settings.domain, now=now)
            today = self._warehouse.run(of_today, self._domain, now=now)
            self._runs = self._warehouse.run(runs.by_job, self._settings.domain)
            self._queried_at = time.monotonic()
            self._observations = {
                "dbt": dbt.observation(self._settings),
                "forecast": forecast(result, today, now=now, zone=self._zone),
                "staffing": staffing(result, now=now, zone=self._zone),
                "powerbi": report(power_bi.last_export(self._settings), now=now),
            }

    def close(self) -> None:
        """Close the connection."""
        self._warehouse.close()


def report(export: Export | None, *, now: datetime) -> Observation:
    """The report's node: its newest export, and whether it was validated against the marts."""
    if export is None:
        return Observation(Status.IDLE, "no rows were exported yet", now)
    readings = (
        Reading("exported", export.rows, "rows", export.at),
        Reading("pages", len(PAGES), "pages", export.at),
        Reading("visuals", sum(len(page.visuals) for page in PAGES), "visuals", export.at),
    )
    validated = "validated against the marts" if export.validated else "in powerbi/"
    return Observation(Status.HEALTHY, f"the report is {validated}, and its rows were exported", now, readings)


def forecast(result: Outcome, today: Today | None, *, now: datetime, zone: str) -> Observation:
    """The forecast's node: the champions, their error, how often their interval held, and how it holds today.

    ``zone`` is the time zone (IANA) of the times in its reason.
    """
    if result.forecast_at is None:
        return Observation(Status.IDLE, "no forecast was made yet", now)
    readings = (
        Reading("error (WAPE)", _percent(result.wape), "%", result.forecast_at),
        Reading("interval held", _percent(result.coverage), "%", result.forecast_at),
        Reading("today inside", _percent(today.inside_share if today else None), "%", today.until if today else now),
        Reading("next day", result.next_day, "events", result.forecast_at),
    )
    if result.forecast_until is None or result.forecast_until <= now:
        reason = (
            f"nothing is forecast from now on; {_ended(result.forecast_until, zone)}; cure: rtlib staffing forecast"
        )
        return Observation(Status.DEGRADED, reason, now, readings)
    return Observation(Status.HEALTHY, f"champions by backtest: {result.champions}", now, readings)


def staffing(result: Outcome, *, now: datetime, zone: str) -> Observation:
    """The plan's node: people needed now and at the next peak, and the largest gaps ahead, by choice and beyond.

    A gap that the plan accepted when it weighed costs is no fault of it. A need that has grown beyond the plan is.
    ``zone`` as in ``forecast``.
    """
    if result.planned_at is None:
        return Observation(Status.IDLE, "no plan was made yet", now)
    readings = (
        Reading("needed now", result.needed_now, "people", result.planned_at),
        Reading("next peak", result.next_peak, "people", result.planned_at),
        Reading("accepted gap", result.accepted.people, "people", result.planned_at),
        Reading("beyond plan", result.beyond.people, "people", result.planned_at),
    )
    return Observation(*_plan_status(result, zone), now, readings)


def _plan_status(result: Outcome, zone: str) -> tuple[Status, str]:
    beyond, accepted = result.beyond, result.accepted
    if beyond.people is None:
        return (
            Status.DEGRADED,
            f"nothing is planned from now on; {_ended(result.planned_until, zone)}; cure: rtlib staffing plan",
        )
    if beyond.people > 0 and beyond.interval:
        return (
            Status.DEGRADED,
            f"{beyond.people:.0f} more needed than planned, {_day_and_time(beyond.interval, zone)}; "
            "cure: rtlib staffing plan",
        )
    if accepted.people:
        return Status.HEALTHY, f"the plan holds; to save cost it accepts a gap of {accepted.people:.0f} at most"
    return Status.HEALTHY, "the plan covers the need as now forecast"


def _ended(until: datetime | None, zone: str) -> str:
    return f"the last interval ended at {_day_and_time(until, zone)}" if until else "there is no interval"


def _day_and_time(moment: datetime, zone: str) -> str:
    return formatting.local_time(moment, zone, form="%a %d %b %H:%M")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
