"""Bursts: extra events beside the simulator's, with a tally of their own; what the fault menu sends."""

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
    """Send events for some seconds, as another run of the simulator.

    Args:
        settings: Where the broker and the registry are.
        domain: Whose events.
        name: What it is called; its producers are too, with the time of its start.
        seed: Same name and seed, same events, but for their times, identifiers and producers.
        seconds: How long.
        stop: Ends it early.
        world: Further arguments of the Simulator: rate and shares.

    Returns:
        What was sent.

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
