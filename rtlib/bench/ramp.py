"""Ramp: the cost of more load, and the load that the pipeline sustains."""

from __future__ import annotations

import time

from rtlib.bench.load_generator import prepare, send
from rtlib.bench.load_step import PATIENCE_SECONDS, Step, step
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import StreamError
from rtlib.notify import Notify
from rtlib.pipeline.telemetry.progress_topic import newest_progress
from rtlib.records import QueryProgress
from rtlib.wait import wait_until

LONG_STEPS = 3  # attempts before the bench reports that no rate is sustained
KEYS_RATE, KEYS_SECONDS, TRICKLE = 1_000.0, 20.0, 20.0
EMPTY_ROWS = 5_000  # a trickle leaves fewer rows in the state


def ramp(settings: Settings, rates: list[float], *, seconds: float, notify: Notify) -> list[Step]:
    """Run a step for each rate, until a step does not end well."""
    steps: list[Step] = []
    for rate in rates:
        steps.append(step(settings, rate=rate, seconds=seconds, name=f"{rate:.0f}"))
        notify(_summary(steps[-1]))
        if not steps[-1].ended_well:
            break
    return steps


def sustain(settings: Settings, rates: list[float], *, seconds: float, notify: Notify) -> list[Step]:
    """Run long steps from the highest rate downwards, until a rate is sustained; at most ``LONG_STEPS``."""
    steps: list[Step] = []
    for rate in sorted(rates, reverse=True)[:LONG_STEPS]:
        steps.append(step(settings, rate=rate, seconds=seconds, name=f"long-{rate:.0f}"))
        notify(_summary(steps[-1]))
        if steps[-1].sustained:
            break
    return steps


def _summary(done: Step) -> str:
    return (
        f"  {done.rate:>8,.0f} events/s for {done.seconds:.0f} s: p50 {done.latency.p50_ms:,.0f} ms, "
        f"p99 {done.latency.p99_ms:,.0f} ms, archive {done.archive_seconds:.1f} s behind ({done.archive_rise:+.1f} s), "
        f"KPIs {done.kpis_seconds:.1f} s ({done.kpis_rise:+.1f} s)"
        + (f": too much, {' and '.join(done.troubles)}" if done.troubles else "")
    )


def state_of_keys(settings: Settings, *, copies: int) -> int:
    """Rows in the state of the KPI query after events of which each was sent ``copies`` times.

    The state of earlier events is dropped first. The events take less time than the watermark, so none of theirs is
    dropped meanwhile. The number of records does not depend on ``copies``; only the number of keys does.
    """
    _empty_state(settings)
    name = f"bench-keys-{copies}-{int(time.time()):x}"
    planned = prepare(settings, rate=KEYS_RATE / copies, seconds=KEYS_SECONDS, run=name)
    send(settings, [event for event in planned for _ in range(copies)])
    return _state_at_end(settings)


def _empty_state(settings: Settings) -> None:
    """Send a trickle of events until the watermark has passed the events that filled the state."""
    until = time.monotonic() + 4 * PATIENCE_SECONDS
    while _state_at_end(settings) > EMPTY_ROWS:
        if time.monotonic() > until:
            raise StreamError(f"the state still holds more than {EMPTY_ROWS:,} rows", cure="rtlib travel")
        send(settings, prepare(settings, rate=TRICKLE, seconds=5, run=f"bench-trickle-{time.time():.0f}"))


def _state_at_end(settings: Settings) -> int:
    """Rows in the state once the query has reported a batch that reached the end of the topic."""
    ends = {str(name): end for name, end in end_offsets(settings, settings.topic("events")).items()}

    def reached(progress: QueryProgress | None) -> bool:
        return progress is not None and all(progress.end_offsets.get(name, 0) >= end for name, end in ends.items())

    progress = wait_until(
        lambda: newest_progress(settings, "kpis"), seconds=PATIENCE_SECONDS, interval=0.5, holds=reached
    )
    if progress is None or not reached(progress):
        raise StreamError(
            f"after {PATIENCE_SECONDS:.0f} s the kpis query has not reached the end of its topic", cure="rtlib status"
        )
    return progress.state_rows
