"""Client: how every Kafka client signs in: kafka-python, librdkafka, and Spark's Kafka source and sink."""

from __future__ import annotations

import logging

from rtlib.config import Settings
from rtlib.errors import ConfigError

# A broker that was away for a moment is tried again each second; the default backs off to 30 s.
RECONNECT_MS = 1_000
BOOTSTRAP_MS = 10_000
LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "AWS_MSK_IAM": "software.amazon.msk.auth.iam.IAMLoginModule",
}
# kafka-python warns of itself when a poll of many records takes it more than 0.1 s: in a lesson that is a red box.
logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
MSK_CALLBACK = "software.amazon.msk.auth.iam.IAMClientCallbackHandler"


def client_options(settings: Settings) -> dict[str, object]:
    """The arguments that KafkaProducer, KafkaConsumer and KafkaAdminClient have in common.

    Example:
        >>> from rtlib.config import load_settings
        >>> client_options(load_settings(kafka_bootstrap_servers="broker:9092"))["bootstrap_servers"]
        ['broker:9092']

    Raises:
        ConfigError: The settings of the sign-in do not go together.
    """
    options: dict[str, object] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": f"rtlib-{settings.part or 'client'}",
        "security_protocol": settings.kafka_security_protocol,
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,
    }
    if mechanism := _mechanism(settings):
        options["sasl_mechanism"] = mechanism
    if mechanism in ("PLAIN", "SCRAM-SHA-512"):
        options["sasl_plain_username"], options["sasl_plain_password"] = _credentials(settings)
    return options


def spark_options(settings: Settings) -> dict[str, str]:
    """The ``kafka.*`` options of Spark's Kafka source and sink.

    Raises:
        ConfigError: The settings of the sign-in do not go together.
    """
    options = {"kafka.bootstrap.servers": settings.bootstrap_servers}
    if settings.kafka_security_protocol != "PLAINTEXT":
        options["kafka.security.protocol"] = settings.kafka_security_protocol
    if mechanism := _mechanism(settings):
        options["kafka.sasl.mechanism"] = mechanism
        options["kafka.sasl.jaas.config"] = _jaas(settings, mechanism)
    if mechanism == "AWS_MSK_IAM":
        options["kafka.sasl.client.callback.handler.class"] = MSK_CALLBACK
    return options


def librdkafka_options(settings: Settings) -> dict[str, object]:
    """The options that confluent-kafka's clients have in common.

    librdkafka has no mechanism AWS_MSK_IAM; MSK takes the same signature as an OAUTHBEARER token too.

    Raises:
        ConfigError: The settings of the sign-in do not go together.
    """
    options: dict[str, object] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"rtlib-{settings.part or 'client'}",
        "security.protocol": settings.kafka_security_protocol,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "enable.metrics.push": False,
    }
    if mechanism := _mechanism(settings):
        options["sasl.mechanism"] = "OAUTHBEARER" if mechanism == "AWS_MSK_IAM" else mechanism
    if mechanism in ("PLAIN", "SCRAM-SHA-512"):
        options["sasl.username"], options["sasl.password"] = _credentials(settings)
    if mechanism == "AWS_MSK_IAM":
        options["oauth_cb"] = lambda _: _msk_token()
    return options


def _msk_token() -> tuple[str, float]:
    """A token, and when it ends (seconds since 1970); by the credentials and the region that boto finds."""
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.session import Session

    token, ends_ms = MSKAuthTokenProvider.generate_auth_token(Session().get_config_variable("region"))
    return token, ends_ms / 1000


def _mechanism(settings: Settings) -> str | None:
    """The SASL mechanism; None without SASL."""
    protocol, mechanism = settings.kafka_security_protocol, settings.kafka_sasl_mechanism
    if protocol.startswith("SASL") and mechanism is None:
        raise ConfigError(
            f"RTLIB_KAFKA_SECURITY_PROTOCOL is {protocol}, but no mechanism is set",
            cure=f"set RTLIB_KAFKA_SASL_MECHANISM to one of: {', '.join(LOGIN_MODULES)}",
        )
    if mechanism is not None and not protocol.startswith("SASL"):
        raise ConfigError(
            f"RTLIB_KAFKA_SASL_MECHANISM is {mechanism}, but RTLIB_KAFKA_SECURITY_PROTOCOL is {protocol}",
            cure="set RTLIB_KAFKA_SECURITY_PROTOCOL=SASL_SSL, or unset the mechanism",
        )
    if mechanism == "AWS_MSK_IAM" and protocol != "SASL_SSL":
        raise ConfigError(
            f"AWS_MSK_IAM does not work over {protocol}", cure="set RTLIB_KAFKA_SECURITY_PROTOCOL=SASL_SSL"
        )
    return mechanism


def _credentials(settings: Settings) -> tuple[str, str]:
    if settings.kafka_username is None or settings.kafka_password is None:
        raise ConfigError(
            f"{settings.kafka_sasl_mechanism} needs a name and a password",
            cure="set RTLIB_KAFKA_USERNAME and RTLIB_KAFKA_PASSWORD",
        )
    return settings.kafka_username, settings.kafka_password.get_secret_value()


def _jaas(settings: Settings, mechanism: str) -> str:
    """The one line by which Java clients are told how to sign in."""
    if mechanism == "AWS_MSK_IAM":
        return f"{LOGIN_MODULES[mechanism]} required;"
    username, password = (_quoted(text) for text in _credentials(settings))
    return f"{LOGIN_MODULES[mechanism]} required username={username} password={password};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
