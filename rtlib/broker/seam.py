"""Seam: where kafka-python's errors become those of this library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rtlib.config import Settings
from rtlib.errors import ServiceError


def broker_error(settings: Settings, error: Exception) -> ServiceError:
    """The error in this library's words: what failed, at which broker, and the cure."""
    from kafka import errors

    where = settings.bootstrap_servers
    said = str(error)
    sign_in = "check RTLIB_KAFKA_USERNAME, RTLIB_KAFKA_PASSWORD and RTLIB_KAFKA_SASL_MECHANISM"
    start = "rtlib up" if settings.kafka_bootstrap_servers is None else "check RTLIB_KAFKA_BOOTSTRAP_SERVERS"
    if isinstance(error, errors.SaslAuthenticationFailedError | errors.UnsupportedSaslMechanismError):
        return ServiceError(f"the broker at {where} refused the sign-in ({said})", cure=sign_in)
    if isinstance(error, errors.AuthorizationError):
        return ServiceError(f"the broker at {where} does not allow this ({said})", cure="ask for the rights in Kafka")
    away = errors.KafkaConnectionError | errors.KafkaTimeoutError | errors.MetadataEmptyBrokerList
    if isinstance(error, away | errors.NodeNotReadyError):
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
