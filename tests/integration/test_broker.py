"""The broker layer on a real Kafka and a real registry, in separate topics and subjects."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, Message
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import RecordListTooLargeError
from tenacity import retry, retry_if_result, stop_after_delay

from rtlib.broker.client import client_options, librdkafka_options
from rtlib.broker.consumer import consumer
from rtlib.broker.framing import unframe
from rtlib.broker.librdkafka_reader import Partition, Reader
from rtlib.broker.producer import EventProducer
from rtlib.broker.registry import latest, register, registry_options, schema_by_id, subjects
from rtlib.broker.rejected import from_record
from rtlib.broker.serde import decode
from rtlib.broker.topic_scan import contents
from rtlib.broker.topic_specs import topic_specs
from rtlib.broker.topics import delete_topics, end_offsets, ensure_topics, offsets_at, topics
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ConfigError, SchemaRefused, ServiceError
from rtlib.records import Event, Rejected
from support.stack import until

pytestmark = pytest.mark.integration
DOMAIN = load_domain("curbside")


@pytest.fixture
def own(settings: Settings) -> Iterator[Settings]:
    """The stack's settings with topics for this test alone; they are deleted afterwards."""
    tag = uuid.uuid4().hex[:12]

    class Own(Settings):
        def topic(self, name: str) -> str:
            return f"test.{tag}.{name}"

    mine = Own(**settings.model_dump())
    ensure_topics(mine)
    yield mine
    delete_topics(mine, *(spec.name for spec in topic_specs(mine)))


@pytest.fixture
def subject() -> str:
    return f"test-{uuid.uuid4().hex}-value"


@pytest.fixture
def producer(own: Settings, subject: str) -> Iterator[EventProducer]:
    schema_id = register(own, subject, DOMAIN.schema)
    with EventProducer(own, schema=DOMAIN.schema, schema_id=schema_id) as events:
        yield events


def event(number: int = 0, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "event_id": f"019aa0b2-3c4d-7e5f-8a6b-{number:012x}",
        "domain": "curbside",
        "site": DOMAIN.sites[number % len(DOMAIN.sites)].id,
        "kind": "order_placed",
        "occurred_at": datetime(2026, 3, 2, 8, 15, tzinfo=UTC),
        "producer_id": "p1",
        "sequence": number,
        "value": 41.5,
        "unit": "USD",
        "attributes": {"channel": "app", "items": 3},
    }
    return Event(**{**fields, **changes})


def read(settings: Settings, name: str, **options: Any) -> list[Any]:
    """All records of a topic, up to its end."""
    topic = settings.topic(name)
    ends = end_offsets(settings, topic)
    with consumer(settings, topic, consumer_timeout_ms=30_000, **options) as reader:
        records = []
        while not (places := reader.assignment()) or any(reader.position(p) < ends[p.partition] for p in places):
            records += [record for batch in reader.poll(timeout_ms=500).values() for record in batch]
        return records


def rejections(settings: Settings) -> list[Rejected]:
    return [from_record(record.value, record.headers) for record in read(settings, "rejected")]


def alter(settings: Settings, **configs: str) -> None:
    """Change settings of the events topic."""
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic("events"), configs)
    with KafkaAdminClient(**client_options(settings)) as admin:
        admin.alter_configs([resource])


def test_topics_are_created_once(own: Settings) -> None:
    names = [spec.name for spec in topic_specs(own)]
    delete_topics(own, *names)
    assert ensure_topics(own) == names
    assert ensure_topics(own) == []
    assert set(names) <= set(topics(own))
    assert end_offsets(own, own.topic("events")) == {0: 0, 1: 0, 2: 0, 3: 0}


def test_a_missing_topic_is_named(own: Settings) -> None:
    with pytest.raises(ServiceError, match="no topic 'nowhere'"):
        end_offsets(own, "nowhere")
    assert delete_topics(own, "nowhere") == []


def test_a_valid_event_is_acknowledged_and_read_back(own: Settings, producer: EventProducer) -> None:
    sent = event()
    assert producer.send(sent) is None
    producer.flush(30)
    (record,) = read(own, "events")
    assert decode(record.value) == sent.to_json()
    assert record.key == sent.site.encode()
    assert (producer.sent, producer.acked, producer.failed, producer.rejected) == (1, 1, 0, 0)


def test_the_events_of_a_site_stay_in_a_single_partition_and_in_order(own: Settings, producer: EventProducer) -> None:
    for number in range(200):
        producer.send(event(number))
    producer.flush(30)
    by_site: dict[str, list[tuple[int, int]]] = {}
    for record in read(own, "events"):
        fields = decode(record.value)
        by_site.setdefault(fields["site"], []).append((record.partition, fields["sequence"]))
    assert len(by_site) == len(DOMAIN.sites)
    for places in by_site.values():
        assert len({partition for partition, _ in places}) == 1
        assert [sequence for _, sequence in places] == sorted(sequence for _, sequence in places)


def test_an_event_that_does_not_fit_goes_to_the_rejected_topic(own: Settings, producer: EventProducer) -> None:
    returned = producer.send(event(value=-1.0))
    producer.flush(30)
    (rejected,) = rejections(own)
    assert rejected == returned
    assert (rejected.field, rejected.reason) == ("value", "below 0")
    assert (rejected.topic, rejected.partition, rejected.offset) == (own.topic("events"), -1, -1)
    assert b'"value":-1.0' in rejected.payload
    assert read(own, "events") == []
    assert (producer.sent, producer.rejected) == (0, 1)


def test_an_event_of_five_megabytes_is_kept_complete_on_the_rejected_topic(
    own: Settings, producer: EventProducer
) -> None:
    payload = b'{"note": "' + b"x" * 5_000_000 + b'"}'
    assert producer.send_payload("a", payload) is not None
    producer.flush(30)
    (rejected,) = rejections(own)
    assert rejected.payload == payload
    assert rejected.reason == "larger than 1,000,000 bytes"


def test_a_record_beyond_the_limit_of_the_rejected_topic_is_cut_and_the_reason_says_so(
    own: Settings, producer: EventProducer
) -> None:
    producer.send_raw("a", b"x" * 20_000_000)
    producer.flush(30)
    (rejected,) = rejections(own)
    assert rejected.reason.endswith(f"only the first {len(rejected.payload):,} of 20,000,000 bytes are kept")


def test_a_faulty_device_can_send_anything(own: Settings, producer: EventProducer) -> None:
    producer.send_payload("a", b"not json")
    producer.send_raw("a", b"\xff\xfe")
    producer.flush(30)
    framed, raw = (record.value for record in read(own, "events"))
    assert unframe(framed)[1] == b"not json"
    assert raw == b"\xff\xfe"


def test_a_reader_of_committed_records_does_not_see_an_aborted_transaction(own: Settings) -> None:
    name = f"test-{uuid.uuid4().hex}"
    with EventProducer(own, schema=DOMAIN.schema, schema_id=1, transactional_id=name) as producer:
        with producer.transaction():
            producer.send(event(1))
        with pytest.raises(KeyError), producer.transaction():
            producer.send(event(2))
            producer.flush(30)
            raise KeyError("the learner's own")
    assert [decode(record.value)["sequence"] for record in read(own, "events")] == [1]
    everything = read(own, "events", read_committed=False)
    assert sorted(decode(record.value)["sequence"] for record in everything) == [1, 2]
    topic = own.topic("events")
    readable = {record.partition: record.offset + 1 for record in read(own, "events")}
    assert sum(end_offsets(own, topic).values()) > sum(
        readable.values()
    )  # the markers of transactions have offsets too
    assert list(contents(own, topic, since=readable)) == []


@pytest.fixture
def open_reader(own: Settings) -> Iterator[Callable[[], Reader]]:
    """Opens readers of the events topic, in a separate group."""
    readers: list[Reader] = []
    starts = {(own.topic("events"), number): None for number in range(4)}

    def open_() -> Reader:
        readers.append(Reader(own, starts, group=own.topic("group"), min_bytes=1, max_wait_ms=50))
        return readers[-1]

    yield open_
    for reader in readers:
        reader.close()


@retry(retry=retry_if_result(lambda reached: not reached), stop=stop_after_delay(20))
def read_until(reader: Reader, ends: Mapping[Partition, int], messages: list[Message]) -> bool:
    messages += reader.poll(seconds=0.2, limit=2)
    return reader.has_reached(ends)


def test_a_reader_reads_every_committed_record_and_reaches_the_end_behind_a_transaction_marker(
    own: Settings, open_reader: Callable[[], Reader]
) -> None:
    name = f"test-{uuid.uuid4().hex}"
    with EventProducer(own, schema=DOMAIN.schema, schema_id=1, transactional_id=name) as producer:
        with producer.transaction():
            for number in range(5):
                producer.send(event(number))
        with pytest.raises(KeyError), producer.transaction():
            producer.send(event(9))
            producer.flush(30)
            raise KeyError("the learner's own")
    reader, messages = open_reader(), list[Message]()
    assert reader.lag(own.topic("events")) == sum(reader.ends().values()) > 5
    read_until(reader, reader.ends(), messages)
    assert sorted(decode(message.value())["sequence"] for message in messages) == [0, 1, 2, 3, 4]
    expected = {(record.partition, record.offset, record.key, record.timestamp) for record in read(own, "events")}
    assert {(m.partition(), m.offset(), m.key(), m.timestamp()[1]) for m in messages} == expected
    assert reader.lag(own.topic("events")) == 0


def test_a_reader_continues_at_the_committed_offsets_of_its_group(
    own: Settings, producer: EventProducer, open_reader: Callable[[], Reader]
) -> None:
    producer.send(event(1))
    producer.flush(30)
    first = open_reader()
    read_until(first, first.ends(), [])
    first.commit()
    producer.send(event(2))
    producer.flush(30)
    second, messages = open_reader(), list[Message]()
    assert second.lag(own.topic("events")) == 1
    read_until(second, second.ends(), messages)
    assert [decode(message.value())["sequence"] for message in messages] == [2]


def test_the_offset_of_a_moment_is_its_next_record_and_that_of_a_future_moment_the_end(
    own: Settings, producer: EventProducer
) -> None:
    producer.send(event(1))
    producer.flush(30)
    [only] = read(own, "events")
    before, after = (datetime.fromtimestamp(only.timestamp / 1000 + by, UTC) for by in (-1, 60))
    ends = end_offsets(own, own.topic("events"))
    assert offsets_at(own, own.topic("events"), after) == ends
    assert offsets_at(own, own.topic("events"), before) == {**ends, only.partition: 0}


def test_a_second_producer_with_the_same_id_fences_off_the_first(own: Settings) -> None:
    name = f"test-{uuid.uuid4().hex}"
    first = EventProducer(own, schema=DOMAIN.schema, schema_id=1, transactional_id=name)
    with EventProducer(own, schema=DOMAIN.schema, schema_id=1, transactional_id=name) as second:
        with pytest.raises(ServiceError), first.transaction():
            first.send(event(1))
        with second.transaction():
            second.send(event(2))
    first.kafka.close(5)
    assert [decode(record.value)["sequence"] for record in read(own, "events")] == [2]


def test_without_a_transactional_id_there_is_no_transaction(producer: EventProducer) -> None:
    with pytest.raises(ConfigError, match="no transactional id"), producer.transaction():
        pass


def test_the_flush_reports_a_record_that_kafka_does_not_accept(own: Settings, producer: EventProducer) -> None:
    alter(own, **{"max.message.bytes": "1000"})
    producer.send_payload("a", b"x" * 5000)
    with pytest.raises(ServiceError, match="did not accept 1 record"):
        producer.flush(30)
    assert (producer.acked, producer.failed) == (0, 1)
    producer.flush(30)  # reported only once


def test_a_full_buffer_blocks_the_sender_and_loses_nothing(own: Settings, subject: str) -> None:
    schema_id = register(own, subject, DOMAIN.schema)
    with EventProducer(own, schema=DOMAIN.schema, schema_id=schema_id, max_waiting=5) as narrow:
        for number in range(300):
            narrow.send(event(number))
            assert number + 1 - narrow.acked <= 5
    assert narrow.acked == 300
    assert len(read(own, "events")) == 300


def test_the_sender_sets_how_long_records_wait_for_the_broker_and_sees_a_full_buffer(
    own: Settings, subject: str
) -> None:
    schema_id = register(own, subject, DOMAIN.schema)
    with EventProducer(own, schema=DOMAIN.schema, schema_id=schema_id, max_waiting=1, delivery_seconds=86_400) as slow:
        assert slow.kafka.config["delivery_timeout_ms"] == 86_400_000  # a day, and not 120 s
        assert slow.has_room
        slow._delivery._sent += 1  # a record that no broker answers
        assert not slow.has_room
        slow._delivery._sent -= 1


def test_an_error_in_the_body_is_not_hidden_by_the_close(own: Settings) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        EventProducer(own, schema=DOMAIN.schema, schema_id=1) as producer,
    ):
        producer._delivery._on_failure(RecordListTooLargeError())
        _ = 1 / 0


def test_a_closed_producer_leaves_no_thread(own: Settings) -> None:
    before = threading.active_count()
    with EventProducer(own, schema=DOMAIN.schema, schema_id=1) as producer:
        producer.send(event())
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_the_close_reports_undelivered_records_and_leaves_no_thread(own: Settings) -> None:
    before = threading.active_count()
    producer = EventProducer(own, schema=DOMAIN.schema, schema_id=1)
    producer.send(event(1))
    producer.flush(30)
    delete_topics(own, own.topic("events"))  # the broker answers "try again", as it would while it elects a leader
    until(lambda: own.topic("events") not in topics(own), seconds=30)
    producer.send(event(2))
    with pytest.raises(ServiceError, match="does not answer"):
        producer.flush(0.5)
    with pytest.raises(ServiceError, match="did not accept 1 record"):
        producer.close(0.5)
    assert (producer.acked, producer.failed) == (1, 1)
    assert threading.active_count() == before


def test_a_group_continues_at_its_committed_offsets(own: Settings, producer: EventProducer) -> None:
    for number in range(10):
        producer.send(event(number, site=DOMAIN.sites[0].id))
    producer.flush(30)

    def take(count: int) -> list[int]:
        with consumer(own, own.topic("events"), group=f"group-{own.topic('g')}", max_poll_records=count) as reader:
            records: list[Any] = []
            while not records:
                records = [record for batch in reader.poll(timeout_ms=1000).values() for record in batch]
            reader.commit()
            return [decode(record.value)["sequence"] for record in records]

    assert take(4) == [0, 1, 2, 3]
    assert take(4) == [4, 5, 6, 7]


def test_confluents_client_reads_and_validates_every_event(
    own: Settings, producer: EventProducer, subject: str
) -> None:
    for number in range(50):
        producer.send(event(number))
    producer.flush(30)
    registry = SchemaRegistryClient(registry_options(own))
    deserialize = JSONDeserializer(schema_str=None, schema_registry_client=registry)
    reader = Consumer({**librdkafka_options(own), "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"})
    reader.subscribe([own.topic("events")])
    events = []
    try:
        while len(events) < 50:
            message = reader.poll(30)
            assert message is not None and message.error() is None
            events.append(deserialize(message.value(), SerializationContext(message.topic(), MessageField.VALUE)))
    finally:
        reader.close()
    assert sorted(fields["sequence"] for fields in events) == list(range(50))


def test_registering_the_same_schema_again_returns_its_id(own: Settings, subject: str) -> None:
    schema_id = register(own, subject, DOMAIN.schema)
    assert register(own, subject, DOMAIN.schema) == schema_id
    assert subject in subjects(own)
    assert schema_by_id(own, schema_id) == DOMAIN.schema
    newest = latest(own, subject)
    assert (newest.version, newest.id, newest.schema) == (1, schema_id, DOMAIN.schema)


def test_an_optional_field_may_be_added(own: Settings, subject: str) -> None:
    register(own, subject, DOMAIN.schema)
    wider = copy.deepcopy(dict(DOMAIN.schema))
    wider["properties"]["note"] = {"type": "string"}
    register(own, subject, wider)
    assert latest(own, subject).version == 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("remove", "unit: removed, but earlier events carry it"),
        ("retype", 'producer_id: type was "string" and would be "integer"'),
        ("require", "note: now required, but earlier events may lack it"),
    ],
)
def test_a_breaking_change_is_refused_and_named(own: Settings, subject: str, change: str, line: str) -> None:
    register(own, subject, DOMAIN.schema)
    broken = copy.deepcopy(dict(DOMAIN.schema))
    if change == "remove":
        del broken["properties"]["unit"]
        broken["required"].remove("unit")
    elif change == "retype":
        broken["properties"]["producer_id"]["type"] = "integer"
    else:
        broken["properties"]["note"] = {"type": "string"}
        broken["required"].append("note")
    with pytest.raises(SchemaRefused) as refused:
        register(own, subject, broken)
    assert line in refused.value.what
    assert latest(own, subject).version == 1


def test_the_registry_refuses_an_object_that_is_not_a_schema(own: Settings, subject: str) -> None:
    with pytest.raises(SchemaRefused, match="not accept this as a JSON Schema"):
        register(own, subject, {"title": "nothing"})


def test_a_missing_schema_is_named(own: Settings) -> None:
    with pytest.raises(ConfigError, match="no schema has the id 999999999"):
        schema_by_id(own, 999_999_999)
    with pytest.raises(ConfigError, match="no subject 'nobody-value'"):
        latest(own, "nobody-value")
