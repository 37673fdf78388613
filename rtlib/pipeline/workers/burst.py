"""Burst: extra events beside the simulator's, with their own tally; sent by faults."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from rtlib.config import Settings
from rtlib.domains import Domain
from rtlib.pipeline.workers.send_events import send
from rtlib.records import Tally
from rtlib.simulator import Simulator


def burst(
    settings: Settings, domain: Domain, *, name: str, seed: int, seconds: float, stop: threading.Event, **world: Any
) -> Tally:
    """Send events for some seconds, as a separate run of the simulator.

    Args:
        settings: Where the broker and the registry are.
        domain: The domain of the events.
        name: The name of the burst; with the start time, also that of its producers.
        seed: The same name and seed give the same events, except for times, identifiers and producers.
        seconds: The duration.
        stop: Ends the burst early.
        world: Further arguments of the Simulator: rate and shares.

    Returns:
        The tally of what was sent.

    Raises:
        ServiceError: The broker or the registry does not answer.
    """
    start = datetime.now(UTC)
    simulator = Simulator(
        domain,
        seed=seed,
        start=start,
        run=f"{name}-{int(start.timestamp() * 1000):x}",
        stream=name,
        shaped=False,
        watermark_seconds=settings.watermark_seconds,
        future_seconds=settings.future_seconds,
        **world,
    )
    return send(settings, simulator, stop=stop, seconds=seconds)
