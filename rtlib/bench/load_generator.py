"""Load: events made beforehand and sent at their time by a client that costs little."""

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

# All events must be ready before the first is due. How long that takes is measured by a few; a core may work at half of
# that speed a moment later.
SAMPLE, SLOWER = 3_000, 1.8
TOGETHER_SECONDS = 0.005  # a sender that wakes for each event takes from the machine what is to be measured


@dataclass(frozen=True, slots=True)
class Planned:
    """One event: when it is sent (seconds since 1970), its key and record, and the window it belongs to."""

    at: float
    site: str
    window: datetime
    record: bytes


def prepare(settings: Settings, *, rate: float, seconds: float, run: str) -> list[Planned]:
    """Make events without flaws, at an even rate, that begin a moment from now.

    Args:
        settings: Which domain, and its windows.
        rate: Events per second.
        seconds: For how long.
        run: Sets them apart from other runs.
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
    each = (time.perf_counter() - began) / SAMPLE
    return made(datetime.now(UTC) + timedelta(seconds=0.5 + count * each * SLOWER), count)


def _planned(records: Iterable[SimulatedRecord], schema_id: int, length: int) -> Iterator[Planned]:
    for sent in records:
        if sent.event is None:
            continue
        begin = int(sent.event.occurred_at.timestamp()) // length * length
        window = datetime.fromtimestamp(begin, UTC)
        yield Planned(sent.send_at.timestamp(), sent.key, window, frame(schema_id, sent.payload))


def at_once(planned: Sequence[Planned]) -> list[Planned]:
    """The same events, all of them due now: a latency that runs from before an event was sent means nothing."""
    now = time.time()
    return [replace(one, at=now) for one in planned]


def send(settings: Settings, planned: Sequence[Planned]) -> float:
    """Send each event at its time; return how many seconds the sender was late at the most.

    Raises:
        ServiceError: Kafka did not take all of them.
    """
    from confluent_kafka import Producer

    options = {
        **librdkafka_options(settings),
        # This client sends a request for each partition: at its usual 5 ms, 800 of them a second for these few records.
        "linger.ms": 25,
        "queue.buffering.max.messages": 2_000_000,
    }
    producer = Producer(options)
    topic, worst, now = settings.topic("events"), 0.0, time.time()
    for before, one in pairwise([planned[0], *planned]):
        if one.at > now:  # all that was due at the last look is sent
            now = time.time()
            worst = max(worst, now - before.at)
            while (ahead := one.at - now) > 0:
                producer.poll(0)
                time.sleep(max(ahead, TOGETHER_SECONDS))
                now = time.time()
        producer.produce(topic, value=one.record, key=one.site.encode())
    worst = max(worst, time.time() - planned[-1].at)
    left = producer.flush(60)
    if left:
        raise ServiceError(f"Kafka did not take {left:,} of {len(planned):,} events", cure="rtlib status")
    return worst
