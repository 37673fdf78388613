"""Load step: the whole pipeline under one load, and whether it keeps up."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from rtlib.bench.lag import archived, lag_trend, lags
from rtlib.bench.latency import Latency, TopicWatch, by_second, counts_now, latencies, latency_of_all
from rtlib.bench.load_generator import at_once, prepare, send
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.pipeline.recovery.readiness import seconds_until_archived

BOUNDED_SECONDS = 8.0  # a path that keeps up has everything this soon after the last event
LEVEL_SECONDS = 2.0  # a batch of the archive: the most by which a steady lag may differ over half a step
SENDER_SECONDS = 2.0  # a sender with a larger delay did not send the load in question
PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Step:
    """The pipeline under one load.

    Attributes:
        rate: Events per second that were sent.
        latency: From event to KPI topic.
        archive_seconds: From the last event until RAW held all of them.
        kpis_seconds: From the last event until all were counted in the KPI topic.
        sender_late_seconds: Largest delay of the sender.
        seconds: Duration of sending.
        archive_rise: Rise of the archive's lag in the second half of the step, in seconds.
        kpis_rise: The same for the KPI topic; both NaN for events that were sent all at once.
    """

    rate: float
    latency: Latency
    archive_seconds: float
    kpis_seconds: float
    sender_late_seconds: float
    seconds: float
    archive_rise: float
    kpis_rise: float

    @property
    def throughput(self) -> float:
        """Events per second, until the last was counted in the KPI topic."""
        return self.latency.events / (self.seconds + self.kpis_seconds)

    @property
    def caught_up(self) -> bool:
        """True if no event is missing, and RAW held everything within ``PATIENCE_SECONDS``."""
        return self.latency.missing == 0 and self.archive_seconds < PATIENCE_SECONDS

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why this load is too much, in words; empty if the load is sustained.

        A load is sustained if neither lag rose, both paths had everything soon after the last event, nothing was
        missing, and the sender kept its schedule. A rise that was not measured counts as too large.
        """
        causes = {
            f"{self.latency.missing:,} events had no KPI": self.latency.missing > 0,
            f"the archive was {self.archive_seconds:.1f} s behind": self.archive_seconds > BOUNDED_SECONDS,
            f"the KPIs were {self.kpis_seconds:.1f} s behind": self.kpis_seconds > BOUNDED_SECONDS,
            f"the archive fell {self.archive_rise:.1f} s further behind": not self.archive_rise <= LEVEL_SECONDS,
            f"the KPIs fell {self.kpis_rise:.1f} s further behind": not self.kpis_rise <= LEVEL_SECONDS,
            f"the sender was {self.sender_late_seconds:.1f} s late": self.sender_late_seconds > SENDER_SECONDS,
        }
        return tuple(text for text, is_true in causes.items() if is_true)

    @property
    def sustained(self) -> bool:
        """True if the pipeline keeps up with this load."""
        return not self.troubles

    @property
    def ended_well(self) -> bool:
        """True if everything had arrived soon after the last event, whatever the lags did before.

        In a short step the batches of the archive alone make its lag rise and fall by seconds.
        """
        level = replace(self, archive_rise=0.0, kpis_rise=0.0)
        return not level.troubles


def step(settings: Settings, *, rate: float, seconds: float, name: str, burst: bool = False) -> Step:
    """Send events at a rate for a time (or all at once), and watch both paths until they have them."""
    before, watch = counts_now(settings), TopicWatch(settings)
    held = sum(end_offsets(settings, settings.topic("events")).values())
    planned = prepare(settings, rate=rate, seconds=seconds, run=f"bench-{name}-{int(time.time()):x}")
    planned = at_once(planned) if burst else planned
    late = send(settings, planned)
    ended = time.time()
    archive = seconds_until_archived(settings, patience=PATIENCE_SECONDS)
    measured, counted = latency_of_all(planned, watch.counted, before=before, patience=PATIENCE_SECONDS)
    last = max((moment for moment, _, _ in counted), default=ended)
    sent_at = [event.at for event in planned]
    behind = lags(sent_at, archived(settings), before=held)
    return Step(
        rate, measured, archive, round(max(0.0, last - ended), 2), round(late, 2), seconds,
        lag_trend(behind), lag_trend(by_second(latencies(planned, counted, before=before))),
    )  # fmt: skip
