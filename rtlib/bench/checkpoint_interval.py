"""Checkpoint interval: what real-time mode pays for a short one, and a failure for a long one.

At the end of each interval Spark ends its tasks, commits its state, plans the query again and starts new tasks; until
then nothing comes out. After a failure it reads again what came since the last interval ended.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from rtlib.bench.latency import Counted, TopicWatch, counts_now, latency_of_all
from rtlib.bench.load_generator import prepare, send
from rtlib.bench.load_step import PATIENCE_SECONDS
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.notify import Notify
from rtlib.pipeline.recovery.readiness import last_batches, wait_for_newer_batches, wait_until_recovered
from rtlib.pipeline.telemetry.progress_topic import newest_progress
from rtlib.pipeline.telemetry.trigger import switch
from rtlib.services import supervisor
from rtlib.streaming.queries import KPIS
from rtlib.wait import wait_until

INTERVALS = (15, 30, 60, 120)  # seconds
RATE = 500.0  # events per second
KILL_SECONDS = 40.0  # of events, around the kill
SPANS = 2.2  # of an interval, so that each measurement has the ends of two


@dataclass(frozen=True, slots=True)
class IntervalCost:
    """The figures of an interval.

    Attributes:
        interval_seconds: The checkpoint interval of real-time mode.
        p50_ms, p99_ms: Milliseconds from an event to its KPI in Kafka.
        pause_seconds: The longest time in which no KPI came out.
        again_seconds: Seconds of events that the query read again after its process was killed at an arbitrary moment.
        back_seconds: The time in which no KPI came out because of the kill.
        missing: Events without a KPI after all.
    """

    interval_seconds: int
    p50_ms: float
    p99_ms: float
    pause_seconds: float
    again_seconds: float
    back_seconds: float
    missing: int


def trade(settings: Settings, *, notify: Notify, intervals: Sequence[int] = INTERVALS) -> list[IntervalCost]:
    """Measure each interval on a running stack whose simulator is stopped.

    Raises:
        ConfigError: The environment sets the interval.
        ServiceError: A part does not answer, or the query did not come back after it was killed.
    """
    costs = []
    for interval in intervals:
        notify(f"checkpoint interval {interval} s: {RATE:.0f} events/s for {SPANS * interval:.0f} s, then a kill")
        switch(settings, "real-time", interval_seconds=interval, rate=RATE)
        chosen = settings.model_copy(update={"real_time_interval_seconds": interval, "rate": RATE})
        _end_of_a_batch(chosen)
        costs.append(_cost(chosen))
    return costs


def pause(counted: Sequence[Counted]) -> float:
    """The longest time between two successive KPIs, in seconds; NaN for fewer than two. Pure."""
    return max((after[0] - before[0] for before, after in pairwise(counted)), default=math.nan)


def table(costs: Sequence[IntervalCost]) -> str:
    """The figures as text, an interval a line."""
    heading = f"{'interval':>8} {'p50':>8} {'p99':>8} {'p99/p50':>8} {'pause':>8} {'read again':>11} {'back after':>11}"
    lines = [
        f"{cost.interval_seconds:>6} s {cost.p50_ms:>5.0f} ms {cost.p99_ms:>5.0f} ms {cost.p99_ms / cost.p50_ms:>8.1f} "
        f"{cost.pause_seconds:>6.2f} s {cost.again_seconds:>9.1f} s {cost.back_seconds:>9.1f} s"
        for cost in costs
    ]
    return "\n".join([heading, *lines])


def _cost(settings: Settings) -> IntervalCost:
    interval = settings.real_time_interval_seconds
    before, watch = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=RATE, seconds=SPANS * interval, run=f"bench-{interval}-{time.time():.0f}")
    send(settings, planned)
    measured, counted = latency_of_all(planned, watch.counted, before=before, patience=PATIENCE_SECONDS)
    again, back, missing = _after_a_kill(settings)
    return IntervalCost(
        interval_seconds=interval,
        p50_ms=measured.p50_ms,
        p99_ms=measured.p99_ms,
        pause_seconds=round(pause(counted), 2),
        again_seconds=round(again, 1),
        back_seconds=round(back, 1),
        missing=measured.missing + missing,
    )


def _after_a_kill(settings: Settings) -> tuple[float, float, int]:
    """Kill the stream while events arrive.

    Returns:
        The seconds of events that it read again, the seconds without a KPI, and the events that never had one.
    """
    before, watch = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=RATE, seconds=KILL_SECONDS, run=f"kill-{time.time():.0f}")
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, settings, planned)
        wait_until(lambda: planned[len(planned) // 4].at < time.time(), seconds=KILL_SECONDS, interval=0.1)
        committed, ends = newest_progress(settings, KPIS), end_offsets(settings, settings.topic("events"))
        os.kill(supervisor.states(settings)["stream"].pid, signal.SIGKILL)
        sending.result()
    measured, counted = latency_of_all(planned, watch.counted, before=before, patience=PATIENCE_SECONDS)
    if committed is None:
        raise ServiceError("the kpis query has not reported a batch", cure="rtlib logs stream")
    again = sum(ends.values()) - sum(committed.end_offsets.values())
    return again / RATE, pause(counted), measured.missing


def _end_of_a_batch(settings: Settings) -> None:
    """Send events until a batch with the interval is over, and wait for their KPIs: the first compiles its code."""
    interval = settings.real_time_interval_seconds
    wait_until_recovered(settings, seconds=PATIENCE_SECONDS + interval)
    batches = last_batches(settings)
    before, watch = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=RATE, seconds=interval, run=f"warm-{time.time():.0f}")
    send(settings, planned)
    wait_for_newer_batches(settings, batches, seconds=interval + PATIENCE_SECONDS)
    latency_of_all(planned, watch.counted, before=before, patience=PATIENCE_SECONDS)
