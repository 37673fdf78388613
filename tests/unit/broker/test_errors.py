"""Errors of the Kafka and registry clients are translated: what failed, where, and the cure."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryError
from kafka import errors

from rtlib.broker import client, librdkafka_reader, registry, topics
from rtlib.broker.consumer import consumer
from rtlib.broker.errors import broker_errors, librdkafka_error
from rtlib.broker.librdkafka_reader import Reader
from rtlib.broker.producer import EventProducer
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.run_state import make_secrets


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that point at closed ports."""
    monkeypatch.setattr(client, "BOOTSTRAP_MS", 300)
    (tmp_path / "ports.json").write_text(f'{{"kafka": {closed_port()}, "registry": {closed_port()}}}')
    make_secrets(tmp_path)
    return Settings(home=tmp_path, part="loader")


CALLS: list[Callable[[Settings], Any]] = [
    topics.ensure_topics,
    topics.topics,
    lambda settings: topics.end_offsets(settings, "any"),
    lambda settings: topics.first_offsets(settings, "any"),
    lambda settings: topics.delete_topics(settings, "any"),
    lambda settings: topics.offsets_at(settings, "any", datetime.now(UTC)),
    lambda settings: consumer(settings, "any"),
    lambda settings: EventProducer(settings, schema={"type": "object"}, schema_id=1),
]


@pytest.mark.parametrize("call", CALLS)
def test_an_unreachable_broker_is_named_with_the_cure(unreachable: Settings, call: Callable[[Settings], Any]) -> None:
    with pytest.raises(ServiceError, match=f"broker at {unreachable.bootstrap_servers} does not answer") as failure:
        call(unreachable)
    assert failure.value.cure == "rtlib up"
    assert isinstance(failure.value.__cause__, errors.KafkaError)


def test_librdkafkas_reader_names_an_unreachable_broker_with_the_same_cure(
    unreachable: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(librdkafka_reader, "ANSWER_SECONDS", 0.5)
    with pytest.raises(ServiceError, match=f"broker at {unreachable.bootstrap_servers} does not answer") as failure:
        Reader(unreachable, {("any", 0): None}, group="any", min_bytes=1, max_wait_ms=1)
    assert failure.value.cure == "rtlib up"


class FirstGroup:
    """A consumer of a broker that has no group coordinator until the third request."""

    requests = 0

    def __init__(self, *_: object, **__: object) -> None: ...

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        FirstGroup.requests += 1
        if FirstGroup.requests < 3:
            raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))
        return [TopicPartition(places[0].topic, places[0].partition, 7)]

    def assign(self, places: list[TopicPartition]) -> None:
        assert [place.offset for place in places] == [7]


def test_a_reader_waits_for_the_coordinator_of_the_brokers_first_group(
    unreachable: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confluent_kafka, "Consumer", FirstGroup)
    reader = Reader(unreachable, {("any", 0): None}, group="any", min_bytes=1, max_wait_ms=1)
    assert reader.has_reached({("any", 0): 7}) and not reader.has_reached({("any", 0): 8})
    assert FirstGroup.requests == 3


@pytest.mark.parametrize(
    "call",
    [
        registry.subjects,
        lambda settings: registry.register(settings, "any", {"type": "object"}),
        lambda settings: registry.schema_by_id(settings, 1),
        lambda settings: registry.latest(settings, "any"),
    ],
)
def test_an_unreachable_registry_is_named_with_the_cure(unreachable: Settings, call: Callable[[Settings], Any]) -> None:
    with pytest.raises(ServiceError, match=f"registry at {unreachable.schema_registry_url} does not answer") as failure:
        call(unreachable)
    assert failure.value.cure == "rtlib up"


@pytest.mark.parametrize(
    ("error", "words", "cure"),
    [
        (errors.SaslAuthenticationFailedError("no"), "refused the sign-in", "RTLIB_KAFKA_PASSWORD"),
        (errors.TopicAuthorizationFailedError("no"), "does not allow", "rights"),
        (errors.KafkaTimeoutError("slow"), "does not answer", "rtlib up"),
        (errors.InvalidReplicationFactorError("3"), "InvalidReplicationFactorError", "rtlib logs broker"),
    ],
)
def test_each_kind_of_error_has_its_cure(tmp_path: Path, error: Exception, words: str, cure: str) -> None:
    with pytest.raises(ServiceError, match=words) as failure, broker_errors(Settings(home=tmp_path, part="loader")):
        raise error
    assert cure in failure.value.cure


@pytest.mark.parametrize(
    ("code", "words", "cure"),
    [
        (KafkaError.SASL_AUTHENTICATION_FAILED, "refused the sign-in", "RTLIB_KAFKA_PASSWORD"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "does not allow", "rights"),
        (KafkaError._ALL_BROKERS_DOWN, "does not answer", "rtlib up"),
        (KafkaError.INVALID_REPLICATION_FACTOR, "refused", "rtlib logs broker"),
    ],
)
def test_each_kind_of_librdkafka_error_has_the_same_cure(tmp_path: Path, code: int, words: str, cure: str) -> None:
    error = librdkafka_error(Settings(home=tmp_path, part="loader"), KafkaException(KafkaError(code)))
    assert words in str(error)
    assert cure in error.cure


def test_the_cure_of_a_refused_iam_sign_in_names_aws_credentials_and_no_password() -> None:
    msk = Settings(kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="AWS_MSK_IAM", part="loader")
    error = librdkafka_error(msk, KafkaException(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED)))
    assert "AWS_DEFAULT_REGION" in error.cure
    assert "PASSWORD" not in error.cure


def test_the_cure_of_a_refused_local_sign_in_is_a_restart(tmp_path: Path) -> None:
    local = Settings(home=tmp_path, shared=True, part="loader")
    make_secrets(tmp_path)
    error = librdkafka_error(local, KafkaException(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED)))
    assert error.cure == "rtlib down && rtlib up"
    with pytest.raises(ServiceError, match="refused") as refused, registry._client(local):
        raise SchemaRegistryError(401, 401, "no")
    assert refused.value.cure == "rtlib down && rtlib up"


def test_the_cure_for_an_unreachable_remote_broker_names_its_setting(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path, kafka_bootstrap_servers="broker.example:9092")
    with pytest.raises(ServiceError) as failure, broker_errors(elsewhere):
        raise errors.KafkaConnectionError("gone")
    assert "RTLIB_KAFKA_BOOTSTRAP_SERVERS" in failure.value.cure
