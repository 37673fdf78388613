"""The scheduler of the batch jobs: child processes of low priority, which end with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.pipeline.job_process import NICE
from rtlib.pipeline.runs import pause
from rtlib.pipeline.workers.batch import Batch
from rtlib.records import BatchJob
from rtlib.warehouse import runs
from support.stack import until
from support.warehouse_server import WarehouseServer


@pytest.fixture
def settings(warehouse_server: WarehouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A state folder of its own over the shared warehouse, which the child processes find too."""
    warehouse_server.share_with(tmp_path)
    for name, value in {"RTLIB_HOME": str(tmp_path), "RTLIB_PART": "batch", "RTLIB_HISTORY_DAYS": "0"}.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "batch" in child.cmdline()]


def test_a_job_runs_at_low_priority_and_ends_with_the_scheduler_which_records_the_interruption(
    settings: Settings, warehouse: SnowflakeConnection, stop: threading.Event
) -> None:
    batch = Batch(settings, stop)
    batch.start()

    def last() -> runs.Run | None:
        return runs.by_job(warehouse, settings.domain)[BatchJob.DBT].last

    begun = until(last, seconds=60)
    assert begun is not None and (begun.outcome, begun.reason) == ("running", "start of the stack")
    assert batch.summary() == "dbt is running"
    (child,) = children()
    assert child.nice() == NICE
    stop.set()
    batch.shut_down()
    assert children() == []
    ended = last()
    assert ended is not None and ended.outcome == "interrupted"


def test_a_paused_schedule_runs_nothing_and_says_so(settings: Settings, stop: threading.Event) -> None:
    pause(settings)
    batch = Batch(settings, stop)
    batch.start()
    assert until(lambda: batch.summary() == "paused; continue with: rtlib batch resume", seconds=10)
    assert batch.numbers()["paused"] == 1
    assert children() == []
    stop.set()
    batch.shut_down()


def test_the_schedule_knows_when_marts_and_forecasts_come_next(settings: Settings, stop: threading.Event) -> None:
    pause(settings)
    batch = Batch(settings, stop)
    batch.start()
    upcoming = batch.numbers()
    assert 50 * 60 < upcoming["next_forecast"] - upcoming["next_dbt"] < 60 * 60
    stop.set()
    batch.shut_down()


def test_without_intervals_nothing_is_scheduled(settings: Settings, stop: threading.Event) -> None:
    batch = Batch(settings.model_copy(update={"dbt_minutes": 0, "forecast_minutes": 0}), stop)
    batch.start()
    assert until(lambda: batch.summary() == "nothing is scheduled", seconds=10)
    stop.set()
    batch.shut_down()
