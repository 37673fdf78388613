"""Batch jobs: each run has a row in OPS.RUNS, whatever its end, and only one works at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.runs import alone, because, is_paused, pause, recorded, resume
from rtlib.records import BatchJob
from rtlib.warehouse import runs
from rtlib.warehouse.connection import execute, query
from support.warehouse_server import WarehouseServer


@pytest.fixture
def settings(warehouse_server: WarehouseServer, warehouse: SnowflakeConnection) -> Settings:
    return warehouse_server.settings


def newest(warehouse: SnowflakeConnection, job: BatchJob = BatchJob.DBT) -> runs.JobHistory:
    return runs.by_job(warehouse, "curbside")[job]


def test_a_run_is_recorded_with_its_reason_its_rows_and_its_end(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    with because("new history"), recorded(settings, BatchJob.DBT) as run:
        assert newest(warehouse).last.outcome == "running"  # type: ignore[union-attr]
        run.rows = 7
    last = newest(warehouse).last
    assert last is not None and last == newest(warehouse).success
    assert (last.reason, last.rows, last.outcome, last.error) == ("new history", 7, "succeeded", "")
    assert last.seconds is not None and last.seconds >= 0


def test_a_run_that_raises_is_recorded_as_failed_and_the_success_before_stays(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    with recorded(settings, BatchJob.DBT) as run:
        run.rows = 7
    with pytest.raises(ConfigError), recorded(settings, BatchJob.DBT):
        raise ConfigError("the mart is missing", cure="rtlib dbt build")
    history = newest(warehouse)
    assert history.last is not None and history.success is not None
    assert (history.last.outcome, history.last.error, history.last.rows) == ("failed", "the mart is missing", None)
    assert history.success.rows == 7


def test_a_result_that_cannot_be_used_is_a_failed_run(settings: Settings, warehouse: SnowflakeConnection) -> None:
    with recorded(settings, BatchJob.DBT) as run:
        run.failure = "a test failed"
    last = newest(warehouse).last
    assert last is not None and (last.outcome, last.error) == ("failed", "a test failed")


def test_ctrl_c_is_recorded_as_an_interruption(settings: Settings, warehouse: SnowflakeConnection) -> None:
    with pytest.raises(KeyboardInterrupt), recorded(settings, BatchJob.DBT):
        raise KeyboardInterrupt
    last = newest(warehouse).last
    assert last is not None and last.outcome == "interrupted"


def test_the_row_of_a_killed_run_is_closed_by_the_next_run(settings: Settings, warehouse: SnowflakeConnection) -> None:
    runs.begin(warehouse, "curbside", BatchJob.FORECAST, reason="by hand")
    with recorded(settings, BatchJob.DBT):
        pass
    last = newest(warehouse, BatchJob.FORECAST).last
    assert last is not None and last.outcome == "interrupted"


def test_runs_of_other_domains_are_left_alone(settings: Settings, warehouse: SnowflakeConnection) -> None:
    runs.begin(warehouse, "gaming", BatchJob.DBT, reason="by hand")
    runs.begin(warehouse, "curbside", BatchJob.DBT, reason="by hand")
    rows = query(warehouse, "select domain, outcome from OPS.RUNS order by domain")
    assert [(row["domain"], row["outcome"]) for row in rows] == [("curbside", "running"), ("gaming", "running")]


def test_old_rows_are_deleted(warehouse: SnowflakeConnection) -> None:
    runs.begin(warehouse, "curbside", BatchJob.DBT, reason="by hand")
    execute(warehouse, "update OPS.RUNS set began_at = dateadd(day, -15, began_at)")
    runs.begin(warehouse, "curbside", BatchJob.DBT, reason="by hand")
    assert query(warehouse, "select count(*) as n from OPS.RUNS") == [{"n": 1}]


def test_two_runs_at_once_work_one_after_the_other_and_the_second_names_the_first(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    began, may_end, lines = threading.Event(), threading.Event(), list[str]()

    def notify(line: str) -> None:
        lines.append(line)
        may_end.set()

    def first() -> None:
        with recorded(settings, BatchJob.FORECAST):
            began.set()
            assert may_end.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(30)
    with recorded(settings, BatchJob.DBT, notify=notify):
        assert newest(warehouse, BatchJob.FORECAST).last.outcome == "succeeded"  # type: ignore[union-attr]
    thread.join()
    assert len(lines) == 1 and lines[0].startswith("waiting for another batch job: forecast, which began")


def test_a_job_within_another_of_the_same_command_does_not_wait_for_itself(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with alone(settings, "rebuild"), alone(settings, "dbt"):
        assert "rebuild" in (tmp_path / "batch" / "running.json").read_text()
    assert not (tmp_path / "batch" / "running.json").exists()


def test_the_schedule_is_paused_until_it_is_resumed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert not is_paused(settings)
    pause(settings)
    assert is_paused(settings)
    resume(settings)
    assert not is_paused(settings)
