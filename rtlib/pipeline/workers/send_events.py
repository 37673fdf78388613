"""Send events: a simulator's records to Kafka, each at its time, with a tally on disk at most a second old."""

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
from rtlib.simulator import SimulatedRecord, Simulator, TallyKeeper

# A simulator outlives an outage: the producer limits the waiting records, and retries a record for a day.
DELIVERY_SECONDS = 24 * 3600.0
FLUSH_SECONDS = 8.0  # at the end of a run; less than the supervisor allows the simulator to stop
TALLY_SECONDS = 1.0


def send(
    settings: Settings,
    simulator: Simulator,
    *,
    stop: threading.Event,
    notify: Callable[[Tally], None] = lambda tally: None,
    seconds: float | None = None,
) -> Tally:
    """Send the records of a run until ``stop`` is set, or for a number of seconds.

    During an outage of the broker the records wait; at the producer's limit the simulated world waits too, and then
    continues where it was.

    Args:
        settings: Where the broker and the registry are.
        simulator: The source of the records; its ``run`` must be new.
        stop: Ends the run early.
        notify: Receives the tally about once a second.
        seconds: The duration by the records' own times; None for an endless run.

    Returns:
        The tally of what was sent.

    Raises:
        ServiceError: The broker or the registry did not answer within a minute at the start, or Kafka did not accept a
            record.
    """
    end = None if seconds is None else simulator.start + timedelta(seconds=seconds)
    keeper = TallyKeeper()
    log = TallyLog(settings, simulator, keeper, notify=notify)
    with _producer(settings, simulator) as producer:
        for record in simulator.records():
            if end is not None and record.send_at >= end:
                break
            if not _wait_until_due(record, producer, stop=stop, log=log):
                break
            # Counted first: a tally ahead of Kafka would show a loss, a tally behind Kafka would hide it.
            keeper.add(record)
            producer.send_payload(record.key, record.payload)
        producer.flush(FLUSH_SECONDS if stop.is_set() else None)
    write_run(settings, Run(simulator, keeper.tally(), closed=True))
    return keeper.tally()


class TallyLog:
    """Writes the tally of a running simulator to disk, at most once a second."""

    def __init__(
        self, settings: Settings, simulator: Simulator, keeper: TallyKeeper, *, notify: Callable[[Tally], None]
    ) -> None:
        self._settings, self._simulator, self._keeper, self._notify = settings, simulator, keeper, notify
        self._written = 0.0
        write_run(settings, Run(simulator))

    def update(self) -> None:
        """Write the tally if the last write is a second old."""
        now = time.monotonic()
        if now - self._written >= TALLY_SECONDS:
            self._written = now
            write_run(self._settings, Run(self._simulator, self._keeper.tally()))
            self._notify(self._keeper.tally())


def _wait_until_due(record: SimulatedRecord, producer: EventProducer, *, stop: threading.Event, log: TallyLog) -> bool:
    """Wait for the record's time and for room in the producer; False if ``stop`` was set."""
    while not stop.is_set():
        log.update()
        ahead = (record.send_at - datetime.now(UTC)).total_seconds()
        if ahead <= 0 and producer.has_room:
            return True
        stop.wait(min(ahead, 0.5) if ahead > 0 else 0.05)
    return False


def _producer(settings: Settings, simulator: Simulator) -> EventProducer:
    """A producer for the simulator's domain; waits for a broker or registry that is starting."""
    schema = simulator.domain.schema
    retrying = Retrying(
        retry=retry_if_exception_type(ServiceError), wait=wait_fixed(0.5), stop=stop_after_delay(60), reraise=True
    )
    schema_id = retrying(register, settings, events_subject(settings), schema)
    return retrying(EventProducer, settings, schema=schema, schema_id=schema_id, delivery_seconds=DELIVERY_SECONDS)
