"""Runs: the record of each run of a batch job, in OPS.RUNS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rtlib.records import BatchJob
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

KEPT = timedelta(days=14)
RUNNING, SUCCEEDED, FAILED, INTERRUPTED = "running", "succeeded", "failed", "interrupted"
ERROR_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a batch job; moments are in UTC.

    Attributes:
        job: What ran.
        reason: Why it ran.
        began_at: When it began.
        ended_at: When it ended; None while it runs, or if its process was killed.
        rows: Rows that it wrote; None if it did not succeed.
        outcome: ``running``, ``succeeded``, ``failed`` or ``interrupted``.
        error: What failed; empty otherwise.
    """

    job: BatchJob
    reason: str
    began_at: datetime
    ended_at: datetime | None
    rows: int | None
    outcome: str
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.ended_at is None else (self.ended_at - self.began_at).total_seconds()


@dataclass(frozen=True, slots=True)
class JobHistory:
    """The newest run of a job, and the newest that succeeded; None if there is none."""

    last: Run | None = None
    success: Run | None = None


def begin(connection: SnowflakeConnection, domain: str, job: BatchJob, *, reason: str) -> str:
    """Record that a run begins, and return its id.

    Only one run works at a time, so an earlier row that is still ``running`` belongs to a process that was killed: it
    becomes ``interrupted``. Rows older than ``KEPT`` are deleted.
    """
    run_id, now = uuid4().hex, datetime.now(UTC)
    execute(
        connection,
        f"update OPS.RUNS set outcome = '{INTERRUPTED}', error = 'its process ended before it was done' "
        f"where domain = ? and outcome = '{RUNNING}'",
        (domain,),
    )
    execute(
        connection,
        "delete from OPS.RUNS where domain = ? and began_at < cast(? as timestamp_ntz)",
        (domain, moment_text(now - KEPT)),
    )
    execute(
        connection,
        "insert into OPS.RUNS (run_id, domain, job, reason, began_at, outcome) "
        f"select ?, ?, ?, ?, cast(? as timestamp_ntz), '{RUNNING}'",
        (run_id, domain, job.value, reason, moment_text(now)),
    )
    return run_id


def end(
    connection: SnowflakeConnection, run_id: str, outcome: str, *, rows: int | None = None, error: str = ""
) -> None:
    """Record how a run ended."""
    execute(
        connection,
        "update OPS.RUNS set outcome = ?, row_count = ?, error = ?, ended_at = cast(? as timestamp_ntz) "
        "where run_id = ?",
        (outcome, rows, error[:ERROR_CHARACTERS], moment_text(datetime.now(UTC)), run_id),
    )


def by_job(connection: SnowflakeConnection, domain: str) -> Mapping[BatchJob, JobHistory]:
    """The newest runs of each job of a domain; an entry for every job."""
    rows = query(connection, _NEWEST, (domain,))
    newest = {(row["job"], bool(row["succeeded"])): _run(row) for row in rows if row["job"] in set(BatchJob)}
    histories = {}
    for job in BatchJob:
        success, other = newest.get((job, True)), newest.get((job, False))
        known = [run for run in (success, other) if run]
        histories[job] = JobHistory(max(known, key=lambda run: run.began_at, default=None), success)
    return histories


_COLUMNS = "job, reason, began_at, ended_at, row_count, outcome, error"
_NEWEST = f"""
select {_COLUMNS}, iff(outcome = '{SUCCEEDED}', 1, 0) as succeeded
from OPS.RUNS
where domain = ?
qualify row_number() over (partition by job, iff(outcome = '{SUCCEEDED}', 1, 0) order by began_at desc) = 1
"""


def _run(row: Mapping[str, Any]) -> Run:
    ended = row["ended_at"]
    return Run(
        job=BatchJob(row["job"]),
        reason=row["reason"],
        began_at=row["began_at"].replace(tzinfo=UTC),
        ended_at=None if ended is None else ended.replace(tzinfo=UTC),
        rows=row["row_count"],
        outcome=row["outcome"],
        error=row["error"] or "",
    )
