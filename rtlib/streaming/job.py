"""Job: keeps both queries running, and tells what they do while they do it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from rtlib.errors import StreamError
from rtlib.records import Heartbeat, QueryProgress
from rtlib.streaming.progress import read_progress

if TYPE_CHECKING:
    from pyspark.sql.streaming.query import StreamingQuery

log = logging.getLogger(__name__)

Start = Callable[[], "StreamingQuery"]
T = TypeVar("T")
RESTARTS_PER_MINUTE = 5


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
    queries = dict(zip(starts, _at_once(starts.values()), strict=True))
    told: dict[str, tuple[str, int]] = {}
    failures: list[float] = []
    pause = 0.0  # the first look tells at once that they run
    while not stop.wait(pause):
        pause, again = every_seconds, outdated()
        for name, query in list(queries.items()):
            try:
                if name in again and query.isActive:
                    query.stop()
                    queries[name] = query = starts[name]()
                if not query.isActive:
                    _count_failure(name, query, failures)
                    queries[name] = query = starts[name]()
                _tell(query, told, on_progress)
                on_heartbeat(Heartbeat(name, query.isActive, str(query.status["message"]), datetime.now(UTC)))
            except StreamError:
                raise
            except Exception as error:  # the JVM behind the session is gone: nothing of this process is of use
                raise StreamError(f"Spark stopped answering: {type(error).__name__}: {error}") from error
    _at_once([query.stop for query in queries.values()])


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


def _count_failure(name: str, query: StreamingQuery, failures: list[float]) -> None:
    now = time.monotonic()
    reason = str(query.exception()).strip()
    log.error("query %s stopped and is started again on its checkpoint: %s", name, reason[:2000])
    failures[:] = [moment for moment in failures if now - moment < 60] + [now]
    if len(failures) > RESTARTS_PER_MINUTE:
        first = reason.splitlines()[0] if reason else "no reason told"
        raise StreamError(
            f"query {name} failed {len(failures)} times within a minute: {first}", cure="rtlib logs stream"
        )
