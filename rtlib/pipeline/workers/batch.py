"""Batch: the scheduler of the batch path. Each job runs in a child process of low priority, one at a time.

At the start history is completed, then marts, forecasts and plan follow; afterwards the marts are built every few
minutes and forecasts are made every hour, or when history was loaded. Missing class archives are made in between.
"""

from __future__ import annotations

import logging
import math
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta

import psutil
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from rtlib.config import Settings
from rtlib.errors import RtlibError, ServiceError
from rtlib.pipeline import job_process
from rtlib.pipeline.runs import is_paused
from rtlib.pipeline.telemetry.heartbeat import HeartbeatEmitter
from rtlib.pipeline.telemetry.queries_watch import QueriesWatch
from rtlib.pipeline.workers import class_archives
from rtlib.pipeline.workers.startup import wait_for_topics
from rtlib.records import BatchJob
from rtlib.services import peaks, processes
from rtlib.warehouse import runs
from rtlib.warehouse.connection import connect
from rtlib.warehouse.runs import JobHistory

log = logging.getLogger(__name__)
QUERIES_SECONDS = 90.0  # limit of the wait for the streaming application
SAMPLE_AT_WORK, SAMPLE_SECONDS = 4.0, 20.0  # between samples of the stack's memory; a job takes most of it for seconds
STOP_SECONDS, SIGNALS = 15.0, 3  # a child may take to end by itself, and the signals that it gets meanwhile
AFTER_DBT = (BatchJob.FORECAST, BatchJob.PLAN, BatchJob.REPORT, BatchJob.RETENTION)
MARTS, FORECASTS = "dbt", "forecast"  # the schedule's entries, named after their first job
ARCHIVES = "class-archives"  # an entry that is removed when none is missing


def run_batch(settings: Settings, stop: threading.Event) -> None:
    """Run the batch jobs by their schedule until ``stop`` is set."""
    wait_for_topics(settings)
    heartbeat = HeartbeatEmitter("batch", settings)
    try:
        # While Java makes an archive it takes 0.8 GB, which the small profile does not have.
        wanted = settings.class_archives and settings.profile != "small"
        archives = _wait_for_queries(settings, stop, heartbeat) and wanted
        _run_schedule(settings, Batch(settings, stop, archives=archives), stop, heartbeat)
    finally:
        heartbeat.close()


def _wait_for_queries(settings: Settings, stop: threading.Event, heartbeat: HeartbeatEmitter) -> bool:
    """Leave the processor to the start of the streaming application; False if that takes too long."""
    numbers = {"paused": is_paused(settings)}
    with closing(QueriesWatch(settings)) as queries:
        until = time.monotonic() + QUERIES_SECONDS
        while not queries.run() and time.monotonic() < until and not stop.wait(0.5):
            heartbeat.emit("waits until the queries run", numbers)
        return queries.run()


def _run_schedule(settings: Settings, batch: Batch, stop: threading.Event, heartbeat: HeartbeatEmitter) -> None:
    if stop.is_set():
        return
    batch.start()
    sampled = -math.inf
    try:
        while not stop.wait(0.5):
            heartbeat.emit(batch.summary(), batch.numbers())
            if time.monotonic() - sampled >= (SAMPLE_AT_WORK if batch.is_at_work else SAMPLE_SECONDS):
                sampled = time.monotonic()
                peaks.note(settings.home, processes.resident_megabytes(settings.home))
    finally:
        batch.shut_down()


class Batch:
    """Runs jobs one after another in a single thread of a scheduler.

    Args:
        settings: The domain, and how often jobs run.
        stop: Ends the running job when set.
        archives: Make missing class archives.
    """

    def __init__(self, settings: Settings, stop: threading.Event, *, archives: bool = False) -> None:
        self._settings, self._stop, self._archives = settings, stop, archives
        self._interval = timedelta(minutes=settings.forecast_minutes)
        self._running: BatchJob | None = None
        # History is drawn by the law of the local simulator.
        self._lacks_history = bool(settings.history_days) and settings.kafka_bootstrap_servers is None
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            # A run that is due while the one before still works follows it, once, however many were missed.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def start(self) -> None:
        """Begin with the jobs of a start, and schedule the others."""
        self._scheduler.add_job(self._at_start)
        for name, minutes, work in (
            (MARTS, self._settings.dbt_minutes, self._build_marts),
            (FORECASTS, self._settings.forecast_minutes, self._forecast),
        ):
            if minutes:
                self._scheduler.add_job(work, "interval", minutes=minutes, id=name)
        if self._archives:
            self._scheduler.add_job(self._archive_classes, "interval", minutes=1, id=ARCHIVES)
        self._scheduler.start()

    def shut_down(self) -> None:
        """Wait until the running job has ended, after ``stop`` was set."""
        self._scheduler.shutdown()

    @property
    def is_at_work(self) -> bool:
        """True while a job runs."""
        return self._running is not None

    def summary(self) -> str:
        """What it does now, in words."""
        if self._running:
            return f"{self._running} is running"
        if is_paused(self._settings):
            return "paused; continue with: rtlib batch resume"
        upcoming = self._next_runs()
        if not upcoming:
            return "nothing is scheduled"
        name, at = min(upcoming.items(), key=lambda item: item[1])
        return f"next: {name} in {max(0.0, (at - datetime.now(UTC)).total_seconds()):.0f} s"

    def numbers(self) -> dict[str, float]:
        """The figures of the heartbeat: the time of each next run, in Unix seconds, and whether it is paused."""
        upcoming = {f"next_{name}": at.timestamp() for name, at in self._next_runs().items()}
        return {**upcoming, "paused": is_paused(self._settings)}

    def _next_runs(self) -> dict[str, datetime]:
        return {job.id: job.next_run_time for job in self._scheduler.get_jobs() if job.id in (MARTS, FORECASTS)}

    def _at_start(self) -> None:
        if self._prepare("start of the stack"):
            self._forecast_if_due(self._interval)

    def _build_marts(self) -> None:
        if self._prepare(f"every {self._settings.dbt_minutes:g} minutes"):
            self._forecast_if_due(self._interval)

    def _prepare(self, reason: str) -> bool:
        """Complete the history, until that has succeeded once, and build the marts."""
        if self._lacks_history:
            self._lacks_history = not self._run(BatchJob.HISTORY, reason)
        return not self._settings.dbt_minutes or self._run(BatchJob.DBT, reason)

    def _forecast(self) -> None:
        # A build of the marts may have been followed by a forecast just before: that one serves.
        self._forecast_if_due(self._interval / 2)

    def _forecast_if_due(self, interval: timedelta) -> None:
        reason = why_forecast(self._histories(), interval=interval, now=datetime.now(UTC))
        if interval and reason:
            self._run_all(AFTER_DBT, reason=reason)

    def _archive_classes(self) -> None:
        if self._stop.is_set() or is_paused(self._settings):
            return
        try:
            if class_archives.make_missing(self._settings, run=self._run_command):
                self._scheduler.remove_job(ARCHIVES)
        except (RtlibError, OSError) as error:  # a later start may make them
            log.warning("no class archive was made: %s", error)

    def _run_command(self, command: tuple[str, ...]) -> int:
        """Run a command with low priority.

        Raises:
            ServiceError: The stack stops.
        """
        code = self._wait(job_process.start_command(command, environment=class_archives.environment()))
        if self._stop.is_set():
            raise ServiceError("the stack is shutting down", cure="rtlib up")
        return code

    def _histories(self) -> dict[BatchJob, JobHistory]:
        try:
            with closing(connect(self._settings)) as connection:
                return dict(runs.by_job(connection, self._settings.domain))
        except RtlibError as error:  # the warehouse is away; the next run of the schedule looks again
            log.warning("the runs cannot be read: %s", error.what)
            return dict.fromkeys(BatchJob, JobHistory())

    def _run_all(self, jobs: Sequence[BatchJob], *, reason: str) -> bool:
        """Run these jobs until one fails; False if one failed or none may run."""
        return all(self._run(job, reason) for job in jobs)

    def _run(self, job: BatchJob, reason: str) -> bool:
        if self._stop.is_set() or is_paused(self._settings):
            return False
        self._running = job
        try:
            return self._wait(job_process.start(job, reason=reason)) == 0
        finally:
            self._running = None

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.wait(timeout=0.3)
            if self._stop.is_set():
                return _end(child)


def why_forecast(histories: dict[BatchJob, JobHistory], *, interval: timedelta, now: datetime) -> str:
    """Why new forecasts are due; empty if they are not.

    Without loaded history and without an earlier forecast there may be too few days to forecast from, so the first
    forecast is left to a person.
    """
    history, forecast = histories[BatchJob.HISTORY].success, histories[BatchJob.FORECAST].success
    if forecast is None:
        return "first history" if history else ""
    if history and history.rows and history.began_at > forecast.began_at:
        return "new history"
    return "the last forecast is old" if now - forecast.began_at >= interval else ""


def _end(child: subprocess.Popen[bytes]) -> int:
    """End a job and its own children."""
    family = [child.pid, *(process.pid for process in _children(child.pid))]
    for _ in range(SIGNALS):  # Python loses the interrupt of a signal that arrives while it runs a destructor
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            return child.wait(timeout=STOP_SECONDS / SIGNALS)
    for pid in family:
        with suppress(psutil.Error):
            psutil.Process(pid).kill()
    return child.wait()


def _children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []
