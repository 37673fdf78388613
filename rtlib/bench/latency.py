"""Latency: how long an event takes to its KPI in Kafka, and to its KPI row in the warehouse.

A window's KPI says how many events it counts. The k-th event of a site and window has therefore arrived with the first
KPI that counts at least k; nothing has to be marked, and a KPI that stands for many events is no better than it is.
Times run from the moment an event was to be sent, so that a sender that falls behind makes nothing look quicker.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rtlib.bench.load_generator import Planned
from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.pipeline.recovery.readiness import wait_until_merged
from rtlib.warehouse.connection import connect, query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Key = tuple[str, datetime]  # site and window start
Counted = tuple[float, Key, int]  # seconds since 1970, which window, how many events it counted then


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from an event to its KPI; ``missing`` events had none."""

    p50_ms: float
    p99_ms: float
    events: int
    missing: int


def latency(planned: Sequence[Planned], counted: Iterable[Counted], *, before: Mapping[Key, int]) -> Latency:
    """Match events with the KPIs that first count them. Pure.

    Args:
        planned: The events, in the order in which they were sent.
        counted: What was counted, in the order of time.
        before: How many events each window counted before the first of these.
    """
    import numpy as np

    waited = latencies(planned, counted, before=before)[:, 1]
    if not len(waited):
        return Latency(float("nan"), float("nan"), 0, len(planned))
    p50, p99 = np.percentile(waited, [50, 99]) * 1000
    return Latency(round(float(p50), 1), round(float(p99), 1), len(waited), len(planned) - len(waited))


def latency_of_all(
    planned: Sequence[Planned], look: Callable[[], list[Counted]], *, before: Mapping[Key, int], patience: float
) -> tuple[Latency, list[Counted]]:
    """The same, looked for again until every event has its KPI, or patience (in seconds) ends; with what was seen."""

    def now() -> tuple[Latency, list[Counted]]:
        counted = look()
        return latency(planned, counted, before=before), counted

    return Retrying(
        retry=retry_if_result(lambda found: found[0].missing > 0),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(patience),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )(now)


def latencies(
    planned: Sequence[Planned], counted: Iterable[Counted], *, before: Mapping[Key, int]
) -> NDArray[np.float64]:
    """For each event that was counted, when it was to be sent, and how many seconds it waited for its KPI. Pure."""
    import numpy as np

    waiting: dict[Key, list[float]] = defaultdict(list)
    for one in planned:
        waiting[one.site, one.window].append(one.at)
    done: dict[Key, int] = defaultdict(int)
    found: list[tuple[float, float]] = []
    for moment, key, count in counted:
        reached = min(count - before.get(key, 0), len(waiting[key]))
        found += [(at, moment - at) for at in waiting[key][done[key] : reached]]
        done[key] = max(done[key], reached)
    return np.array(found).reshape(-1, 2)


def by_second(waited: NDArray[np.float64]) -> list[tuple[float, float]]:
    """For each second in which events were sent, the median of how long they waited. Pure."""
    import numpy as np

    seconds = waited[:, 0].astype(np.int64)
    return [(float(one), float(np.median(waited[seconds == one, 1]))) for one in np.unique(seconds)]


class TopicWatch:
    """The KPI topic from the moment this is made."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic("kpis")
        self._since = end_offsets(settings, self._topic)

    def counted(self) -> list[Counted]:
        """What has come since, in the order of Kafka's timestamps."""
        found = []
        for record in contents(self._settings, self._topic, since=self._since):
            told = json.loads(record.value)
            key = (told["site"], datetime.fromisoformat(told["window_start"]))
            found.append((record.timestamp / 1000, key, int(told["events"])))
        return sorted(found, key=lambda one: one[0])


class RowWatch:
    """The rows of SPEED.KPIS, asked for again and again by a thread; use it in a ``with``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._found: list[Counted] = []
        self._asked_ms: list[float] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> RowWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def counted(self) -> list[Counted]:
        """What was readable when; only what had changed since the look before."""
        return list(self._found)

    @property
    def question_ms(self) -> float:
        """Milliseconds (p50) that one question took; not a number before the first."""
        import statistics

        return statistics.median(self._asked_ms) if self._asked_ms else float("nan")

    def _watch(self) -> None:
        from datetime import UTC

        connection, known = connect(self._settings), dict[Key, int]()
        sql = (
            "select site, window_start, events from SPEED.KPIS where domain = ? and window_start > "
            "dateadd(minute, -4, current_timestamp()::timestamp_ntz)"
        )
        try:
            while not self._stop.wait(0.01):
                began = time.time()
                rows = query(connection, sql, (self._settings.domain,))
                now = time.time()
                self._asked_ms.append((now - began) * 1000)
                for row in rows:
                    key = (row["site"], row["window_start"].replace(tzinfo=UTC))
                    if known.get(key) != int(row["events"]):
                        known[key] = int(row["events"])
                        self._found.append((now, key, known[key]))
        finally:
            connection.close()


def counts_now(settings: Settings) -> dict[Key, int]:
    """How many events each window counts now, by the warehouse, once the loader has merged what Kafka holds.

    Raises:
        ServiceError: The loader does not get there.
    """
    from datetime import UTC

    wait_until_merged(settings)
    connection = connect(settings)
    try:
        sql = "select site, window_start, events from SPEED.KPIS where domain = ?"
        rows = query(connection, sql, (settings.domain,))
    finally:
        connection.close()
    return {(row["site"], row["window_start"].replace(tzinfo=UTC)): int(row["events"]) for row in rows}
