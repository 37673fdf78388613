"""Errors: exceptions of kafka-python and librdkafka, translated to ServiceError with a cure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtlib.config import Settings
from rtlib.errors import ServiceError

if TYPE_CHECKING:
    from confluent_kafka import KafkaException


def broker_error(settings: Settings, error: Exception) -> ServiceError:
    """Translate an error of kafka-python: what failed, at which broker, and the cure."""
    from kafka import errors

    away = errors.KafkaConnectionError | errors.KafkaTimeoutError | errors.MetadataEmptyBrokerList
    return _service_error(
        settings,
        str(error),
        sign_in=isinstance(error, errors.SaslAuthenticationFailedError | errors.UnsupportedSaslMechanismError),
        rights=isinstance(error, errors.AuthorizationError),
        away=isinstance(error, away | errors.NodeNotReadyError),
    )


def librdkafka_error(settings: Settings, error: KafkaException) -> ServiceError:
    """Translate an error of confluent-kafka."""
    from confluent_kafka import KafkaError

    cause = error.args[0]
    code = cause.code()
    return _service_error(
        settings,
        cause.str(),
        sign_in=code in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED),
        rights=code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED),
        away=code in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE),
    )


def _service_error(settings: Settings, detail: str, *, sign_in: bool, rights: bool, away: bool) -> ServiceError:
    where = settings.bootstrap_servers
    check = "check RTLIB_KAFKA_USERNAME, RTLIB_KAFKA_PASSWORD and RTLIB_KAFKA_SASL_MECHANISM"
    if settings.local_sign_in:
        check = "rtlib down && rtlib up"
    if settings.kafka_sasl_mechanism == "AWS_MSK_IAM":
        check = (
            "check AWS_DEFAULT_REGION and your AWS credentials: aws sts get-caller-identity shows the identity in use"
        )
    start = "rtlib up" if settings.kafka_bootstrap_servers is None else "check RTLIB_KAFKA_BOOTSTRAP_SERVERS"
    if sign_in:
        return ServiceError(f"the broker at {where} refused the sign-in ({detail})", cure=check)
    if rights:
        return ServiceError(
            f"the broker at {where} does not allow this ({detail})", cure="grant this user the rights in Kafka"
        )
    if away:
        return ServiceError(f"the broker at {where} does not answer ({detail})", cure=start)
    return ServiceError(f"the broker at {where} refused: {detail}", cure="rtlib logs broker")


@contextmanager
def broker_errors(settings: Settings) -> Iterator[None]:
    """Raise errors of kafka-python within the block as ServiceError.

    Raises:
        ServiceError: The broker does not answer, or refused.
    """
    from kafka.errors import KafkaError

    try:
        yield
    except KafkaError as error:
        raise broker_error(settings, error) from error


@contextmanager
def librdkafka_errors(settings: Settings) -> Iterator[None]:
    """Raise errors of confluent-kafka within the block as ServiceError.

    Raises:
        ServiceError: The broker does not answer, or refused.
    """
    from confluent_kafka import KafkaException

    try:
        yield
    except KafkaException as error:
        raise librdkafka_error(settings, error) from error
