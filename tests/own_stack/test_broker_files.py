"""A real Kafka, killed, on files that a power cut might have left."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from rtlib.broker.gap import take_offsets
from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets, topics
from rtlib.config import Settings
from rtlib.services import broker, jars, ports
from rtlib.services.broker_files import CLEANED, EPOCHS, MARK, METADATA, OFFSETS, QUORUM, TOPIC_ID
from rtlib.services.java import find_java
from support.stack import state_folder, until

pytestmark = pytest.mark.integration

RECORDS = 3_000
SEGMENT_BYTES = 1024 * 1024
# By default a broker that was killed is waited for for 9 s before the next one may take its place.
SOON = "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n"
GARBAGE = bytes(range(128, 256)) * 8
Harm = Callable[[Path], object]


@contextmanager
def running_broker(settings: Settings) -> Iterator[None]:
    """A broker alone, killed at the end."""
    java, kafka = find_java(settings).path, jars.paths(settings.home)["kafka"]
    broker.prepare_broker(settings, java=java, jars=kafka)
    with (settings.home / "kafka" / "server.properties").open("a") as properties:
        properties.write(SOON)
    command = broker.broker_command(settings.home, java=java, jars=kafka, heap_mb=256)
    with (settings.home / "broker.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: not ports.is_free(settings.ports["kafka"]) or process.poll() is not None, seconds=60)
        until(lambda: topics(settings) is not None or process.poll() is not None, seconds=60)
        assert process.poll() is None, (settings.home / "broker.log").read_text()[-2000:]
        yield
    finally:
        process.kill()
        process.wait()


# --- what is torn ----------------------------------------------------------------------------------------------------


def each(pattern: str, content: bytes) -> Harm:
    """Overwrites the files of a partition that match."""
    return lambda folder: [path.write_bytes(content) for path in folder.glob(pattern)]


def newest_segment(folder: Path) -> Path:
    return max(folder.glob("*.log"))


def shortened(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:-size])


# What is done to the only partition of a topic by this name, and whether every record must be there afterwards.
PARTITIONS: dict[str, tuple[Harm, bool]] = {
    "cut-in-a-record": (lambda folder: shortened(newest_segment(folder), 150), False),
    "garbage-at-the-end": (lambda folder: newest_segment(folder).open("ab").write(GARBAGE), True),
    "segment-emptied": (lambda folder: newest_segment(folder).write_bytes(b""), False),
    "index-emptied": (each("*.index", b""), True),
    "index-garbage": (each("*.index", GARBAGE), True),
    "timeindex-cut": (each("*.timeindex", GARBAGE[:7]), True),
    "snapshot-emptied": (each("*.snapshot", b""), True),
    "epoch-garbage": (each(EPOCHS, GARBAGE), True),
    "topic-id-emptied": (each(TOPIC_ID, b""), True),
    "topic-id-missing": (lambda folder: (folder / TOPIC_ID).unlink(), True),
}


def tear_what_is_not_a_partition(data: Path) -> None:
    """Tear Kafka's own files, all at once, and mark the stop as a clean one."""
    (data / MARK).write_text('{"version":0,"brokerEpoch":5}')
    for name in ("meta.properties", *OFFSETS):
        (data / name).write_bytes(GARBAGE if name != "meta.properties" else b"")
    (data / CLEANED).write_text("0\n2\nevents 0 1\n")
    metadata = data / f"{METADATA}-0"
    (metadata / QUORUM).write_bytes((metadata / QUORUM).read_bytes()[:40])
    for name in (EPOCHS, TOPIC_ID):
        (metadata / name).write_bytes(GARBAGE)
    shortened(newest_segment(metadata), 9)


# --- what must come of it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killed() -> Iterator[Settings]:
    """The state folder of a broker that was killed, with as many records in each topic."""
    with state_folder() as home:
        settings = Settings(home=home, part="test")
        # Not the usual ports: a stack that starts meanwhile would take this broker for its own.
        ports.write(home, dict(zip(("kafka", "kafka_controller"), random.sample(ports.ALTERNATIVES, 2), strict=True)))
        with running_broker(settings):
            fill(settings)
        yield settings


def fill(settings: Settings) -> None:
    """Make the topics and write the same records to each."""
    address = {"bootstrap.servers": settings.bootstrap_servers}
    segments = {"segment.bytes": str(SEGMENT_BYTES)}
    admin = AdminClient(address)
    made = admin.create_topics([NewTopic(topic, 1, 1, config=segments) for topic in PARTITIONS])
    for future in made.values():
        future.result(30)
    log = newest_segment(settings.home / "kafka" / "data" / f"{METADATA}-0")
    size = log.stat().st_size
    producer = Producer({**address, "linger.ms": 20})
    for topic in PARTITIONS:
        for number in range(RECORDS):
            producer.produce(topic, number.to_bytes(400, "big"))
        assert producer.flush(30) == 0
    until(lambda: log.stat().st_size > size, seconds=10)  # so that its end, which is torn, is not about a topic


def test_a_broker_starts_on_torn_files_keeps_every_whole_record_and_gives_no_offset_twice(
    killed: Settings, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(killed.home, home, ignore=shutil.ignore_patterns("jars"))
    (home / "jars").symlink_to(killed.home / "jars")
    data = home / "kafka" / "data"
    for topic, (harm, _) in PARTITIONS.items():
        harm(data / f"{topic}-0")
    tear_what_is_not_a_partition(data)
    settings = killed.model_copy(update={"home": home})
    with running_broker(settings):
        lost = {topic: RECORDS - end_offsets(settings, topic)[0] for topic in PARTITIONS}
        for topic in (topic for topic, count in lost.items() if count):
            take_offsets(settings, topic, {0: lost[topic]})
        assert all(end_offsets(settings, topic)[0] >= RECORDS for topic in PARTITIONS)
        found = {
            topic: [int.from_bytes(record.value, "big") for record in contents(settings, topic)] for topic in PARTITIONS
        }
    for topic, numbers in found.items():
        assert numbers == list(range(len(numbers))), topic
    kept = Counter({topic: len(numbers) for topic, numbers in found.items()})
    assert {topic for topic, count in kept.items() if count < RECORDS} == {
        topic for topic, (_, whole) in PARTITIONS.items() if not whole
    }
    assert min(kept.values()) > 0
