"""Sending: a simulator's records to Kafka, each at its time, with a tally on disk that is at most a second old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.broker.producer import EventProducer
from rtlib.broker.registry import register
from rtlib.broker.subjects import events_subject
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.audit.tallies import Run, write_run
from rtlib.records import Tally
from rtlib.simulator import Simulator, TallyKeeper

# A simulator outlives its broker: what waits is bounded by the producer, and a record is not given up within a day.
DELIVERY_SECONDS = 24 * 3600.0
FLUSH_SECONDS = 8.0  # at the end of a run; less than the supervisor waits for the simulator to stop


def send(
    settings: Settings,
    simulator: Simulator,
    *,
    stop: threading.Event,
    notify: Callable[[Tally], None] = lambda tally: None,
    seconds: float | None = None,
) -> Tally:
    """Send a run's records until ``stop`` is set, or for so many seconds; return what was sent.

    While the broker is away the records wait, and once as many wait as may, so does the world: it goes on where it was.

    Args:
        settings: Where the broker and the registry are.
        simulator: Whose records; its ``run`` must be new.
        stop: Ends the run early.
        notify: Receives the tally about once a second.
        seconds: How long, by the records' own times; None for without end.

    Raises:
        ServiceError: The broker or the registry did not answer for a minute at the start, or Kafka did not take a
            record.
    """
    end = None if seconds is None else simulator.start + timedelta(seconds=seconds)
    keeper, told = TallyKeeper(), 0.0
    run = Run(simulator)
    write_run(settings, run)
    with _producer(settings, simulator) as producer:
        for sent in simulator.records():
            if end is not None and sent.send_at >= end:
                break
            while not stop.is_set():
                now = time.monotonic()
                if now - told >= 1.0:
                    told = now
                    write_run(settings, Run(simulator, keeper.tally()))
                    notify(keeper.tally())
                ahead = (sent.send_at - datetime.now(UTC)).total_seconds()
                if ahead <= 0 and producer.has_room:
                    break
                stop.wait(min(ahead, 0.5) if ahead > 0 else 0.05)
            if stop.is_set():
                break
            # Counted first: a tally that is one ahead of Kafka would show a loss, one behind would hide one.
            keeper.add(sent)
            producer.send_payload(sent.key, sent.payload)
        producer.flush(FLUSH_SECONDS if stop.is_set() else None)
    write_run(settings, Run(simulator, keeper.tally(), closed=True))
    return keeper.tally()


def _producer(settings: Settings, simulator: Simulator) -> EventProducer:
    """A producer for the simulator's domain; a broker or registry that is just coming back is waited for."""
    schema = simulator.domain.schema
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceError), wait=wait_fixed(0.5), stop=stop_after_delay(60), reraise=True
    )
    schema_id = retrying(register, settings, events_subject(settings), schema)
    return retrying(EventProducer, settings, schema=schema, schema_id=schema_id, delivery_seconds=DELIVERY_SECONDS)
