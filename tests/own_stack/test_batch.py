"""The batch jobs of a new stack: they run by themselves, and a job that is killed is completed by its next run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest

from rtlib.records import BatchJob
from rtlib.services.processes import processes_of
from rtlib.warehouse import runs
from rtlib.warehouse.connection import connect
from support.stack import (
    RTLIB,
    Stack,
    ask,
    clean_environment,
    run_rtlib,
    running_for,
    running_stack,
    state_folder,
    until,
)

pytestmark = [pytest.mark.integration, pytest.mark.release]
MINUTES = 60.0


def test_four_minutes_after_the_start_no_node_is_idle_and_every_count_reconciles() -> None:
    with state_folder() as home:
        done = run_rtlib(home, "demo", "--headless", "--seconds", "240", "--json", timeout=500)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["idle"], report["degraded"], report["stopped"]) == (0, 0, 0), done.stderr
        assert report["reconciles"] is True
        assert running_for(home) == []


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A new stack whose batch jobs are on their way."""
    with running_stack("--rate", "10") as running:
        yield running


def last(stack: Stack, job: BatchJob) -> runs.Run | None:
    with closing(connect(stack.settings)) as connection:
        return runs.by_job(connection, stack.settings.domain)[job].last


def children(stack: Stack, job: BatchJob) -> list[psutil.Process]:
    """The processes that run this job."""
    return [process for _, process in processes_of(stack.home) if process.cmdline()[-5:-2] == ["batch", "run", job]]


def kill_while_it_runs(stack: Stack, job: BatchJob) -> None:
    """Kill the process of a job as soon as its run has begun."""
    until(lambda: children(stack, job), seconds=5 * MINUTES)
    until(lambda: (run := last(stack, job)) is not None and run.outcome == "running", seconds=30)
    for process in children(stack, job):
        process.kill()


def completed_by_hand(stack: Stack, job: BatchJob) -> None:
    done = stack.rtlib("batch", "run", job)
    assert done.returncode == 0, done.stderr
    run = last(stack, job)
    assert run is not None and run.outcome == "succeeded", run


def test_a_history_that_was_killed_is_loaded_once_by_the_next_run(stack: Stack) -> None:
    kill_while_it_runs(stack, BatchJob.HISTORY)
    completed_by_hand(stack, BatchJob.HISTORY)
    (counts,) = ask(
        stack.settings,
        "select count(*) as n, count(distinct site || kind || interval_start) as different, "
        "count(distinct to_date(interval_start)) as days from RAW.ROLLUPS",
    )
    assert counts["n"] == counts["different"]
    assert counts["days"] in (28, 29)  # the running day has rollups from its second half-hour on


def test_marts_whose_build_was_killed_are_complete_after_the_next_one(stack: Stack) -> None:
    process = start(stack, BatchJob.DBT)
    kill_while_it_runs(stack, BatchJob.DBT)
    process.wait(30)
    completed_by_hand(stack, BatchJob.DBT)  # and every test of dbt passed, that of the sum over all events included


def test_forecasts_that_were_killed_are_made_once_by_the_next_run(stack: Stack) -> None:
    process = start(stack, BatchJob.FORECAST)
    kill_while_it_runs(stack, BatchJob.FORECAST)
    process.wait(30)
    completed_by_hand(stack, BatchJob.FORECAST)
    (counts,) = ask(
        stack.settings,
        "select count(*) as n, count(distinct site || model || interval_start) as different from ML.FORECASTS",
    )
    assert counts["n"] == counts["different"] > 0
    until(lambda: not workers_of_forecasts(stack), seconds=30)


def test_a_scheduler_that_was_killed_comes_back_and_its_job_is_completed(stack: Stack) -> None:
    scheduler = stack.pids()["batch"]
    psutil.Process(scheduler).kill()
    until(lambda: stack.pids()["batch"] not in (0, scheduler), seconds=60)
    for job in (BatchJob.HISTORY, BatchJob.DBT):  # the jobs of a start
        until(lambda job=job: newer(stack, job), seconds=5 * MINUTES)  # type: ignore[misc]


def newer(stack: Stack, job: BatchJob) -> bool:
    run = last(stack, job)
    return run is not None and run.outcome == "succeeded" and run.reason == "start of the stack"


def test_of_two_runs_by_hand_the_second_waits_and_names_the_first(stack: Stack) -> None:
    first = start(stack, BatchJob.DBT)
    until(lambda: (run := last(stack, BatchJob.DBT)) is not None and run.outcome == "running", seconds=60)
    second = stack.rtlib("batch", "run", BatchJob.RETENTION)
    assert first.wait(120) == 0
    assert second.returncode == 0
    assert "waiting for another batch job: dbt, which began" in second.stderr


def start(stack: Stack, job: BatchJob) -> subprocess.Popen[bytes]:
    """Run a job by hand, in the background."""
    variables = {**clean_environment(stack.home), "RTLIB_PART": "batch"}
    return subprocess.Popen(
        [str(RTLIB), "batch", "run", job, "--reason", "test"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=variables,
    )


def workers_of_forecasts(stack: Stack) -> list[psutil.Process]:
    return [process for _, process in processes_of(stack.home) if "spawn_main" in " ".join(process.cmdline())]
