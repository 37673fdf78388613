"""Growth: what more load costs, and how much of it the pipeline sustains before it falls behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from rtlib.bench.latency import Latency, TopicWatch, counts_now, latency
from rtlib.bench.load import prepare, send
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.errors import StreamError
from rtlib.pipeline.recovery import seconds_until_archived
from rtlib.pipeline.signs import newest_progress
from rtlib.records import QueryProgress

Tell = Callable[[str], None]
BOUNDED_SECONDS = 8.0  # who has everything so soon after the last event of forty seconds does not fall behind
PATIENCE_SECONDS = 90.0
KEYS_RATE, KEYS_SECONDS, TRICKLE = 1_000.0, 20.0, 20.0
EMPTY_ROWS = 5_000  # what a trickle leaves in the state is less than that


@dataclass(frozen=True, slots=True)
class Step:
    """The pipeline under one load.

    Attributes:
        rate: Events per second that were sent.
        latency: From event to KPI topic.
        archive_seconds: From the last event until RAW held all of them.
        kpis_seconds: From the last event until all were counted in the KPI topic.
        sender_late_seconds: How late the sender itself was at the most.
        seconds: For how long they were sent.
    """

    rate: float
    latency: Latency
    archive_seconds: float
    kpis_seconds: float
    sender_late_seconds: float
    seconds: float

    @property
    def throughput(self) -> float:
        """Events per second that were counted in the KPI topic, until the last of them was."""
        return self.latency.events / (self.seconds + self.kpis_seconds)

    @property
    def caught_up(self) -> bool:
        """True when nothing was missing in the end, and RAW had everything before patience ended."""
        return self.latency.missing == 0 and self.archive_seconds < PATIENCE_SECONDS

    @property
    def sustained(self) -> bool:
        """True when nothing was missing and both paths had everything soon after the last event."""
        late = max(self.archive_seconds, self.kpis_seconds)
        return self.latency.missing == 0 and late <= BOUNDED_SECONDS and self.sender_late_seconds <= 2.0


def step(settings: Settings, *, rate: float, seconds: float, name: str, at_once: bool = False) -> Step:
    """Send so many events a second, for so long (or all at once), and watch both paths until they have them."""
    before, watch = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=rate, seconds=seconds, run=f"bench-{name}-{int(time.time()):x}")
    late = send(settings, planned, at_once=at_once)
    ended = time.time()
    archive = seconds_until_archived(settings, patience=PATIENCE_SECONDS)
    counted = watch.counted()
    found = latency(planned, counted, before=before)
    patience = time.monotonic() + PATIENCE_SECONDS
    while found.missing and time.monotonic() < patience:
        time.sleep(0.5)
        counted = watch.counted()
        found = latency(planned, counted, before=before)
    last = max((moment for moment, _, _ in counted), default=ended)
    return Step(rate, found, archive, round(max(0.0, last - ended), 2), round(late, 2), seconds)


def climb(settings: Settings, rates: list[float], *, seconds: float, tell: Tell) -> list[Step]:
    """One step after another, until one is not sustained."""
    steps: list[Step] = []
    for rate in rates:
        one = step(settings, rate=rate, seconds=seconds, name=f"{rate:.0f}")
        steps.append(one)
        tell(
            f"  {rate:>8,.0f} events/s: p50 {one.latency.p50_ms:,.0f} ms, p99 {one.latency.p99_ms:,.0f} ms, "
            f"archive {one.archive_seconds:.1f} s behind, KPIs {one.kpis_seconds:.1f} s"
        )
        if not steps[-1].sustained:
            break
    return steps


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
