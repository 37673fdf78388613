"""Client: how every Kafka client signs in: kafka-python, librdkafka, and Spark's Kafka source and sink."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.run_state import BROKER_USER, LOCAL_USER
from rtlib.validators import Hidden

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


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a broker is reached: the security protocol, and with SASL the mechanism, its user and their password."""

    protocol: str
    mechanism: str | None = None
    username: str = ""
    password: Hidden = Hidden("")


def client_options(settings: Settings) -> dict[str, object]:
    """The arguments that KafkaProducer, KafkaConsumer and KafkaAdminClient have in common.

    Example:
        >>> from rtlib.config import load_settings
        >>> client_options(load_settings(kafka_bootstrap_servers="broker:9092"))["bootstrap_servers"]
        ['broker:9092']

    Raises:
        ConfigError: The settings of the sign-in do not go together.
    """
    return _kafka_python(settings, _sign_in(settings))


def broker_options(settings: Settings) -> dict[str, object]:
    """The same arguments for the local broker's own user, which exists before any other; on a shared machine only.

    Raises:
        ServiceError: The local broker does not run.
    """
    _quiet_on_loopback()
    secret = Hidden(settings.local_secret("kafka_broker").get_secret_value())
    return _kafka_python(settings, SignIn("SASL_PLAINTEXT", "PLAIN", BROKER_USER, secret))


def spark_options(settings: Settings) -> dict[str, str]:
    """The ``kafka.*`` options of Spark's Kafka source and sink.

    Raises:
        ConfigError: The settings of the sign-in do not go together.
    """
    options, sign_in = {"kafka.bootstrap.servers": settings.bootstrap_servers}, _sign_in(settings)
    if sign_in.protocol != "PLAINTEXT":
        options["kafka.security.protocol"] = sign_in.protocol
    if sign_in.mechanism:
        options["kafka.sasl.mechanism"] = sign_in.mechanism
        options["kafka.sasl.jaas.config"] = _jaas(sign_in)
    if sign_in.mechanism == "AWS_MSK_IAM":
        options["kafka.sasl.client.callback.handler.class"] = MSK_CALLBACK
    return options


def librdkafka_options(settings: Settings) -> dict[str, object]:
    """The options that confluent-kafka's clients have in common.

    librdkafka has no mechanism AWS_MSK_IAM; MSK takes the same signature as an OAUTHBEARER token too.

    Raises:
        ConfigError: The settings of the sign-in do not go together.
    """
    sign_in = _sign_in(settings)
    options: dict[str, object] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": _client_id(settings),
        "security.protocol": sign_in.protocol,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "enable.metrics.push": False,
    }
    if sign_in.mechanism:
        options["sasl.mechanism"] = "OAUTHBEARER" if sign_in.mechanism == "AWS_MSK_IAM" else sign_in.mechanism
    if sign_in.username:
        options["sasl.username"], options["sasl.password"] = sign_in.username, sign_in.password
    if sign_in.mechanism == "AWS_MSK_IAM":
        options["oauth_cb"] = lambda _: _msk_token()
    return options


def _kafka_python(settings: Settings, sign_in: SignIn) -> dict[str, object]:
    options: dict[str, object] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "client_id": _client_id(settings),
        "security_protocol": sign_in.protocol,
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,
    }
    if sign_in.mechanism:
        options["sasl_mechanism"] = sign_in.mechanism
    if sign_in.username:
        options["sasl_plain_username"], options["sasl_plain_password"] = sign_in.username, sign_in.password
    return options


def _client_id(settings: Settings) -> str:
    return f"rtlib-{settings.part or 'client'}"


def _msk_token() -> tuple[str, float]:
    """A token, and when it ends (seconds since 1970); by the credentials and the region that boto finds."""
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.session import Session

    token, ends_ms = MSKAuthTokenProvider.generate_auth_token(Session().get_config_variable("region"))
    return token, ends_ms / 1000


def _sign_in(settings: Settings) -> SignIn:
    """That of the local broker, which asks for one on a shared machine only; else that of the settings."""
    if settings.local_sign_in:
        _quiet_on_loopback()
        secret = Hidden(settings.local_secret("kafka").get_secret_value())
        return SignIn("SASL_PLAINTEXT", "SCRAM-SHA-512", LOCAL_USER, secret)
    mechanism = _mechanism(settings)
    username, password = _credentials(settings) if mechanism in ("PLAIN", "SCRAM-SHA-512") else ("", Hidden(""))
    return SignIn(settings.kafka_security_protocol, mechanism, username, password)


def _quiet_on_loopback() -> None:
    """Take away kafka-python's warning, at each connection, that a sign-in is not encrypted: it leaves no machine."""
    logging.getLogger("kafka.net.sasl").setLevel(logging.ERROR)


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


def _credentials(settings: Settings) -> tuple[str, Hidden]:
    if settings.kafka_username is None or settings.kafka_password is None:
        raise ConfigError(
            f"{settings.kafka_sasl_mechanism} needs a name and a password",
            cure="set RTLIB_KAFKA_USERNAME and RTLIB_KAFKA_PASSWORD",
        )
    return settings.kafka_username, Hidden(settings.kafka_password.get_secret_value())


def _jaas(sign_in: SignIn) -> str:
    """The one line by which Java clients are told how to sign in."""
    module = LOGIN_MODULES[str(sign_in.mechanism)]
    if not sign_in.username:
        return f"{module} required;"
    return Hidden(f"{module} required username={_quoted(sign_in.username)} password={_quoted(sign_in.password)};")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
