"""A simulator's records are sent when they are due, and the tally on disk agrees with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.audit.tallies import runs
from rtlib.pipeline.workers import send_events
from rtlib.records import Tally
from rtlib.simulator import Simulator


class Producer:
    """A producer that only records what it is given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.flushes: list[float | None] = []
        self.full, self.checked = False, threading.Event()
        self.on_send: Callable[[], None] = lambda: None

    @property
    def has_room(self) -> bool:
        self.checked.set()
        return not self.full

    def send_payload(self, key: str, payload: bytes) -> None:
        self.sent.append((key, payload))
        self.on_send()

    def flush(self, timeout: float | None) -> None:
        self.flushes.append(timeout)


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    producer: Any = Producer()
    monkeypatch.setattr(send_events, "_producer", lambda settings, simulator: nullcontext(producer))
    return producer


def simulator(seconds_ago: float) -> Simulator:
    start = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return Simulator(load_domain("iot"), seed=7, start=start, rate=50.0, duplicate_share=0.1, malformed_share=0.1)


def test_a_run_sends_the_records_of_its_duration_and_closes_its_tally(tmp_path: Path, producer: Producer) -> None:
    settings, world = Settings(home=tmp_path, domain="iot"), simulator(60)
    reports: list[Tally] = []
    tally = send_events.send(settings, world, stop=threading.Event(), seconds=4, notify=reports.append)
    end = world.start + timedelta(seconds=4)
    due = list(takewhile(lambda record: record.send_at < end, world.records()))
    assert producer.sent == [(record.key, record.payload) for record in due]
    assert tally.records == len(due) > 100
    assert reports
    (run,) = runs(settings)
    assert (run.closed, run.tally) == (True, tally)
    assert producer.flushes == [None]


def test_a_stopped_run_counts_exactly_what_it_sent(tmp_path: Path, producer: Producer) -> None:
    settings, stop = Settings(home=tmp_path, domain="iot"), threading.Event()
    producer.on_send = lambda: stop.set() if len(producer.sent) == 20 else None
    tally = send_events.send(settings, simulator(60), stop=stop)
    assert tally.records == len(producer.sent) == 20
    assert [run.closed for run in runs(settings)] == [True]
    assert producer.flushes == [send_events.FLUSH_SECONDS]


def test_a_record_is_not_sent_before_its_time(tmp_path: Path, producer: Producer) -> None:
    times: list[datetime] = []
    producer.on_send = lambda: times.append(datetime.now(UTC))
    world = simulator(-0.3)
    send_events.send(Settings(home=tmp_path, domain="iot"), world, stop=threading.Event(), seconds=0.3)
    due = [record.send_at for record in islice(world.records(), len(times))]
    assert times
    assert all(sent >= planned for sent, planned in zip(times, due, strict=True))


def test_while_the_producer_is_full_nothing_is_sent(tmp_path: Path, producer: Producer) -> None:
    stop = threading.Event()
    producer.full = True
    sending = threading.Thread(
        target=send_events.send, args=(Settings(home=tmp_path, domain="iot"), simulator(60)), kwargs={"stop": stop}
    )
    sending.start()
    assert producer.checked.wait(timeout=30)
    assert producer.sent == []
    producer.on_send = stop.set
    producer.full = False
    sending.join(timeout=30)
    assert len(producer.sent) >= 1
    assert not sending.is_alive()
