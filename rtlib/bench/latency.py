"""Latency: the time from an event to its KPI in Kafka, and to its KPI row in the warehouse.

A KPI carries the number of events it counts. So the k-th event of a site and window has arrived with the first KPI that
counts at least k: events need no marks, and a KPI that counts many events gives each its full waiting time. Latencies
run from the scheduled time of an event, so a late sender does not shorten them.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rtlib.bench.load_generator import Planned
from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.pipeline.recovery.readiness import wait_until_merged
from rtlib.wait import wait_until
from rtlib.warehouse.connection import connect, query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Key = tuple[str, datetime]  # site and window start
Counted = tuple[float, Key, int]  # seconds since 1970, window, events that it counted then


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from an event to its KPI; ``missing`` events have none."""

    p50_ms: float
    p99_ms: float
    events: int
    missing: int


def latency(planned: Sequence[Planned], counted: Iterable[Counted], *, before: Mapping[Key, int]) -> Latency:
    """Match events with the KPIs that first count them. Pure.

    Args:
        planned: The events, in the order in which they were sent.
        counted: Counts of the windows, by rising time.
        before: Events that each window counted before the first of these.
    """
    import numpy as np

    seconds = latencies(planned, counted, before=before)[:, 1]
    if not len(seconds):
        return Latency(float("nan"), float("nan"), 0, len(planned))
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return Latency(round(float(p50), 1), round(float(p99), 1), len(seconds), len(planned) - len(seconds))


def latency_of_all(
    planned: Sequence[Planned], read: Callable[[], list[Counted]], *, before: Mapping[Key, int], patience: float
) -> tuple[Latency, list[Counted]]:
    """The latency once every event has its KPI, or after ``patience`` seconds; with the counts it was computed from."""

    def now() -> tuple[Latency, list[Counted]]:
        counted = read()
        return latency(planned, counted, before=before), counted

    return wait_until(now, seconds=patience, interval=0.5, holds=lambda result: result[0].missing == 0)


def latencies(
    planned: Sequence[Planned], counted: Iterable[Counted], *, before: Mapping[Key, int]
) -> NDArray[np.float64]:
    """Scheduled time and latency in seconds of each counted event (rows). Pure."""
    import numpy as np

    sent_at: dict[Key, list[float]] = defaultdict(list)
    for event in planned:
        sent_at[event.site, event.window].append(event.at)
    done: dict[Key, int] = defaultdict(int)
    rows: list[tuple[float, float]] = []
    for moment, key, count in counted:
        reached = min(count - before.get(key, 0), len(sent_at[key]))
        rows += [(at, moment - at) for at in sent_at[key][done[key] : reached]]
        done[key] = max(done[key], reached)
    return np.array(rows).reshape(-1, 2)


def by_second(rows: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The median latency of the events scheduled in each second, from ``latencies``. Pure."""
    import numpy as np

    seconds = rows[:, 0].astype(np.int64)
    return [(float(second), float(np.median(rows[seconds == second, 1]))) for second in np.unique(seconds)]


class TopicWatch:
    """Reads the KPI topic from the offsets at which the object was made."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic("kpis")
        self._since = end_offsets(settings, self._topic)

    def counted(self) -> list[Counted]:
        """The counts of all KPIs since then, in the order of Kafka's timestamps."""
        counts = []
        for record in contents(self._settings, self._topic, since=self._since):
            kpi = json.loads(record.value)
            key = (kpi["site"], datetime.fromisoformat(kpi["window_start"]))
            counts.append((record.timestamp / 1000, key, int(kpi["events"])))
        return sorted(counts, key=lambda count: count[0])


class RowWatch:
    """Polls the rows of SPEED.KPIS in a thread; use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._counts: list[Counted] = []
        self._query_ms: list[float] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> RowWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def counted(self) -> list[Counted]:
        """The counts that were readable, each at the time of the first poll that found it."""
        return list(self._counts)

    @property
    def query_ms(self) -> float:
        """Median duration of a poll in milliseconds; NaN before the first."""
        import statistics

        return statistics.median(self._query_ms) if self._query_ms else float("nan")

    def _watch(self) -> None:

        latest = dict[Key, int]()
        sql = (
            "select site, window_start, events from SPEED.KPIS where domain = ? and window_start > "
            "dateadd(minute, -4, current_timestamp()::timestamp_ntz)"
        )
        with closing(connect(self._settings)) as connection:
            while not self._stop.wait(0.01):
                began = time.time()
                rows = query(connection, sql, (self._settings.domain,))
                now = time.time()
                self._query_ms.append((now - began) * 1000)
                for row in rows:
                    key = (row["site"], row["window_start"].replace(tzinfo=UTC))
                    if latest.get(key) != int(row["events"]):
                        latest[key] = int(row["events"])
                        self._counts.append((now, key, latest[key]))


def counts_now(settings: Settings) -> dict[Key, int]:
    """The events that each window counts in the warehouse, once the loader has merged everything that Kafka holds.

    Raises:
        ServiceError: The loader does not catch up.
    """
    wait_until_merged(settings)
    with closing(connect(settings)) as connection:
        sql = "select site, window_start, events from SPEED.KPIS where domain = ?"
        rows = query(connection, sql, (settings.domain,))
    return {(row["site"], row["window_start"].replace(tzinfo=UTC)): int(row["events"]) for row in rows}
