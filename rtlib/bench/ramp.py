"""Growth: what more load costs, and how much of it the pipeline sustains before it falls behind."""

from __future__ import annotations

import time

from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from rtlib.bench.load_generator import prepare, send
from rtlib.bench.load_step import PATIENCE_SECONDS, Step, step
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import StreamError
from rtlib.notify import Notify
from rtlib.pipeline.telemetry.progress_topic import newest_progress
from rtlib.records import QueryProgress

LONG_STEPS = 3  # tries, before the bench says that nothing is sustained
KEYS_RATE, KEYS_SECONDS, TRICKLE = 1_000.0, 20.0, 20.0
EMPTY_ROWS = 5_000  # what a trickle leaves in the state is less than that


def ramp(settings: Settings, rates: list[float], *, seconds: float, notify: Notify) -> list[Step]:
    """One step after another, until one does not end well."""
    steps: list[Step] = []
    for rate in rates:
        steps.append(_told(step(settings, rate=rate, seconds=seconds, name=f"{rate:.0f}"), notify))
        if not steps[-1].ended_well:
            break
    return steps


def sustain(settings: Settings, rates: list[float], *, seconds: float, notify: Notify) -> list[Step]:
    """Long steps from the highest of these rates downwards, until one is sustained; at most three."""
    steps: list[Step] = []
    for rate in sorted(rates, reverse=True)[:LONG_STEPS]:
        steps.append(_told(step(settings, rate=rate, seconds=seconds, name=f"long-{rate:.0f}"), notify))
        if steps[-1].sustained:
            break
    return steps


def _told(one: Step, notify: Notify) -> Step:
    notify(
        f"  {one.rate:>8,.0f} events/s for {one.seconds:.0f} s: p50 {one.latency.p50_ms:,.0f} ms, "
        f"p99 {one.latency.p99_ms:,.0f} ms, archive {one.archive_seconds:.1f} s behind ({one.archive_rise:+.1f} s), "
        f"KPIs {one.kpis_seconds:.1f} s ({one.kpis_rise:+.1f} s)"
        + (f": too much, {' and '.join(one.troubles)}" if one.troubles else "")
    )
    return one


def state_of_keys(settings: Settings, *, copies: int) -> int:
    """Rows in the state of the kpis query after a stretch of records, each event of which was sent so many times.

    The stretch is shorter than the watermark, so that nothing of it is forgotten meanwhile; what was before it is
    forgotten first. The records are as many whatever the copies, so what differs is the number of keys alone.
    """
    _forget(settings)
    name = f"bench-keys-{copies}-{int(time.time()):x}"
    planned = prepare(settings, rate=KEYS_RATE / copies, seconds=KEYS_SECONDS, run=name)
    send(settings, [one for one in planned for _ in range(copies)])
    return _state_at_end(settings)


def _forget(settings: Settings) -> None:
    """Send a trickle until the watermark has passed whatever filled the state."""
    until = time.monotonic() + 4 * PATIENCE_SECONDS
    while _state_at_end(settings) > EMPTY_ROWS:
        if time.monotonic() > until:
            raise StreamError(f"the state keeps more than {EMPTY_ROWS:,} rows", cure="rtlib travel")
        send(settings, prepare(settings, rate=TRICKLE, seconds=5, run=f"bench-trickle-{time.time():.0f}"))


def _state_at_end(settings: Settings) -> int:
    """Rows in the state once the query has told of a batch that reached the end of the topic."""
    ends = {str(name): end for name, end in end_offsets(settings, settings.topic("events")).items()}

    def reached(told: QueryProgress | None) -> bool:
        return told is not None and all(told.end_offsets.get(name, 0) >= end for name, end in ends.items())

    retrying = Retrying(
        retry=retry_if_not_result(reached), wait=wait_fixed(0.5), stop=stop_after_delay(PATIENCE_SECONDS)
    )
    told = retrying(newest_progress, settings, "kpis")
    return told.state_rows if told else 0
