"""Job: keeps both queries running, and reports their progress and heartbeats."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from rtlib.errors import CheckpointTorn, StreamError
from rtlib.records import Heartbeat, QueryProgress
from rtlib.streaming.progress import read_progress

if TYPE_CHECKING:
    from pyspark.sql.streaming.query import StreamingQuery

log = logging.getLogger(__name__)

Start = Callable[[], "StreamingQuery"]
T = TypeVar("T")
RESTARTS_PER_MINUTE = 5
# A query that runs again after a failure or two is healthy; the third failure within two minutes is a loop.
LOOP, LOOP_SECONDS = 3, 120.0
TORN = "torn"  # key in a heartbeat's numbers: the query is stopped until its checkpoint has been rebuilt


def run(
    starts: Mapping[str, Start],
    *,
    on_progress: Callable[[QueryProgress], None],
    on_heartbeat: Callable[[Heartbeat], None],
    stop: threading.Event,
    outdated: Callable[[], Collection[str]] = lambda: (),
    every_seconds: float = 1.0,
) -> None:
    """Run the queries until ``stop`` is set; a failed query is restarted on its checkpoint.

    A query whose checkpoint is damaged beyond repair stays stopped and reports that; the others continue.

    Args:
        starts: Query name to the function that starts the query.
        outdated: Returns the names of queries whose configuration has changed since their start, each change once;
            they are restarted.
        on_progress: Receives the progress of each batch once.
        on_heartbeat: Receives a heartbeat of each query about every second.
        stop: Ends the job.
        every_seconds: The interval in seconds between two checks.

    Raises:
        StreamError: A query failed too often, or Spark no longer answers.
    """
    begin = {name: _unless_torn(start) for name, start in starts.items()}
    queries = dict(zip(starts, _in_parallel(begin.values()), strict=True))
    reported: dict[str, tuple[str, int]] = {}
    failures = Failures()
    pause = 0.0  # the first heartbeats are sent at once
    while not stop.wait(pause):
        pause, changed = every_seconds, outdated()
        for name, query in list(queries.items()):
            try:
                if name in changed and not isinstance(query, CheckpointTorn) and query.isActive:
                    query.stop()
                    queries[name] = query = begin[name]()
                if not isinstance(query, CheckpointTorn) and not query.isActive:
                    failures.count(name, query)
                    queries[name] = query = begin[name]()
                if isinstance(query, CheckpointTorn):
                    on_heartbeat(_torn_heartbeat(name, query))
                    continue
                _report_progress(query, reported, on_progress)
                on_heartbeat(_heartbeat(name, query, failures))
            except StreamError:
                raise
            except Exception as error:  # the JVM of the session is gone, so this process is useless
                raise StreamError(f"Spark stopped answering: {type(error).__name__}: {error}") from error
    _in_parallel([query.stop for query in queries.values() if not isinstance(query, CheckpointTorn)])


def _in_parallel(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Call all functions in parallel; returns their results in order, or raises the first error.

    While a query is planned or waits for its batch to end, another can use the core.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda call: call(), calls))


def _report_progress(
    query: StreamingQuery, reported: dict[str, tuple[str, int]], on_progress: Callable[[QueryProgress], None]
) -> None:
    for report in query.recentProgress:
        batch = (str(report["runId"]), int(report["batchId"]))
        last = reported.get(query.name)
        if last is not None and last[0] == batch[0] and batch[1] <= last[1]:
            continue
        reported[query.name] = batch
        on_progress(read_progress(report))


def _unless_torn(start: Start) -> Callable[[], StreamingQuery | CheckpointTorn]:
    def begin() -> StreamingQuery | CheckpointTorn:
        try:
            return start()
        except CheckpointTorn as error:
            log.error("%s", error)
            return error

    return begin


def _heartbeat(name: str, query: StreamingQuery, failures: Failures) -> Heartbeat:
    """A query that still reads its checkpoint, or fails in a loop, is not active."""
    message = str(query.status["message"])
    loop = failures.loop(name)
    active = query.isActive and not message.startswith("Initializing") and not loop
    return Heartbeat(name, active, loop or message, datetime.now(UTC))


def _torn_heartbeat(name: str, error: CheckpointTorn) -> Heartbeat:
    return Heartbeat(name, False, error.what, datetime.now(UTC), {TORN: 1.0})


class Failures:
    """The recent failures of each query, with the last reason."""

    def __init__(self) -> None:
        self._times = defaultdict[str, list[float]](list)
        self._reasons: dict[str, str] = {}

    def count(self, name: str, query: StreamingQuery) -> None:
        """Count a failure of this query.

        Raises:
            StreamError: Queries have failed more than ``RESTARTS_PER_MINUTE`` times within a minute.
        """
        now = time.monotonic()
        reason = str(query.exception()).strip()
        log.error("query %s stopped and is restarted on its checkpoint: %s", name, reason[:2000])
        self._reasons[name] = reason.splitlines()[0][:300] if reason else "no reason given"
        self._times[name] = [at for at in self._times[name] if now - at < LOOP_SECONDS] + [now]
        if sum(now - at < 60 for times in self._times.values() for at in times) > RESTARTS_PER_MINUTE:
            raise StreamError(
                f"query {name} failed {self._recent(name)} times in a row: {self._reasons[name]}",
                cure="rtlib logs stream",
            )

    def loop(self, name: str) -> str | None:
        """The reason for a heartbeat of a query that fails in a loop; None for any other."""
        count = self._recent(name)
        if count < LOOP:
            return None
        return f"failed {count} times in the last {LOOP_SECONDS / 60:.0f} minutes: {self._reasons[name]}"

    def _recent(self, name: str) -> int:
        return sum(time.monotonic() - at < LOOP_SECONDS for at in self._times[name])
