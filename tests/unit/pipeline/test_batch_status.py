"""The state of a batch job, from its recorded runs, the heartbeats of the running job, and the schedule."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.pipeline.batch_status import JobStatus, combine, steps, with_run
from rtlib.pipeline.workers.batch import Batch, why_forecast
from rtlib.records import BatchJob, Heartbeat, Observation, Reading, Status
from rtlib.warehouse.runs import JobHistory, Run

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
HEALTHY = Observation(Status.HEALTHY, "every test passed", NOW, (Reading("passed", 101, "tests", NOW),))
IDLE = Observation(Status.IDLE, "it has not run yet", NOW)


def run_of(job: BatchJob, *, minutes_ago: float, outcome: str = "succeeded", **values: Any) -> Run:
    began = NOW - timedelta(minutes=minutes_ago)
    ended = None if outcome == "running" else began + timedelta(seconds=22)
    return Run(job, "by hand", began, ended, values.pop("rows", 5), outcome, **values)


def beat(name: str, message: str, *, seconds_ago: float = 1, active: bool = True, **numbers: float) -> Heartbeat:
    return Heartbeat(name, active, message, NOW - timedelta(seconds=seconds_ago), numbers)


def statuses(
    runs: dict[BatchJob, JobHistory] | None = None, beats: tuple[Heartbeat, ...] = ()
) -> dict[BatchJob, JobStatus]:
    return combine(runs or {}, {heartbeat.part: heartbeat for heartbeat in beats}, now=NOW)


def failed_after_a_success(job: BatchJob, outcome: str = "failed", error: str = "no space") -> dict[BatchJob, Any]:
    last = run_of(job, minutes_ago=1, outcome=outcome, error=error)
    return {job: JobHistory(last, run_of(job, minutes_ago=9))}


def test_a_job_runs_while_its_heartbeat_is_fresh_and_active() -> None:
    fresh = beat("run-dbt", "9 of 26 models", done=9, total=26)
    status = statuses(beats=(fresh,))[BatchJob.DBT]
    assert (status.state, status.running, status.done, status.total) == ("running", "9 of 26 models", 9, 26)
    ended = beat("run-dbt", "has ended", active=False)
    silent = beat("run-dbt", "9 of 26 models", seconds_ago=60)
    assert all(statuses(beats=(old,))[BatchJob.DBT].state == "has not run yet" for old in (ended, silent))


def test_a_run_without_an_end_and_without_a_heartbeat_was_interrupted() -> None:
    killed = run_of(BatchJob.DBT, minutes_ago=5, outcome="running")
    status = statuses({BatchJob.DBT: JobHistory(killed, None)})[BatchJob.DBT]
    assert (status.state, status.error) == ("interrupted", "its process ended before it was done")


def test_the_schedule_gives_the_time_of_the_next_run_and_forecast_plan_and_report_share_it() -> None:
    schedule = beat("batch", "next: dbt", next_dbt=NOW.timestamp() + 60, next_forecast=NOW.timestamp() + 1800)
    known = statuses(beats=(schedule,))
    assert known[BatchJob.DBT].next_at == NOW + timedelta(minutes=1)
    half_hour = NOW + timedelta(minutes=30)
    assert {known[job].next_at for job in (BatchJob.FORECAST, BatchJob.PLAN, BatchJob.REPORT)} == {half_hour}
    assert known[BatchJob.HISTORY].next_at is None


def test_a_node_shows_how_far_its_job_is_before_the_numbers_of_the_last_run() -> None:
    known = statuses(beats=(beat("run-dbt", "9 of 26 models", done=9, total=26),))
    node = with_run(HEALTHY, BatchJob.DBT, known, now=NOW)
    assert (node.status, node.reason) == (Status.HEALTHY, "running (9 of 26 models)")
    assert [reading.name for reading in node.readings] == ["running", "passed"]


def test_a_node_that_has_no_result_yet_shows_which_job_is_running_before_its_own() -> None:
    known = statuses(beats=(beat("run-history", "1 of 2 periods of history"),))
    node = with_run(IDLE, BatchJob.FORECAST, known, now=NOW)
    assert (node.status, node.reason) == (Status.IDLE, "history is running (1 of 2 periods of history)")
    assert with_run(IDLE, BatchJob.FORECAST, statuses(), now=NOW) == IDLE


def test_a_failed_run_keeps_the_last_good_numbers_and_says_so_with_the_reason_and_the_cure() -> None:
    node = with_run(HEALTHY, BatchJob.DBT, statuses(failed_after_a_success(BatchJob.DBT)), now=NOW)
    assert node.status is Status.DEGRADED
    assert node.readings == HEALTHY.readings
    assert node.reason == (
        "its last run failed 60 s ago: no space; its numbers are those of the run before; cure: rtlib batch run dbt"
    )


def test_a_node_shows_how_long_its_last_run_took_and_when_the_next_one_begins() -> None:
    known = statuses(
        {BatchJob.DBT: JobHistory(*[run_of(BatchJob.DBT, minutes_ago=2)] * 2)},
        (beat("batch", "next: dbt", next_dbt=NOW.timestamp() + 180),),
    )
    node = with_run(HEALTHY, BatchJob.DBT, known, now=NOW)
    assert node.reason == "every test passed; it took 22 s, 98 s ago; next in 3 min"
    assert known[BatchJob.DBT].cells(NOW) == ("2 min ago", "22.0 s", "5", "in 3 min")


def test_a_paused_schedule_is_shown_instead_of_the_next_run() -> None:
    known = statuses(beats=(beat("batch", "paused", next_dbt=NOW.timestamp() + 180, paused=1.0),))
    assert with_run(HEALTHY, BatchJob.DBT, known, now=NOW).reason.endswith("; the schedule is paused")


@pytest.mark.parametrize(
    ("history", "forecast", "due"),
    [
        (None, None, ""),  # there may be too few days to forecast from
        (5, None, "first history"),
        (5, 2, ""),
        (2, 5, "new history"),
        (None, 70, "the last forecast is old"),
        (None, 5, ""),
    ],
)
def test_forecasts_are_due_after_new_history_and_when_the_last_one_is_old(
    history: float | None, forecast: float | None, due: str
) -> None:
    def history_of(job: BatchJob, minutes_ago: float | None) -> JobHistory:
        run = None if minutes_ago is None else run_of(job, minutes_ago=minutes_ago)
        return JobHistory(run, run)

    known = {
        BatchJob.HISTORY: history_of(BatchJob.HISTORY, history),
        BatchJob.FORECAST: history_of(BatchJob.FORECAST, forecast),
    }
    assert why_forecast(known, interval=HOUR, now=NOW) == due


def test_a_start_that_found_all_history_loaded_makes_no_new_forecast() -> None:
    nothing_new = run_of(BatchJob.HISTORY, minutes_ago=1, rows=0)
    known = {
        BatchJob.HISTORY: JobHistory(nothing_new, nothing_new),
        BatchJob.FORECAST: JobHistory(None, run_of(BatchJob.FORECAST, minutes_ago=5)),
    }
    assert why_forecast(known, interval=HOUR, now=NOW) == ""


def step_texts(*args: Any) -> list[tuple[str, str]]:
    return [(step.state, step.text) for step in steps(list(statuses(*args).values()), now=NOW)]


def test_the_steps_of_a_first_start_are_those_that_lead_to_the_plan_each_after_the_one_before() -> None:
    done = {BatchJob.HISTORY: JobHistory(*[run_of(BatchJob.HISTORY, minutes_ago=1)] * 2)}
    running = beat("run-dbt", "9 of 26 models", done=9, total=26)
    schedule = beat("batch", "dbt is running", next_dbt=NOW.timestamp() + 60)
    assert step_texts(done, (running, schedule)) == [
        ("done", "38 s ago; 5 rows"),
        ("running", "9 of 26 models"),
        ("waiting", "follows after Marts (dbt)"),
        ("waiting", "follows after Forecast"),
    ]
    assert step_texts()[0] == ("waiting", "begins in a moment")


def test_a_step_that_failed_has_its_reason_and_its_next_run_and_a_paused_schedule_is_named() -> None:
    schedule = beat("batch", "waits", next_forecast=NOW.timestamp() + 240)
    assert ("failed", "no space; next in 4 min") in step_texts(failed_after_a_success(BatchJob.PLAN), (schedule,))
    paused = beat("batch", "paused", next_forecast=NOW.timestamp() + 240, paused=True)
    assert ("failed", "no space; the schedule is paused") in step_texts(
        failed_after_a_success(BatchJob.PLAN), (paused,)
    )


def test_history_is_no_step_where_it_is_never_loaded() -> None:
    known = statuses(failed_after_a_success(BatchJob.DBT))
    assert [step.job for step in steps(list(known.values()), now=NOW)][0] is BatchJob.DBT


@pytest.mark.parametrize(("minutes_ago", "runs"), [(2, 0), (58, 4)])
def test_the_hourly_forecast_is_left_out_if_a_build_of_the_marts_was_just_followed_by_a_forecast(
    minutes_ago: float, runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[BatchJob] = []
    success = run_of(BatchJob.FORECAST, minutes_ago=0)
    success = replace(success, began_at=datetime.now(UTC) - timedelta(minutes=minutes_ago))
    histories = {**dict.fromkeys(BatchJob, JobHistory()), BatchJob.FORECAST: JobHistory(success, success)}
    batch = Batch(Settings(), threading.Event())
    monkeypatch.setattr(batch, "_histories", lambda: histories)
    monkeypatch.setattr(batch, "_run", lambda job, reason: ran.append(job) is None)
    batch._forecast()
    assert len(ran) == runs
