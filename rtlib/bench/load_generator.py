"""Load generator: events made in advance and sent at their scheduled times by a cheap client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

from rtlib.broker.client import librdkafka_options
from rtlib.broker.framing import frame
from rtlib.broker.registry import register
from rtlib.broker.subjects import events_subject
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.simulator import SimulatedRecord, Simulator

# All events must be ready before the first is due. The time for that is estimated from a sample; a core may be slower a
# moment later.
SAMPLE, SLOWER = 3_000, 1.8
TOGETHER_SECONDS = 0.005  # a sender that wakes for each event would take processor time from the pipeline


@dataclass(frozen=True, slots=True)
class Planned:
    """An event: its scheduled time (seconds since 1970), its key, its window and its record."""

    at: float
    site: str
    window: datetime
    record: bytes


def prepare(settings: Settings, *, rate: float, seconds: float, run: str) -> list[Planned]:
    """Make valid events at an even rate; the first is due a moment from now.

    Args:
        settings: The domain and its window length.
        rate: Events per second.
        seconds: Duration.
        run: Name that separates their producers from those of other runs.
    """
    domain = load_domain(settings.domain)
    schema_id = register(settings, events_subject(settings), domain.schema)
    count = round(rate * seconds)
    length = settings.window_seconds

    def made(start: datetime, count: int) -> list[Planned]:
        simulator = Simulator(domain, seed=settings.seed, start=start, rate=rate, shaped=False, run=run)
        return list(_planned(islice(simulator.records(), count), schema_id, length))

    began = time.perf_counter()
    made(datetime.now(UTC), SAMPLE)
    seconds_each = (time.perf_counter() - began) / SAMPLE
    return made(datetime.now(UTC) + timedelta(seconds=0.5 + count * seconds_each * SLOWER), count)


def _planned(records: Iterable[SimulatedRecord], schema_id: int, length: int) -> Iterator[Planned]:
    for record in records:
        if record.event is None:
            continue
        begin = int(record.event.occurred_at.timestamp()) // length * length
        window = datetime.fromtimestamp(begin, UTC)
        yield Planned(record.send_at.timestamp(), record.key, window, frame(schema_id, record.payload))


def at_once(planned: Sequence[Planned]) -> list[Planned]:
    """The same events, all of them due now, so that latencies begin when an event can be sent."""
    now = time.time()
    return [replace(event, at=now) for event in planned]


def send(settings: Settings, planned: Sequence[Planned]) -> float:
    """Send each event at its scheduled time; return the largest delay of the sender in seconds.

    Raises:
        ServiceError: Kafka did not take all of them.
    """
    from confluent_kafka import Producer

    options = {
        **librdkafka_options(settings),
        # The client sends a request for each partition: with the default of 5 ms, 800 a second for these few records.
        "linger.ms": 25,
        "queue.buffering.max.messages": 2_000_000,
    }
    producer = Producer(options)
    topic, worst, now = settings.topic("events"), 0.0, time.time()
    for previous, event in pairwise([planned[0], *planned]):
        if event.at > now:  # everything that was due is sent
            now = time.time()
            worst = max(worst, now - previous.at)
            while (ahead := event.at - now) > 0:
                producer.poll(0)
                time.sleep(max(ahead, TOGETHER_SECONDS))
                now = time.time()
        producer.produce(topic, value=event.record, key=event.site.encode())
    worst = max(worst, time.time() - planned[-1].at)
    left = producer.flush(60)
    if left:
        raise ServiceError(f"Kafka did not take {left:,} of {len(planned):,} events", cure="rtlib status")
    return worst
