"""Sign-in options for kafka-python, librdkafka and Spark."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from rtlib.broker.client import broker_options, client_options, librdkafka_options, spark_options
from rtlib.broker.registry import registry_options
from rtlib.config import Settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.run_state import make_secrets, read_secret

SCRAM = {
    "kafka_bootstrap_servers": "one:9096,two:9096",
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_username": "ann",
    "kafka_password": 'pass"word\\',
}
MSK = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "AWS_MSK_IAM"}


def settings(tmp_path: Path, **values: Any) -> Settings:
    return Settings(home=tmp_path, part="loader", **values)


@pytest.mark.parametrize("client", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
@pytest.mark.parametrize("values", [{}, SCRAM, MSK])
def test_every_kafka_python_client_accepts_the_options(tmp_path: Path, client: Any, values: dict[str, str]) -> None:
    assert client_options(settings(tmp_path, **values)).keys() <= client.DEFAULT_CONFIG.keys()


def test_by_default_clients_connect_to_the_local_broker_without_a_sign_in(tmp_path: Path) -> None:
    options = client_options(settings(tmp_path))
    assert options["bootstrap_servers"] == ["127.0.0.1:19092"]
    assert options["security_protocol"] == "PLAINTEXT"
    assert "sasl_mechanism" not in options
    assert spark_options(settings(tmp_path)) == {"kafka.bootstrap.servers": "127.0.0.1:19092"}


def test_scram_signs_in_with_user_name_and_password(tmp_path: Path) -> None:
    options = client_options(settings(tmp_path, **SCRAM))
    assert options["bootstrap_servers"] == ["one:9096", "two:9096"]
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("ann", SCRAM["kafka_password"])


def test_spark_receives_the_password_quoted_for_java(tmp_path: Path) -> None:
    options = spark_options(settings(tmp_path, **SCRAM))
    assert options["kafka.sasl.jaas.config"] == (
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="ann" password="pass\\"word\\\\";'
    )


def test_on_a_shared_machine_every_client_of_the_local_broker_signs_in_with_the_secret_of_this_start(
    tmp_path: Path,
) -> None:
    make_secrets(tmp_path)
    shared, secret = settings(tmp_path, shared=True), str(read_secret(tmp_path, "kafka"))
    options = client_options(shared)
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_PLAINTEXT", "SCRAM-SHA-512")
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("rtlib", secret)
    librdkafka = librdkafka_options(shared)
    assert (librdkafka["sasl.mechanism"], librdkafka["sasl.password"]) == ("SCRAM-SHA-512", secret)
    spark = spark_options(shared)
    assert spark["kafka.security.protocol"] == "SASL_PLAINTEXT"
    assert f'username="rtlib" password="{secret}";' in spark["kafka.sasl.jaas.config"]
    broker = broker_options(shared)
    assert (broker["sasl_mechanism"], broker["sasl_plain_username"]) == ("PLAIN", "broker")
    assert broker["sasl_plain_password"] == read_secret(tmp_path, "kafka_broker") != secret


def test_a_shared_machine_does_not_change_the_options_for_a_remote_broker(tmp_path: Path) -> None:
    assert client_options(settings(tmp_path, **SCRAM, shared=True)) == client_options(settings(tmp_path, **SCRAM))


def test_the_repr_of_the_options_hides_the_secret(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    shared = settings(tmp_path, shared=True)
    builders = (client_options, broker_options, librdkafka_options, spark_options, registry_options)
    shown = " ".join(repr(options(shared)) for options in builders)
    assert shown.count("'**********'") == len(builders)
    assert not any(str(read_secret(tmp_path, name)) in shown for name in ("kafka", "kafka_broker", "registry"))


def test_the_local_registry_receives_the_secret_of_this_start(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no secret for the local registry"):
        registry_options(settings(tmp_path))
    make_secrets(tmp_path)
    options = registry_options(settings(tmp_path))
    assert options["basic.auth.user.info"] == f"rtlib:{read_secret(tmp_path, 'registry')}"
    assert "@" not in options["url"]


def test_a_remote_registry_never_receives_the_local_secret(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    assert registry_options(settings(tmp_path, registry_url="http://far")) == {"url": "http://far"}
    remote = settings(tmp_path, registry_url="http://far", registry_username="ann", registry_password="pass")
    assert registry_options(remote)["basic.auth.user.info"] == "ann:pass"


def test_msk_signs_in_by_iam_without_a_password(tmp_path: Path) -> None:
    assert client_options(settings(tmp_path, **MSK))["sasl_mechanism"] == "AWS_MSK_IAM"
    options = spark_options(settings(tmp_path, **MSK))
    assert options["kafka.sasl.jaas.config"].startswith("software.amazon.msk.auth.iam.IAMLoginModule")
    assert "kafka.sasl.client.callback.handler.class" in options


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid credentials, and a region."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "no secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


@pytest.mark.parametrize("values", [{}, SCRAM, {**SCRAM, "kafka_sasl_mechanism": "PLAIN"}, MSK])
def test_librdkafka_accepts_the_options(tmp_path: Path, aws: None, values: dict[str, str]) -> None:
    Consumer({**librdkafka_options(settings(tmp_path, **values)), "group.id": "any"}).close()


def test_librdkafka_signs_in_like_the_other_clients(tmp_path: Path) -> None:
    assert "sasl.mechanism" not in librdkafka_options(settings(tmp_path))
    options = librdkafka_options(settings(tmp_path, **SCRAM))
    assert (options["bootstrap.servers"], options["security.protocol"]) == ("one:9096,two:9096", "SASL_SSL")
    assert (options["sasl.mechanism"], options["sasl.username"]) == ("SCRAM-SHA-512", "ann")
    assert options["sasl.password"] == SCRAM["kafka_password"]


def test_librdkafka_signs_in_to_msk_with_a_token_for_the_region_that_expires(tmp_path: Path, aws: None) -> None:
    options = librdkafka_options(settings(tmp_path, **MSK))
    assert options["sasl.mechanism"] == "OAUTHBEARER"
    token, expiry = options["oauth_cb"]("")  # type: ignore[operator]
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert url.startswith("https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
    assert "AKIDEXAMPLE" in url
    assert 0 < expiry - time.time() <= 900


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "RTLIB_KAFKA_SASL_MECHANISM"),
        ({"kafka_sasl_mechanism": "PLAIN"}, "RTLIB_KAFKA_SECURITY_PROTOCOL"),
        ({**MSK, "kafka_security_protocol": "SASL_PLAINTEXT"}, "SASL_SSL"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN"}, "RTLIB_KAFKA_USERNAME"),
    ],
)
def test_contradictory_sign_in_settings_are_refused(tmp_path: Path, values: dict[str, str], cure: str) -> None:
    with pytest.raises(ConfigError) as refused:
        client_options(settings(tmp_path, **values))
    assert cure in refused.value.cure
