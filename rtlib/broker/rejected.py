"""Rejected: records that do not fit their schema, as values and headers of Kafka records; published reliably."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rtlib.broker.errors import broker_errors
from rtlib.broker.plain_producer import plain_producer
from rtlib.broker.topic_specs import MAX_REJECTED_BYTES
from rtlib.config import Settings
from rtlib.records import Rejected

if TYPE_CHECKING:
    from kafka import KafkaProducer

REASON, FIELD, TOPIC, PARTITION, OFFSET = HEADERS = ("reason", "field", "topic", "partition", "offset")
Headers = list[tuple[str, bytes]]


def to_record(rejected: Rejected) -> tuple[bytes, Headers]:
    """The untouched bytes as the value, the reason and the source as headers; all headers are UTF-8 text."""
    texts = (rejected.reason, rejected.field, rejected.topic, str(rejected.partition), str(rejected.offset))
    return rejected.payload, [(name, text.encode(errors="replace")) for name, text in zip(HEADERS, texts, strict=True)]


def publish(producer: KafkaProducer, topic: str, records: Iterable[Rejected], *, timeout_seconds: float = 60) -> None:
    """Publish rejected records and wait until Kafka has acknowledged each of them.

    Raises:
        KafkaError: Kafka did not accept a record.
    """
    futures = []
    for rejected in records:
        value, headers = to_record(rejected)
        futures.append(producer.send(topic, value=value, headers=headers))
    producer.flush(timeout=timeout_seconds)
    for future in futures:
        future.get(timeout=0)  # raises the record's error: flush alone would hide it


class RejectedPublisher:
    """Publishes to the domain's rejected topic; it connects for the first record.

    Args:
        settings: Where the broker is, and which domain.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: KafkaProducer | None = None

    def publish(self, records: Iterable[Rejected]) -> None:
        """Publish records and wait until Kafka has acknowledged each of them.

        Raises:
            ServiceError: The broker does not answer, or did not accept a record.
        """
        if self._producer is None:
            self._producer = plain_producer(self._settings, max_request_size=MAX_REJECTED_BYTES)
        with broker_errors(self._settings):
            publish(self._producer, self._settings.topic("rejected"), records)

    def close(self) -> None:
        """Disconnect from the broker."""
        if self._producer is not None:
            self._producer.close(timeout=5)


def from_record(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Rejected:
    """Decode a record of the rejected topic; a missing header becomes an empty text, or -1.

    Example:
        >>> value, headers = to_record(Rejected(b"?", "not a JSON object", "", "rtlib.iot.events", 2, 41))
        >>> from_record(value, headers).offset
        41
    """
    texts = {name: (text or b"").decode(errors="replace") for name, text in headers}
    return Rejected(
        payload=value or b"",
        reason=texts.get(REASON, ""),
        field=texts.get(FIELD, ""),
        topic=texts.get(TOPIC, ""),
        partition=_number(texts.get(PARTITION, "")),
        offset=_number(texts.get(OFFSET, "")),
    )


def _number(text: str) -> int:
    return int(text) if text.removeprefix("-").isdecimal() else -1
