"""Rejected: a record that does not fit its schema, as the value and the headers of a Kafka record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rtlib.records import Rejected

if TYPE_CHECKING:
    from kafka import KafkaProducer

REASON, FIELD, TOPIC, PARTITION, OFFSET = HEADERS = ("reason", "field", "topic", "partition", "offset")
Headers = list[tuple[str, bytes]]


def to_record(rejected: Rejected) -> tuple[bytes, Headers]:
    """The untouched bytes as value, and the reason beside them as headers; all headers are UTF-8 text."""
    texts = (rejected.reason, rejected.field, rejected.topic, str(rejected.partition), str(rejected.offset))
    return rejected.payload, [(name, text.encode(errors="replace")) for name, text in zip(HEADERS, texts, strict=True)]


def publish(producer: KafkaProducer, topic: str, refused: Iterable[Rejected], *, timeout_seconds: float = 60) -> None:
    """Publish refused records and wait until Kafka has each of them.

    Raises:
        KafkaError: Kafka does not take one.
    """
    sent = []
    for one in refused:
        value, headers = to_record(one)
        sent.append(producer.send(topic, value=value, headers=headers))
    producer.flush(timeout=timeout_seconds)
    for answer in sent:
        answer.get(timeout=0)


def from_record(value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> Rejected:
    """Read a record of the rejected topic; a header that is missing is told as empty, or as -1.

    Example:
        >>> value, headers = to_record(Rejected(b"?", "not a JSON object", "", "rtlib.iot.events", 2, 41))
        >>> from_record(value, headers).offset
        41
    """
    told = {name: (text or b"").decode(errors="replace") for name, text in headers}
    return Rejected(
        payload=value or b"",
        reason=told.get(REASON, ""),
        field=told.get(FIELD, ""),
        topic=told.get(TOPIC, ""),
        partition=_number(told.get(PARTITION, "")),
        offset=_number(told.get(OFFSET, "")),
    )


def _number(text: str) -> int:
    return int(text) if text.removeprefix("-").isdecimal() else -1
