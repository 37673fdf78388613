"""Kafka with a sign-in, as on a machine with other users: a stranger gets nothing, and the owner works as before.

Every test on the shared stack signs in; these tests try without the secret.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaError, Producer
from kafka import KafkaProducer

from rtlib.broker.client import client_options
from rtlib.broker.topic_specs import TopicSpec
from rtlib.broker.topics import create, delete_topics, end_offsets, topics
from rtlib.config import Settings
from rtlib.run_state import read_secret
from support.stack import Stack, until

pytestmark = pytest.mark.integration

SECRETS = ("kafka", "kafka_broker", "registry")
WHERE_SECRETS_ARE = {"secrets.json", "kafka/server.properties", "registry/registry.properties"}
WRONG = "x" * 43
CREATE_TOPICS, SASL_HANDSHAKE, SASL_AUTHENTICATE, NOT_SIGNED_IN = 19, 17, 36, 58


@pytest.fixture(scope="module")
def diary(stack: Stack) -> Iterator[str]:
    """A topic of the owner's, empty."""
    create(stack.settings, TopicSpec("owner.diary", 1))
    yield "owner.diary"
    delete_topics(stack.settings, "owner.diary")


@pytest.mark.parametrize(
    ("mechanism", "user", "code"),
    [
        (None, None, KafkaError._ALL_BROKERS_DOWN),
        ("SCRAM-SHA-512", "rtlib", KafkaError._AUTHENTICATION),
        ("PLAIN", "broker", KafkaError._AUTHENTICATION),
    ],
)
def test_a_client_without_the_secret_is_refused_and_writes_nothing(
    settings: Settings, diary: str, mechanism: str | None, user: str | None, code: int
) -> None:
    codes, before = list[int](), end_offsets(settings, diary)
    options = {"bootstrap.servers": settings.bootstrap_servers, "error_cb": lambda error: codes.append(error.code())}
    if mechanism:
        options |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism}
        options |= {"sasl.username": user, "sasl.password": WRONG}
    client = Producer(options)
    client.produce(diary, b"of a stranger")
    until(lambda: client.poll(0.1) or code in codes, seconds=30)
    client.purge()
    assert end_offsets(settings, diary) == before


class Wire:
    """A connection to a port of Kafka's on which requests are sent as bytes; no client speaks to a controller."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def ask(self, key: int, version: int, body: bytes) -> bytes:
        """The body of the answer; empty when the connection was closed instead."""
        head = struct.pack(">hhih", key, version, 1, -1)
        self._socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        with self._socket.makefile("rb") as answer:
            size = answer.read(4)
            return answer.read(struct.unpack(">i", size)[0])[4:] if size else b""

    def sign_in(self, user: str, password: str) -> int:
        """Sign in by PLAIN; Kafka's code of the error, 0 for none."""
        self.ask(SASL_HANDSHAKE, 1, text("PLAIN"))
        token = f"\0{user}\0{password}".encode()
        answer = self.ask(SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        return int(struct.unpack(">h", answer[:2])[0])


def text(value: str) -> bytes:
    """A text as Kafka's older requests have it."""
    return struct.pack(">h", len(value)) + value.encode()


def a_topic(name: str) -> bytes:
    """The request for a topic with one partition."""
    return struct.pack(">i", 1) + text(name) + struct.pack(">ihii", 1, 1, 0, 0) + struct.pack(">ib", 5_000, 0)


@pytest.fixture
def wanted(settings: Settings, port: str) -> Iterator[str]:
    """The name of a topic that a stranger wants to create."""
    yield f"stranger.{port}"
    delete_topics(settings, f"stranger.{port}")


@pytest.mark.parametrize("port", ["kafka", "kafka_controller"])
def test_neither_port_of_kafka_takes_an_order_before_a_sign_in(settings: Settings, port: str, wanted: str) -> None:
    assert Wire(settings.ports[port]).ask(CREATE_TOPICS, 4, a_topic(wanted)) == b""
    refused = Wire(settings.ports[port])
    assert refused.sign_in("broker", WRONG) == NOT_SIGNED_IN
    known = Wire(settings.ports[port])
    assert known.sign_in("broker", str(read_secret(settings.home, "kafka_broker"))) == 0
    # The same order, so the first was no misfit.
    assert wanted.encode() in known.ask(CREATE_TOPICS, 4, a_topic(wanted))
    until(lambda: wanted in topics(settings), seconds=10)


def test_no_secret_shows_in_a_process_list_a_log_a_checkpoint_or_the_supervisors_configuration(stack: Stack) -> None:
    secrets = [str(read_secret(stack.home, name)).encode() for name in SECRETS]
    listed = [Path(f"/proc/{pid}/{name}") for pid in psutil.pids() for name in ("cmdline", "environ")]
    assert [path for path in listed if holds(path, secrets)] == []
    inside = (Path(place, name) for place, _, names in os.walk(stack.home) for name in names)
    kept = {str(path.relative_to(stack.home)) for path in inside if "jars" not in path.parts and holds(path, secrets)}
    assert kept == WHERE_SECRETS_ARE


def test_no_log_warns_at_each_connection_that_a_sign_in_on_loopback_is_not_encrypted(stack: Stack) -> None:
    logs = "".join(path.read_text() for path in (stack.home / "logs").glob("*.log"))
    assert "in the clear" not in logs


def holds(path: Path, secrets: list[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except OSError:  # another user's process, or gone
        return False
    return any(secret in content for secret in secrets)


def test_the_owner_writes_and_reads_in_a_terminal_without_settings(settings: Settings, diary: str) -> None:
    assert settings.shared
    before = end_offsets(settings, diary)[0]
    with KafkaProducer(**client_options(settings)) as producer:
        producer.send(diary, b"of the owner").get(10)
    assert end_offsets(settings, diary) == {0: before + 1}
