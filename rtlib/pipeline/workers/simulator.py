"""Simulator: the simulated outside world against the clock, each record at its time."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.telemetry.heartbeat import HeartbeatEmitter
from rtlib.pipeline.workers.send_events import send
from rtlib.pipeline.workers.startup import wait_for_topics
from rtlib.records import Tally
from rtlib.simulator import Simulator


def run_simulator(settings: Settings, stop: threading.Event) -> None:
    """Send simulated records until ``stop`` is set, with a tally of what was sent."""
    wait_for_topics(settings)
    heartbeat = HeartbeatEmitter("simulator", settings)

    def report(tally: Tally) -> None:
        heartbeat.emit(f"{tally.records:,} records sent", {"sent": tally.records, "malformed": tally.malformed})

    try:
        send(settings, _simulator(settings), stop=stop, notify=report)
    finally:
        heartbeat.close()


def _simulator(settings: Settings) -> Simulator:
    """A new run that starts now, with the rate and the defects of the settings."""
    start = datetime.now(UTC)
    return Simulator(
        load_domain(settings.domain),
        seed=settings.seed,
        start=start,
        rate=settings.rate,
        shaped=not settings.steady,
        late_share=settings.late_share,
        too_late_share=settings.too_late_share,
        out_of_order_share=settings.out_of_order_share,
        duplicate_share=settings.duplicate_share,
        malformed_share=settings.malformed_share,
        watermark_seconds=settings.watermark_seconds,
        run=f"{int(start.timestamp() * 1000):x}",
    )
