"""Plain producer: a KafkaProducer with this project's sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.config import Settings

if TYPE_CHECKING:
    from kafka import KafkaProducer


def plain_producer(settings: Settings, **options: object) -> KafkaProducer:
    """A KafkaProducer; ``send`` returns a future, and only that future reports a record that Kafka does not accept.

    Args:
        settings: Where the broker is.
        options: Further arguments of KafkaProducer; these take precedence.

    Raises:
        ServiceError: The broker does not answer.
    """
    from kafka import KafkaProducer

    with broker_errors(settings):
        return KafkaProducer(**{**client_options(settings), **options})
