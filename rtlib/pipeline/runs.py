"""Runs: batch jobs work one at a time, each with a row in OPS.RUNS, and with heartbeats while it works."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import RtlibError
from rtlib.notify import Notify
from rtlib.pipeline.telemetry.heartbeat import INTERVAL_SECONDS, HeartbeatEmitter
from rtlib.records import BatchJob
from rtlib.services.ports import is_free
from rtlib.warehouse import runs
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.migrations import migrate
from rtlib.warehouse.runs import FAILED, INTERRUPTED, SUCCEEDED

PAUSED = "paused"  # a file
RIDE_OUT_SECONDS = 2.0  # a person who runs a job on a stopped stack should learn that at once
_reason = ContextVar("reason", default="by hand")


class RunReport:
    """What a job reports of its run.

    Attributes:
        rows: Rows that it wrote.
        message: How far it is.
        failure: Why its result cannot be used, though nothing was raised; empty otherwise.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.failure = ""
        self.message = "begins"
        self.done, self.total = 0, 0

    def progress(self, done: int, total: int, unit: str) -> None:
        """Report how far the job is, for instance ``progress(9, 26, "models")``."""
        self.done, self.total = done, total
        self.message = f"{done} of {total} {unit}"


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Record this reason for the runs in the block; without it they are recorded as "by hand"."""
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)


@contextmanager
def recorded(settings: Settings, job: BatchJob, *, notify: Notify | None = None) -> Iterator[RunReport]:
    """Run the block as a batch job: alone, with a row in OPS.RUNS and a heartbeat a second.

    Args:
        settings: Which domain, which state folder, which warehouse.
        job: The job.
        notify: Receives a line if another job of this state folder runs and has to be waited for.

    Raises:
        WarehouseError: The warehouse does not answer.
    """
    known = Warehouse(settings, ride_out_seconds=RIDE_OUT_SECONDS)
    with alone(settings, str(job), notify=notify), closing(known) as warehouse:
        warehouse.run(migrate)
        run_id = warehouse.run(runs.begin, settings.domain, job, reason=_reason.get())
        report = RunReport()
        try:
            with _heartbeats(settings, job, report):
                yield report
        except BaseException as error:
            outcome = FAILED if isinstance(error, Exception) else INTERRUPTED
            with suppress(RtlibError):  # if the warehouse is the reason, the next run closes the row
                warehouse.run(runs.end, run_id, outcome, error=_words(error))
            raise
        outcome = FAILED if report.failure else SUCCEEDED
        warehouse.run(runs.end, run_id, outcome, rows=report.rows, error=report.failure)


@contextmanager
def alone(settings: Settings, what: str, *, notify: Notify | None = None) -> Iterator[None]:
    """Hold the lock of the batch jobs of a state folder; wait for a job that runs. Repeatable within a thread.

    Args:
        settings: The state folder.
        what: What runs in the block, for those who wait.
        notify: Receives a line if something else holds the lock.
    """
    from filelock import FileLock, Timeout

    folder = private.make_folder(settings.home / "batch")
    lock, holder = FileLock(folder / "lock", mode=private.FILE_MODE, is_singleton=True), folder / "running.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if notify:
            notify(f"waiting for another batch job: {_holder(holder)}")
        lock.acquire()
    try:
        if lock.lock_counter == 1:
            private.write(holder, json.dumps({"what": what, "since": datetime.now(UTC).isoformat()}))
        yield
    finally:
        if lock.lock_counter == 1:
            holder.unlink(missing_ok=True)
        lock.release()


def pause(settings: Settings) -> None:
    """Let the schedule run no further job until ``resume``; a job that runs is completed."""
    private.write(private.make_folder(settings.home / "batch") / PAUSED, "")


def resume(settings: Settings) -> None:
    """Let the schedule run its jobs again."""
    (settings.home / "batch" / PAUSED).unlink(missing_ok=True)


def is_paused(settings: Settings) -> bool:
    """True after ``pause``."""
    return (settings.home / "batch" / PAUSED).exists()


def _holder(file: Path) -> str:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        seconds = (datetime.now(UTC) - datetime.fromisoformat(content["since"])).total_seconds()
        return f"{content['what']}, which began {seconds:.0f} s ago"
    except (OSError, ValueError, KeyError, TypeError):  # it ends or begins at this moment
        return "it begins or ends just now"


@contextmanager
def _heartbeats(settings: Settings, job: BatchJob, report: RunReport) -> Iterator[None]:
    """Publish the progress once a second, from a thread, because a job may be silent for many seconds."""
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(settings, job, report, done), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)


def _beat(settings: Settings, job: BatchJob, report: RunReport, done: threading.Event) -> None:
    if done.wait(INTERVAL_SECONDS):
        return
    if settings.kafka_bootstrap_servers is None and is_free(settings.ports["kafka"]):
        return  # without a broker the run has no heartbeat, only its row
    with suppress(RtlibError):
        heartbeat = HeartbeatEmitter(job.heartbeat, settings)
        try:
            while True:
                heartbeat.emit(report.message, {"done": report.done, "total": report.total})
                if done.wait(INTERVAL_SECONDS):
                    break
            heartbeat.finish("has ended")
        finally:
            heartbeat.close()


def _words(error: BaseException) -> str:
    if isinstance(error, RtlibError):
        return error.what
    return " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
