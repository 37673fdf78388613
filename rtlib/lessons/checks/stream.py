"""Streams: a function from a streaming data frame to another, run on a stream that is fed step by step.

Each step is a file, and each file a micro-batch; Spark adds a batch without events where the watermark has moved. So
the order of the events, the late ones and the duplicates are the same in every run, and after each step there are
rows, a watermark and counts to look at.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rtlib.lessons import bounds
from rtlib.lessons.checks.scenario import callable_with
from rtlib.lessons.checks.value import type_of
from rtlib.lessons.exercise import Numbers, Unusable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery
    from pyspark.sql.streaming.readwriter import DataStreamWriter

SCHEMA = "event_id string, site string, at timestamp"
DAY = "2026-01-05"
BEFORE = "before"
FEED_SECONDS = 240.0  # for all steps of a script; usual are four, and twenty in a Spark that has just started
CALL_MEGABYTES = 1_024
MAX_ROWS = 10_000
STATE = "org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider"
# A session of the check's own, which is as quick as possible.
OPTIONS = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.streaming.stateStore.providerClass": STATE,
}

Event = tuple[str, str, str]  # event_id, site, time of the day
Script = tuple[tuple[Event, ...], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What a query had done after a step.

    Attributes:
        rows: The rows of its result so far, as dictionaries; a window is replaced by its start, ``12:01:00``.
        watermark: The time of the day up to which windows are closed; ``BEFORE`` if it is of another day than the
            events; empty if the query has none.
        dropped: Rows dropped in this step because they were behind the watermark.
        state: Rows of state by operator.
    """

    rows: tuple[Mapping[str, Any], ...]
    watermark: str
    dropped: int
    state: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StreamRun:
    """The outcome of an answer on a scripted stream.

    Attributes:
        steps: One for each step of the script.
        columns: Of the result.
        window_seconds: Length of the windows of the result; 0 if it has none.
        other_days: Whether windows are of another day than the events, which means processing time.
    """

    steps: tuple[Step, ...]
    columns: tuple[str, ...]
    window_seconds: int
    other_days: bool

    @property
    def last(self) -> Step:
        """After the whole script."""
        return self.steps[-1]

    @property
    def dropped(self) -> int:
        """Rows dropped in all steps."""
        return sum(step.dropped for step in self.steps)

    def newest(self, value: str = "count", by: tuple[str, ...] = ("window",)) -> dict[tuple[Any, ...], Any]:
        """The largest value of each key in the whole result: what an upsert by that key would leave."""
        found: dict[tuple[Any, ...], Any] = {}
        for row in self.last.rows:
            key = tuple(row.get(name) for name in by)
            found[key] = max(found.get(key, row.get(value, 0)), row.get(value, 0))
        return found


@dataclass(frozen=True, slots=True)
class Stream:
    """Runs a function from events to a result on a script.

    Attributes:
        script: The steps, made from the learner's numbers.
        right: Whether a run is right.
        differs: A sentence on a run that is not.
        writes: True if the function returns a writer (``writeStream`` with its options) instead of a data frame.
        call_seconds: The limit for the function itself, which only describes a query.
    """

    in_kernel = True
    preload = ()

    script: Callable[[Numbers], Script]
    right: Callable[[StreamRun, Numbers], bool]
    differs: Callable[[StreamRun, Numbers], str]
    writes: bool = False
    call_seconds: float = 10.0

    def observe(self, answer: Any, numbers: Numbers) -> tuple[StreamRun, Numbers]:
        """What its query did in each step."""
        function = callable_with(answer, ("events",))
        base = _learners_session()
        with _scratch() as folder, _own_session(base) as (spark, stop_queries):
            events = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 1).json(str(folder / "events"))
            with bounds.memory_limit(CALL_MEGABYTES):
                result = bounds.within(self.call_seconds, lambda: function(events), release=stop_queries)
            self._refuse_other_types(result)
            script = self.script(numbers)
            run = bounds.within(FEED_SECONDS, lambda: self._fed(spark, result, folder, script), release=stop_queries)
            return run, numbers

    def expected(self, numbers: Numbers) -> Numbers:
        """The script decides, so the solution need not run."""
        return numbers

    def accepts(self, observed: tuple[StreamRun, Numbers], expected: Numbers) -> bool:
        """As the exercise defines it."""
        return self.right(observed[0], expected)

    def difference(self, observed: tuple[StreamRun, Numbers], expected: Numbers) -> str:
        """As the exercise defines it."""
        return self.differs(observed[0], expected)

    def _refuse_other_types(self, result: Any) -> None:
        attributes, form = ("writeStream", "isStreaming"), "a data frame"
        if self.writes:
            attributes, form = ("outputMode", "start"), "events.writeStream…"
        if not all(hasattr(result, name) for name in attributes):
            raise Unusable(f"your function must return {form}, not {'nothing' if result is None else type_of(result)}")
        if not self.writes and not result.isStreaming:
            raise Unusable("your function must return a streaming data frame that is made from events")

    def _fed(self, spark: SparkSession, result: Any, folder: Path, script: Script) -> StreamRun:
        writer: DataStreamWriter = result if self.writes else result.writeStream.outputMode("update")
        name = f"answer_{uuid4().hex}"
        query = writer.format("memory").queryName(name).option("checkpointLocation", str(folder / "state")).start()
        try:
            taken = [_step(query, spark.table(name), folder, events) for events in script]
            return _run_of(taken, columns=tuple(spark.table(name).columns))
        finally:
            query.stop()


def _step(query: StreamingQuery, result: DataFrame, folder: Path, events: tuple[Event, ...]) -> tuple[Any, ...]:
    """Feed a step and wait until it is processed; returns the rows of the result so far, and the batches so far."""
    lines = [json.dumps({"event_id": each[0], "site": each[1], "at": f"{DAY}T{each[2]}Z"}) for each in events]
    draft = folder / f"{uuid4().hex}.json"
    draft.write_text("\n".join(lines), encoding="utf-8")
    draft.rename(folder / "events" / draft.name)  # complete or absent
    query.processAllAvailable()
    return result.limit(MAX_ROWS).collect(), query.recentProgress


def _run_of(taken: list[tuple[Any, ...]], *, columns: tuple[str, ...]) -> StreamRun:
    before, steps = 0, []
    for rows, batches in taken:
        steps.append(_observed(rows, batches[before:] or batches[-1:]))
        before = len(batches)
    windows = [row["window"] for rows, _ in taken for row in rows if "window" in row.__fields__ and row["window"]]
    spans = {int((window["end"] - window["start"]).total_seconds()) for window in windows}
    days = {window["start"].date().isoformat() for window in windows}
    return StreamRun(tuple(steps), columns, max(spans, default=0), bool(days - {DAY}))


def _observed(rows: list[Any], batches: list[Mapping[str, Any]]) -> Step:
    """A step from the batches that it took; the last of them is the state that it left."""
    watermark = batches[-1]["eventTime"].get("watermark", "")
    return Step(
        rows=tuple(_plain(row.asDict()) for row in rows),
        watermark=watermark[11:19] if watermark.startswith(DAY) else BEFORE if watermark else "",
        dropped=sum(each["numRowsDroppedByWatermark"] for batch in batches for each in batch["stateOperators"]),
        state={each["operatorName"]: each["numRowsTotal"] for each in batches[-1]["stateOperators"]},
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    window = row.get("window")
    return {**row, "window": f"{window['start']:%H:%M:%S}"} if window is not None else row


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the events and the state of a run."""
    folder = Path(tempfile.mkdtemp(prefix="rtlib-check-"))
    (folder / "events").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _own_session(base: SparkSession) -> Iterator[tuple[SparkSession, Callable[[], None]]]:
    """A session beside the learner's, on the same Spark, and a function that stops the queries started since."""
    spark = base.newSession()
    for name, value in OPTIONS.items():
        spark.conf.set(name, value)
    before = {query.id for query in base.streams.active}

    def stop_queries() -> None:
        for session in (spark, base):
            for query in session.streams.active:
                if query.id not in before:
                    query.stop()

    try:
        yield spark, stop_queries
    finally:
        stop_queries()


def _learners_session() -> SparkSession:
    from pyspark.sql import SparkSession

    base = SparkSession.getActiveSession() or SparkSession._instantiatedSession
    if base is None or base.sparkContext._jsc is None:
        raise Unusable("no Spark runs in this notebook; run the cells that start it first")
    return base


def seconds_of(time: str) -> int:
    """The second of the day: ``12:01:10`` is 43270."""
    at = datetime.strptime(time, "%H:%M:%S")
    return at.hour * 3600 + at.minute * 60 + at.second


def time_of(seconds: int) -> str:
    """The time of the day at a second."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def counted(script: Script, *, window: int, delay: int | None, distinct: bool = False) -> dict[tuple[str, str], int]:
    """The counts that a query leaves on a script, worked out without Spark.

    Args:
        script: The steps.
        window: Length of the windows in seconds.
        delay: Of the watermark, in seconds; None: there is none.
        distinct: Whether an ``event_id`` counts once.

    Returns:
        Counts by start of the window and site.
    """
    counts: dict[tuple[str, str], int] = {}
    newest, seen = 0, set()
    for step in script:
        watermark = newest - delay if delay is not None else 0
        for event_id, site, time in step:
            start = seconds_of(time) // window * window
            if (distinct and event_id in seen) or start + window <= watermark:
                continue
            seen.add(event_id)
            counts[time_of(start), site] = counts.get((time_of(start), site), 0) + 1
        newest = max([newest, *(seconds_of(time) for _, _, time in step)])
    return counts
