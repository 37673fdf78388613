"""The wire format, compared with Confluent's own serializer and deserializer."""

from __future__ import annotations

import json

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from hypothesis import given
from hypothesis import strategies as st

from rtlib.broker.framing import frame, unframe
from rtlib.errors import EventRefused

SCHEMA = json.dumps({"title": "reading", "type": "object", "properties": {"value": {"type": "number"}}})
CONTEXT = SerializationContext("readings", MessageField.VALUE)


@pytest.fixture
def registry() -> SchemaRegistryClient:
    return SchemaRegistryClient.new_client({"url": "mock://framing"})


@given(schema_id=st.integers(0, 2**32 - 1), payload=st.binary(min_size=1))
def test_unframing_reverses_framing(schema_id: int, payload: bytes) -> None:
    assert unframe(frame(schema_id, payload)) == (schema_id, payload)


def test_confluents_deserializer_reads_our_frames(registry: SchemaRegistryClient) -> None:
    schema_id = registry.register_schema("readings-value", Schema(SCHEMA, "JSON"))
    read = JSONDeserializer(SCHEMA, schema_registry_client=registry)
    assert read(frame(schema_id, b'{"value": 2.5}'), CONTEXT) == {"value": 2.5}


def test_we_read_the_frames_of_confluents_serializer(registry: SchemaRegistryClient) -> None:
    write = JSONSerializer(SCHEMA, registry)
    schema_id, payload = unframe(write({"value": 2.5}, CONTEXT))
    assert registry.get_schema(schema_id).schema_str == SCHEMA
    assert json.loads(payload) == {"value": 2.5}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\x00\x00\x00", "shorter than the 5-byte frame"),
        (b"\x00\x00\x00\x00\x07", "shorter than the 5-byte frame"),
        (b'{"value": 2.5}', "first byte is not 0"),
    ],
)
def test_a_broken_frame_is_refused_with_its_reason(record: bytes | None, reason: str) -> None:
    with pytest.raises(EventRefused, match=reason):
        unframe(record)
