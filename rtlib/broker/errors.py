"""Seam: where the errors of kafka-python and of librdkafka become those of this library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtlib.config import Settings
from rtlib.errors import ServiceError

if TYPE_CHECKING:
    from confluent_kafka import KafkaException


def broker_error(settings: Settings, error: Exception) -> ServiceError:
    """The error in this library's words: what failed, at which broker, and the cure."""
    from kafka import errors

    away = errors.KafkaConnectionError | errors.KafkaTimeoutError | errors.MetadataEmptyBrokerList
    return _told(
        settings,
        str(error),
        sign_in=isinstance(error, errors.SaslAuthenticationFailedError | errors.UnsupportedSaslMechanismError),
        rights=isinstance(error, errors.AuthorizationError),
        away=isinstance(error, away | errors.NodeNotReadyError),
    )


def librdkafka_error(settings: Settings, error: KafkaException) -> ServiceError:
    """The same for an error of confluent-kafka."""
    from confluent_kafka import KafkaError

    told = error.args[0]
    code = told.code()
    return _told(
        settings,
        told.str(),
        sign_in=code in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED),
        rights=code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED),
        away=code in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE),
    )


def _told(settings: Settings, said: str, *, sign_in: bool, rights: bool, away: bool) -> ServiceError:
    where = settings.bootstrap_servers
    check = "check RTLIB_KAFKA_USERNAME, RTLIB_KAFKA_PASSWORD and RTLIB_KAFKA_SASL_MECHANISM"
    if settings.local_sign_in:
        check = "rtlib down && rtlib up"
    if settings.kafka_sasl_mechanism == "AWS_MSK_IAM":
        check = "check AWS_DEFAULT_REGION and your AWS credentials: aws sts get-caller-identity tells whose they are"
    start = "rtlib up" if settings.kafka_bootstrap_servers is None else "check RTLIB_KAFKA_BOOTSTRAP_SERVERS"
    if sign_in:
        return ServiceError(f"the broker at {where} refused the sign-in ({said})", cure=check)
    if rights:
        return ServiceError(f"the broker at {where} does not allow this ({said})", cure="ask for the rights in Kafka")
    if away:
        return ServiceError(f"the broker at {where} does not answer ({said})", cure=start)
    return ServiceError(f"the broker at {where} refused: {said}", cure="rtlib logs broker")


@contextmanager
def broker_errors(settings: Settings) -> Iterator[None]:
    """Within it an error of kafka-python is raised as a ServiceError.

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
    """The same within which an error of confluent-kafka is raised.

    Raises:
        ServiceError: The broker does not answer, or refused.
    """
    from confluent_kafka import KafkaException

    try:
        yield
    except KafkaException as error:
        raise librdkafka_error(settings, error) from error
