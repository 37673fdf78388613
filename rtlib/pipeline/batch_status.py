"""Batch status: the state of each batch job, from OPS.RUNS, the heartbeats of the running job, and the schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rtlib import formatting
from rtlib.config import Settings
from rtlib.pipeline.telemetry.heartbeat import FRESH_SECONDS
from rtlib.pipeline.telemetry.progress_topic import read_progress
from rtlib.records import BatchJob, Heartbeat, Observation, Reading, Status
from rtlib.warehouse import runs
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.runs import FAILED, INTERRUPTED, RUNNING, JobHistory, Run

NEVER = "has not run yet"
SCHEDULER = "batch"  # the name of its heartbeat
# The entry of the schedule that runs a job; history is loaded at a start only.
ENTRIES = {
    BatchJob.DBT: "next_dbt",
    **dict.fromkeys((BatchJob.FORECAST, BatchJob.PLAN, BatchJob.REPORT, BatchJob.RETENTION), "next_forecast"),
}


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The state of a batch job.

    Attributes:
        job: The job.
        last: Its newest run; None before the first.
        success: Its newest run that succeeded.
        running: How far the running job is, in words; empty while it does not run.
        done, total: The same in numbers; 0 if it has none.
        next_at: When the schedule runs it next (UTC); None if it is not scheduled.
        paused: The schedule is paused.
    """

    job: BatchJob
    last: Run | None = None
    success: Run | None = None
    running: str = ""
    done: int = 0
    total: int = 0
    next_at: datetime | None = None
    paused: bool = False

    @property
    def state(self) -> str:
        """Its state in one word, or "has not run yet"."""
        if self.running:
            return RUNNING
        if self.last is None:
            return NEVER
        return INTERRUPTED if self.last.outcome == RUNNING else self.last.outcome

    @property
    def error(self) -> str:
        """Why the last run has no result; empty if it has one, or runs."""
        if self.running or self.last is None or self.last.outcome not in (FAILED, INTERRUPTED, RUNNING):
            return ""
        return self.last.error or "its process ended before it was done"

    def cells(self, now: datetime | None = None) -> tuple[str, ...]:
        """Begin, duration, rows and next run for a table."""
        now, run = now or datetime.now(UTC), self.last
        begun = "" if run is None else formatting.ago((now - run.began_at).total_seconds())
        seconds = None if run is None else run.seconds
        upcoming = "paused" if self.paused else "" if self.next_at is None else f"in {_until(self.next_at, now)}"
        return (
            begun,
            "" if seconds is None else f"{seconds:.1f} s",
            "" if run is None or run.rows is None else f"{run.rows:,}",
            upcoming,
        )


@dataclass(frozen=True, slots=True)
class JobStep:
    """A batch job as a step towards the content of a page.

    Attributes:
        job, title: The job, and its name for people.
        state: ``done``, ``running``, ``waiting`` or ``failed``.
        text: How far it is, in words.
        done, total: The same in numbers; 0 if it has none.
    """

    job: BatchJob
    title: str
    state: str
    text: str
    done: int = 0
    total: int = 0


STEP_TITLES = {
    BatchJob.HISTORY: "History",
    BatchJob.DBT: "Marts (dbt)",
    BatchJob.FORECAST: "Forecast",
    BatchJob.PLAN: "Staffing plan",
}


def steps(statuses: Sequence[JobStatus], *, now: datetime) -> tuple[JobStep, ...]:
    """The jobs that lead to the staffing plan, in their order; history is left out where it is never loaded."""
    known = [status for status in statuses if status.job in STEP_TITLES]
    began = any(status.last or status.running for status in known)
    if known and began and known[0].job is BatchJob.HISTORY and known[0].state == NEVER:
        known = known[1:]
    before = [None, *(STEP_TITLES[status.job] for status in known[:-1])]
    return tuple(_step(status, previous, now) for status, previous in zip(known, before, strict=True))


def _step(status: JobStatus, previous: str | None, now: datetime) -> JobStep:
    title, run = STEP_TITLES[status.job], status.success
    upcoming = "the schedule is paused" if status.paused else ""
    if status.next_at and not status.paused:
        upcoming = f"next in {_until(status.next_at, now)}"
    if status.running:
        return JobStep(status.job, title, "running", status.running, status.done, status.total)
    if status.error:
        return JobStep(status.job, title, "failed", _joined(status.error, upcoming))
    if run is None:
        waits = f"follows after {previous}" if previous else "begins in a moment"
        return JobStep(status.job, title, "waiting", upcoming if status.paused else waits)
    ended = formatting.ago((now - (run.ended_at or run.began_at)).total_seconds())
    rows = "" if run.rows is None else f"{formatting.format_quantity(run.rows, 'rows')}"
    return JobStep(status.job, title, "done", _joined(ended, rows, upcoming))


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def job_statuses(settings: Settings, warehouse: Warehouse) -> list[JobStatus]:
    """The state of every batch job of the domain, in the order in which they depend on each other.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    heartbeats = read_progress(settings).heartbeats
    histories = warehouse.run(runs.by_job, settings.domain)
    return list(combine(histories, heartbeats, now=datetime.now(UTC)).values())


def current_statuses(settings: Settings) -> list[JobStatus]:
    """The same over a connection of its own."""
    with closing(Warehouse(settings, ride_out_seconds=0)) as warehouse:
        return job_statuses(settings, warehouse)


def combine(
    histories: Mapping[BatchJob, JobHistory], heartbeats: Mapping[str, Heartbeat], *, now: datetime
) -> dict[BatchJob, JobStatus]:
    """The state of every job from the recorded runs and the newest heartbeats."""
    schedule = _fresh(heartbeats.get(SCHEDULER), now)
    statuses = {}
    for job in BatchJob:
        history, beat = histories.get(job, JobHistory()), _fresh(heartbeats.get(job.heartbeat), now)
        entry = schedule.numbers.get(ENTRIES.get(job, "")) if schedule else None
        statuses[job] = JobStatus(
            job,
            history.last,
            history.success,
            running=beat.said if beat else "begins" if _is_begun(history.last, now) else "",
            done=int(beat.numbers.get("done", 0)) if beat else 0,
            total=int(beat.numbers.get("total", 0)) if beat else 0,
            next_at=datetime.fromtimestamp(entry, UTC) if entry else None,
            paused=bool(schedule and schedule.numbers.get("paused")),
        )
    return statuses


def with_run(
    observation: Observation, job: BatchJob, statuses: Mapping[BatchJob, JobStatus], *, now: datetime
) -> Observation:
    """What a node shows of its result, together with the run of its job that works, failed, or comes next."""
    status = statuses[job]
    if status.running:
        share = (Reading("running", status.done, f"of {status.total}", now),) if status.total else ()
        return replace(observation, reason=f"running ({status.running})", readings=(*share, *observation.readings))
    if status.error:
        kept = "" if observation.status is Status.IDLE else "; its numbers are those of the run before"
        when = formatting.ago((now - status.last.began_at).total_seconds()) if status.last else ""
        reason = f"its last run failed {when}: {status.error[:160]}{kept}; cure: rtlib batch run {job}"
        return replace(observation, status=Status.DEGRADED, reason=reason)
    if observation.status is Status.IDLE:
        others = [f"{other.job} is running ({other.running})" for other in statuses.values() if other.running]
        return replace(observation, reason=others[0]) if others else observation
    return replace(observation, reason=f"{observation.reason}{_times(status, now)}")


def _is_begun(run: Run | None, now: datetime) -> bool:
    """True for a run that began just now and has sent no heartbeat yet."""
    return run is not None and run.outcome == RUNNING and (now - run.began_at).total_seconds() < FRESH_SECONDS


def _times(status: JobStatus, now: datetime) -> str:
    run, text = status.success, ""
    if run is not None and run.seconds is not None and run.ended_at is not None:
        text = f"; it took {run.seconds:.0f} s, {formatting.ago((now - run.ended_at).total_seconds())}"
    if status.paused:
        return f"{text}; the schedule is paused"
    return text if status.next_at is None else f"{text}; next in {_until(status.next_at, now)}"


def _until(moment: datetime, now: datetime) -> str:
    return formatting.duration((moment - now).total_seconds())


def _fresh(beat: Heartbeat | None, now: datetime) -> Heartbeat | None:
    """The heartbeat if what it reports still works."""
    return beat if beat and beat.active and (now - beat.at).total_seconds() <= FRESH_SECONDS else None
