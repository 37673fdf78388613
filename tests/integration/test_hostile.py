"""What an attacker or a fool sends, on the real stack: all of it countable, and the pipeline none the worse."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as how
from hypothesis import strategies as st
from kafka import KafkaProducer

from rtlib.broker.client import client_options, librdkafka_options
from rtlib.broker.errors import broker_errors
from rtlib.broker.framing import frame
from rtlib.broker.producer import EventProducer
from rtlib.broker.registry import register
from rtlib.broker.rejected import from_record
from rtlib.broker.subjects import events_subject
from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets
from rtlib.broker.validation import compile_schema
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.ledger import take
from rtlib.limits import TOO_LARGE
from rtlib.pipeline.audit.tallies import Run, write_run
from rtlib.pipeline.monitoring import health
from rtlib.records import Rejected, Tally
from rtlib.simulator import Simulator
from rtlib.streaming.queries import HEAD_BYTES
from support import hostile
from support.stack import Stack, ask, until

# A KPI record that no lesson can parse stays in its topic.
pytestmark = [pytest.mark.integration, pytest.mark.stack_order("forges")]


def a_good_event(settings: Settings) -> dict[str, Any]:
    world = Simulator(load_domain(settings.domain), seed=1, start=datetime.now(UTC), rate=50)
    return next(sent.event.to_json() for sent in islice(world.records(), 5) if sent.event)


def attack(settings: Settings, records: Sequence[bytes]) -> EventProducer:
    """Send records as they are, and enter them in the account of what was sent."""
    schema = load_domain(settings.domain).schema
    schema_id = register(settings, events_subject(settings), schema)
    now = datetime.now(UTC)
    world = Simulator(load_domain(settings.domain), seed=1, start=now, rate=1, run=f"hostile-{now.timestamp():.6f}")
    with EventProducer(settings, schema=schema, schema_id=schema_id) as producer:
        for number, record in enumerate(records):
            producer.send_raw(f"hostile-{number}", record)
    write_run(settings, Run(world, Tally(malformed=producer.sent), closed=True))
    return producer


def rejections(settings: Settings, since: Mapping[int, int]) -> list[Rejected]:
    """The rejected records from these offsets on; the topic holds large ones, so nobody reads it from its begin."""
    records = contents(settings, settings.topic("rejected"), since=since)
    return [from_record(record.value, record.headers) for record in records]


def rejected(settings: Settings, since: Mapping[int, int]) -> dict[bytes, str]:
    """The reason of each payload rejected from these offsets on."""
    return {record.payload: record.reason for record in rejections(settings, since)}


@pytest.fixture
def since(settings: Settings) -> Mapping[int, int]:
    """Where the rejected topic ends before a test."""
    return end_offsets(settings, settings.topic("rejected"))


def test_every_hostile_record_ends_in_the_rejected_topic_with_its_reason(
    settings: Settings, since: Mapping[int, int]
) -> None:
    schema_id = register(settings, events_subject(settings), load_domain(settings.domain).schema)
    records = hostile.by_hand(a_good_event(settings), schema_id)
    attack(settings, list(records.values()))

    def missing() -> list[str]:
        there = rejected(settings, since)
        return [name for name, record in records.items() if not there.get(record)]

    until(lambda: not missing(), seconds=60)
    there = rejected(settings, since)
    reasons = {name: there[record] for name, record in records.items()}
    assert reasons["a schema id that nobody has"] == "a schema id that is not this topic's"
    assert reasons["a field twice"] == "has a field twice"
    assert reasons["NaN"] != "" and reasons["the year 9999"] == reasons["the year 10000"]


def test_an_event_of_five_megabytes_is_rejected_whole_before_kafka_refuses_it(
    settings: Settings, since: Mapping[int, int]
) -> None:
    record = b"x" * (5 * hostile.MEGABYTE)
    producer = attack(settings, [record])
    assert (producer.sent, producer.rejected) == (0, 1)
    until(lambda: rejected(settings, since).get(record), seconds=30)
    assert rejected(settings, since)[record] == "larger than 1,000,000 bytes"


def test_large_records_come_whole_through_the_archive_though_its_memory_would_not_hold_them_all(
    settings: Settings, since: Mapping[int, int]
) -> None:
    schema_id = register(settings, events_subject(settings), load_domain(settings.domain).schema)
    event = a_good_event(settings)
    records = [
        frame(schema_id, hostile.as_json({**event, "attributes": {"note": f"{n}" * 450_000}})) for n in range(10, 30)
    ]
    records += [frame(schema_id, b"%d, and no JSON " % number + b"\xfe" * 900_000) for number in range(20)]
    attack(settings, records)
    until(lambda: set(records) <= set(rejected(settings, since)), seconds=120)
    there = rejected(settings, since)
    assert {there[record] for record in records} == {TOO_LARGE}
    rows = ask(settings, f"select payload from RAW.REJECTED where reason = '{TOO_LARGE}'")
    assert {record[:HEAD_BYTES] for record in records} <= {base64.b64decode(row["payload"]) for row in rows}


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_compressed_record_that_would_be_far_larger_for_its_readers_is_refused_by_kafka(
    stack: Stack, settings: Settings, codec: str
) -> None:
    answers: list[Any] = []
    options = {"compression.type": codec, "message.max.bytes": 100 * hostile.MEGABYTE}
    producer = Producer({**librdkafka_options(settings), **options})
    for topic in ("events", "kpis", "progress"):
        producer.produce(
            settings.topic(topic), b"x" * 50 * hostile.MEGABYTE, b"key", on_delivery=lambda e, _: answers.append(e)
        )
        assert producer.flush(30) == 0
    assert [error.code() for error in answers] == [KafkaError.MSG_SIZE_TOO_LARGE] * 3


def test_whatever_bytes_come_each_is_counted_and_the_pipeline_goes_on(
    settings: Settings, since: Mapping[int, int]
) -> None:
    schema = load_domain(settings.domain).schema
    schema_id, judge = register(settings, events_subject(settings), schema), compile_schema(schema)
    wanted: list[bytes] = []

    @how(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(drawn=st.lists(hostile.drawn(a_good_event(settings), schema_id), min_size=100, max_size=200))
    def draw(drawn: list[bytes]) -> None:
        wanted.extend(record for record in drawn if not hostile.fits(record, judge, schema_id))

    draw()
    attack(settings, wanted)

    def arrived() -> bool:
        there = Counter(record.payload for record in rejections(settings, since))
        return all(there[record] >= count for record, count in Counter(wanted).items())

    until(arrived, seconds=60)
    there = rejected(settings, since)
    assert all(there[record] for record in wanted)


def test_a_kpi_record_that_no_domain_produces_is_published_once_with_its_reason_and_shown_by_its_readers(
    settings: Settings, since: Mapping[int, int]
) -> None:
    kpis, begin = settings.topic("kpis"), datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    domain = load_domain(settings.domain)
    site, key = domain.sites[0].id, f"{begin:%Y-%m-%dT%H:%M:%SZ}|"
    good = {
        "domain": domain.name, "site": site, "window_start": begin.isoformat(), "events": 1, "late": 0,
        "window_end": (begin + timedelta(minutes=1)).isoformat(), "first_event_at": begin.isoformat(),
        "last_event_at": begin.isoformat(), "measures": {kpi.name: None for kpi in domain.kpis},
    }  # fmt: skip
    huge = {**good, "measures": {kpi.name: 9e99 for kpi in domain.kpis}}
    nowhere = {**good, "site": "atlantis"}
    deep = b'{"measures":' + b"[" * 7_000 + b"}"
    forged = {
        f"measures.{domain.kpis[0].name}": (site, hostile.as_json(huge)),
        "site": ("atlantis", hostile.as_json(nowhere)),
        "": ("deep", deep),
    }
    with broker_errors(settings):
        producer = KafkaProducer(**client_options(settings))
        for name, value in forged.values():
            producer.send(kpis, key=f"{key}{name}".encode(), value=value)
        producer.close()

    def published() -> dict[str, list[bytes]]:
        records = rejections(settings, since)
        return {
            name: [record.payload for record in records if record.topic == kpis and record.field == name]
            for name in forged
        }

    until(lambda: all(published().values()), seconds=60)
    assert published() == {name: [value] for name, (_, value) in forged.items()}
    for part in ("loader", "alerts"):
        until(lambda part=part: "records refused, the last: " in health.checks()[part](settings), seconds=60)


def test_after_all_of_it_nothing_is_lost_and_every_part_is_well(stack: Stack, settings: Settings) -> None:
    until(lambda: stack.status()["healthy"], seconds=60)
    taken = take(settings)
    assert (taken.lost, taken.doubled, taken.differences) == (0, 0, ())
    assert taken.events_sent > 0
