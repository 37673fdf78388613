"""Job: keeps both queries running, and tells what they do while they do it."""

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
# A query that failed once or twice and runs again is well; the third failure within two minutes is a loop.
LOOP, LOOP_SECONDS = 3, 120.0
TORN = "torn"  # in a heartbeat's numbers: the query is stopped until its checkpoint has been rebuilt


def run(
    starts: Mapping[str, Start],
    *,
    on_progress: Callable[[QueryProgress], None],
    on_heartbeat: Callable[[Heartbeat], None],
    stop: threading.Event,
    outdated: Callable[[], Collection[str]] = lambda: (),
    every_seconds: float = 1.0,
) -> None:
    """Run the queries until ``stop`` is set; a query that fails is started again on its checkpoint.

    A query whose checkpoint is damaged beyond mending stays stopped and says so; the others go on.

    Args:
        starts: For each query, what starts it.
        outdated: Names, once, the queries for which something has changed since their start: they are started again.
        on_progress: Receives each batch's progress once.
        on_heartbeat: Receives a sign of life of each query about every second.
        stop: Ends the job.
        every_seconds: How often to look.

    Raises:
        StreamError: A query failed again and again, or Spark itself is gone.
    """
    begin = {name: _unless_torn(start) for name, start in starts.items()}
    queries = dict(zip(starts, _at_once(begin.values()), strict=True))
    told: dict[str, tuple[str, int]] = {}
    failures = Failures()
    pause = 0.0  # the first look tells at once that they run
    while not stop.wait(pause):
        pause, again = every_seconds, outdated()
        for name, query in list(queries.items()):
            try:
                if name in again and not isinstance(query, CheckpointTorn) and query.isActive:
                    query.stop()
                    queries[name] = query = begin[name]()
                if not isinstance(query, CheckpointTorn) and not query.isActive:
                    failures.count(name, query)
                    queries[name] = query = begin[name]()
                if isinstance(query, CheckpointTorn):
                    on_heartbeat(_stopped(name, query))
                    continue
                _tell(query, told, on_progress)
                on_heartbeat(_beat(name, query, failures))
            except StreamError:
                raise
            except Exception as error:  # the JVM behind the session is gone: nothing of this process is of use
                raise StreamError(f"Spark stopped answering: {type(error).__name__}: {error}") from error
    _at_once([query.stop for query in queries.values() if not isinstance(query, CheckpointTorn)])


def _at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Make all calls at the same time and return what they return, in order; the first error of all is raised.

    A query that is planned, or waits for its batch to end, leaves a core to the others.
    """
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda call: call(), calls))


def _tell(
    query: StreamingQuery, told: dict[str, tuple[str, int]], on_progress: Callable[[QueryProgress], None]
) -> None:
    for report in query.recentProgress:
        batch = (str(report["runId"]), int(report["batchId"]))
        before = told.get(query.name)
        if before is not None and before[0] == batch[0] and batch[1] <= before[1]:
            continue
        told[query.name] = batch
        on_progress(read_progress(report))


def _unless_torn(start: Start) -> Callable[[], StreamingQuery | CheckpointTorn]:
    def begin() -> StreamingQuery | CheckpointTorn:
        try:
            return start()
        except CheckpointTorn as error:
            log.error("%s", error)
            return error

    return begin


def _beat(name: str, query: StreamingQuery, failures: Failures) -> Heartbeat:
    """A sign of life; a query that still reads its checkpoint, or fails again and again, is not active."""
    said = str(query.status["message"])
    loop = failures.loop(name)
    active = query.isActive and not said.startswith("Initializing") and not loop
    return Heartbeat(name, active, loop or said, datetime.now(UTC))


def _stopped(name: str, error: CheckpointTorn) -> Heartbeat:
    return Heartbeat(name, False, error.what, datetime.now(UTC), {TORN: 1.0})


class Failures:
    """When each query failed of late, and why it did last."""

    def __init__(self) -> None:
        self._moments = defaultdict[str, list[float]](list)
        self._reasons: dict[str, str] = {}

    def count(self, name: str, query: StreamingQuery) -> None:
        """Note that this query has failed.

        Raises:
            StreamError: Queries have failed more than ``RESTARTS_PER_MINUTE`` times within a minute.
        """
        now = time.monotonic()
        reason = str(query.exception()).strip()
        log.error("query %s stopped and is started again on its checkpoint: %s", name, reason[:2000])
        self._reasons[name] = reason.splitlines()[0][:300] if reason else "no reason given"
        self._moments[name] = [one for one in self._moments[name] if now - one < LOOP_SECONDS] + [now]
        if sum(now - one < 60 for moments in self._moments.values() for one in moments) > RESTARTS_PER_MINUTE:
            raise StreamError(
                f"query {name} failed {self._of_late(name)} times in a row: {self._reasons[name]}",
                cure="rtlib logs stream",
            )

    def loop(self, name: str) -> str | None:
        """What to say of a query that fails again and again; None for one that does not."""
        count = self._of_late(name)
        if count < LOOP:
            return None
        return f"failed {count} times in the last {LOOP_SECONDS / 60:.0f} minutes: {self._reasons[name]}"

    def _of_late(self, name: str) -> int:
        return sum(time.monotonic() - one < LOOP_SECONDS for one in self._moments[name])
