"""Client: connection and sign-in options for kafka-python, librdkafka, and Spark's Kafka source and sink."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.run_state import BROKER_USER, LOCAL_USER
from rtlib.validators import Hidden

# Reconnect every second after a short outage; the default backs off to 30 s.
RECONNECT_MS = 1_000
BOOTSTRAP_MS = 10_000
LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "AWS_MSK_IAM": "software.amazon.msk.auth.iam.IAMLoginModule",
}
# kafka-python logs a warning when a poll of many records takes more than 0.1 s: a red box in a lesson.
logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
MSK_CALLBACK = "software.amazon.msk.auth.iam.IAMClientCallbackHandler"


@dataclass(frozen=True, slots=True)
class SignIn:
    """The security protocol of a connection; with SASL also the mechanism, the user and the password."""

    protocol: str
    mechanism: str | None = None
    username: str = ""
    password: Hidden = Hidden("")


def client_options(settings: Settings) -> dict[str, object]:
    """Arguments shared by KafkaProducer, KafkaConsumer and KafkaAdminClient.

    Example:
        >>> from rtlib.config import load_settings
        >>> client_options(load_settings(kafka_bootstrap_servers="broker:9092"))["bootstrap_servers"]
        ['broker:9092']

    Raises:
        ConfigError: The sign-in settings contradict one another.
    """
    return _kafka_python(settings, _sign_in(settings))


def broker_options(settings: Settings) -> dict[str, object]:
    """The same arguments for the local broker's built-in user, which creates all others; shared machines only.

    Raises:
        ServiceError: The local broker is not running.
    """
    _quiet_on_loopback()
    secret = Hidden(settings.local_secret("kafka_broker").get_secret_value())
    return _kafka_python(settings, SignIn("SASL_PLAINTEXT", "PLAIN", BROKER_USER, secret))


def spark_options(settings: Settings) -> dict[str, str]:
    """The ``kafka.*`` options for Spark's Kafka source and sink.

    Raises:
        ConfigError: The sign-in settings contradict one another.
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
    """Options shared by confluent-kafka's clients.

    librdkafka lacks the mechanism AWS_MSK_IAM; MSK accepts the same signature as an OAUTHBEARER token.

    Raises:
        ConfigError: The sign-in settings contradict one another.
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
    """A token and its expiry (seconds since 1970), from the credentials and the region that boto finds."""
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
    from botocore.session import Session

    token, expiry_ms = MSKAuthTokenProvider.generate_auth_token(Session().get_config_variable("region"))
    return token, expiry_ms / 1000


def _sign_in(settings: Settings) -> SignIn:
    """The sign-in from the settings, or that of the local broker on a shared machine."""
    if settings.local_sign_in:
        _quiet_on_loopback()
        secret = Hidden(settings.local_secret("kafka").get_secret_value())
        return SignIn("SASL_PLAINTEXT", "SCRAM-SHA-512", LOCAL_USER, secret)
    mechanism = _mechanism(settings)
    username, password = _credentials(settings) if mechanism in ("PLAIN", "SCRAM-SHA-512") else ("", Hidden(""))
    return SignIn(settings.kafka_security_protocol, mechanism, username, password)


def _quiet_on_loopback() -> None:
    """Silence kafka-python's warning about an unencrypted sign-in: the loopback interface leaves no machine."""
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
            f"{settings.kafka_sasl_mechanism} needs a user name and a password",
            cure="set RTLIB_KAFKA_USERNAME and RTLIB_KAFKA_PASSWORD",
        )
    return settings.kafka_username, Hidden(settings.kafka_password.get_secret_value())


def _jaas(sign_in: SignIn) -> str:
    """The JAAS configuration line that Java clients sign in with."""
    module = LOGIN_MODULES[str(sign_in.mechanism)]
    if not sign_in.username:
        return f"{module} required;"
    return Hidden(f"{module} required username={_quoted(sign_in.username)} password={_quoted(sign_in.password)};")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
