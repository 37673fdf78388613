"""Producer: events to Kafka, held against their schema, framed, and acknowledged by every replica."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_error, broker_errors
from rtlib.broker.framing import FRAME, frame
from rtlib.broker.rejected import Headers, to_record
from rtlib.broker.serde import encode, encode_anyhow
from rtlib.broker.topics import MAX_RECORD_BYTES, MAX_REJECTED_BYTES
from rtlib.broker.validation import compile_schema
from rtlib.config import Settings
from rtlib.errors import ConfigError, EventRefused, ServiceError
from rtlib.limits import MAX_EVENT_BYTES, TOO_DEEP, TOO_LARGE, too_deep
from rtlib.records import Event, Rejected

if TYPE_CHECKING:
    from kafka import KafkaProducer
    from kafka.producer.future import FutureRecordMetadata

OVERHEAD = 4096  # room for headers and the record's own fields beside a payload of the largest size
# kafka-python's buffer has no bound of its own, so the records that wait for an answer are counted: some 40 MB.
MAX_WAITING = 50_000
# A record that is larger than an event takes the room of this many bytes each.
ROOM_BYTES = 1024
MAX_BLOCK_SECONDS = 90  # longer than a broker takes to come back
DELIVERY_SECONDS = 120.0
OPTIONS: dict[str, object] = {
    # Idempotent and acks=all are kafka-python's defaults; said here because the contract is made of them.
    "enable_idempotence": True,
    "acks": "all",
    "linger_ms": 5,
    "batch_size": 256 * 1024,
    "max_block_ms": MAX_BLOCK_SECONDS * 1000,
    "max_request_size": MAX_REJECTED_BYTES,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,  # they cost time for every record, and nothing reads them
}


class EventProducer:
    """Sends events to the domain's events topic, and to its rejected topic those that do not fit.

    Use it in a ``with``, from one thread. ``kafka`` is the KafkaProducer inside.

    Attributes:
        sent: Records handed to Kafka for the events topic.
        acked: Those that every replica has acknowledged.
        failed: Those that Kafka did not take, in spite of retries.
        rejected: Events that went to the rejected topic instead.

    Args:
        settings: Where the broker is, and which domain.
        schema: The domain's JSON Schema.
        schema_id: Its id in the registry.
        transactional_id: Makes ``transaction`` possible; one id is one producer, and a second fences off the first.
        max_waiting: How many records may wait for an answer before a send waits too.
        delivery_seconds: How long Kafka is asked to take a record before it is given up.

    Raises:
        ServiceError: The broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        schema: Mapping[str, Any],
        schema_id: int,
        transactional_id: str | None = None,
        max_waiting: int = MAX_WAITING,
        delivery_seconds: float = DELIVERY_SECONDS,
    ) -> None:
        from kafka import KafkaProducer

        self._settings = settings
        self._topic, self._rejected_topic = settings.topic("events"), settings.topic("rejected")
        self._validate = compile_schema(schema)
        self._schema_id = schema_id
        self._max_waiting = max_waiting
        self._handed, self._answered = 0, 0
        self._answer = threading.Event()
        self._failure: Exception | None = None
        self._failures_told = 0
        self.sent, self.acked, self.failed, self.rejected = 0, 0, 0, 0
        with broker_errors(settings):
            self.kafka: KafkaProducer = KafkaProducer(
                **client_options(settings),
                **OPTIONS,
                delivery_timeout_ms=round(delivery_seconds * 1000),
                transactional_id=transactional_id,
            )
            if transactional_id is not None:
                self.kafka.init_transactions()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._close_under(error)

    def send(self, event: Event) -> Rejected | None:
        """Send an event if it fits its schema; else send its bytes, with the reason, to the rejected topic.

        It returns once the record is in the buffer; ``flush`` waits for the broker.

        Returns:
            None when the event fits; else what went to the rejected topic.

        Raises:
            ServiceError: The buffer stayed full, or the broker has no such topic.
        """
        told = event.to_json()
        try:
            self._validate(told)
            payload = encode(told)
        except EventRefused as refused:
            return self._refuse(event.site, encode_anyhow(told), refused)
        if len(payload) + FRAME.size > MAX_EVENT_BYTES:
            return self._reject(event.site, payload, TOO_LARGE, "")
        return self.send_payload(event.site, payload)

    def send_payload(self, key: str, payload: bytes) -> Rejected | None:
        """Frame bytes and send them unchecked, as a faulty device would; only the size has to fit.

        Returns:
            None; or, for a payload that is larger than the topic takes, what went to the rejected topic.

        Raises:
            ServiceError: The buffer stayed full, or the broker has no such topic.
        """
        return self._send(key, frame(self._schema_id, payload), payload)

    def send_raw(self, key: str, record: bytes) -> Rejected | None:
        """Send bytes as they are, without a frame; only the size has to fit.

        Returns:
            None; or, for a record that is larger than the topic takes, what went to the rejected topic.

        Raises:
            ServiceError: The buffer stayed full, or the broker has no such topic.
        """
        return self._send(key, record, record)

    @property
    def has_room(self) -> bool:
        """Whether a send would return at once; False while as many records as may wait for an answer do."""
        return self._handed - self._answered < self._max_waiting

    def flush(self, timeout: float | None = None) -> None:
        """Wait until Kafka has answered for everything sent so far.

        Args:
            timeout: Seconds to wait; None waits as long as delivery is tried.

        Raises:
            ServiceError: Not all was answered in time, or Kafka did not take a record since the last flush.
        """
        with broker_errors(self._settings):
            self.kafka.flush(timeout)
        self._tell_failures()

    def close(self, timeout: float = 5.0) -> None:
        """Leave the broker; records that are not sent after ``timeout`` seconds are given up.

        Raises:
            ServiceError: Kafka did not take a record since the last flush, or some were given up.
        """
        from kafka.errors import KafkaTimeoutError

        try:
            self.kafka.close(timeout)
        except KafkaTimeoutError:
            # Its close begins with a flush and, where that fails, leaves the threads running.
            self.kafka._sender.force_close()
            with broker_errors(self._settings):
                self.kafka.close(timeout)
        self._tell_failures()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is sent within becomes visible to read-committed readers at the end, all of it; or, on an error, none.

        Raises:
            ConfigError: The producer was made without a transactional id.
            ServiceError: Another producer with the same id fenced it off, or the broker does not answer.
        """
        if self.kafka.config["transactional_id"] is None:
            raise ConfigError("this producer has no transactional id", cure="give it one: transactional_id='my-app-1'")
        with broker_errors(self._settings):
            self.kafka.begin_transaction()
        try:
            yield
            self.flush()
        except BaseException:
            with broker_errors(self._settings):
                self.kafka.abort_transaction()
            raise
        with broker_errors(self._settings):
            self.kafka.commit_transaction()

    def _close_under(self, error: BaseException | None) -> None:
        """Close; an error that is on its way already is not hidden by what the close has to say."""
        try:
            self.close()
        except ServiceError as told:
            if error is None:
                raise
            error.add_note(str(told))

    def _send(self, key: str, record: bytes, payload: bytes) -> Rejected | None:
        if len(record) > MAX_RECORD_BYTES:
            return self._reject(key, payload, f"larger than {MAX_RECORD_BYTES:,} bytes", "")
        self._hand_over(self._topic, key, record)
        self.sent += 1
        return None

    def _refuse(self, key: str, payload: bytes, refused: EventRefused) -> Rejected:
        """Reject an event that does not fit; size and depth are the reasons that the streaming queries find first."""
        if len(payload) + FRAME.size > MAX_EVENT_BYTES:
            return self._reject(key, payload, TOO_LARGE, "")
        if too_deep(payload.decode(errors="replace")):
            return self._reject(key, payload, TOO_DEEP, "")
        return self._reject(key, payload, refused.reason, refused.field)

    def _reject(self, key: str, payload: bytes, reason: str, field: str) -> Rejected:
        room = MAX_REJECTED_BYTES - OVERHEAD
        if len(payload) > room:
            reason = f"{reason}; only the first {room:,} of {len(payload):,} bytes are kept"
        rejected = Rejected(payload[:room], reason, field, self._topic)
        value, headers = to_record(rejected)
        self._hand_over(self._rejected_topic, key, value, headers)
        self.rejected += 1
        return rejected

    def _hand_over(self, topic: str, key: str, value: bytes, headers: Headers | None = None) -> None:
        if not self.has_room:
            self._wait_for_room()
        encoded = str(key).encode(errors="replace")
        with broker_errors(self._settings):
            future = self.kafka.send(topic, value=value, key=encoded, headers=headers)
        self._handed += 1
        if len(value) > MAX_EVENT_BYTES:
            self._take_room(future, len(value) // ROOM_BYTES)
        future.add_callback(self._on_ack if headers is None else self._on_rejection_ack)
        future.add_errback(self._on_failure)

    def _take_room(self, future: FutureRecordMetadata, places: int) -> None:
        """Count a large record as so many, until it is answered."""

        def give_back(_: object) -> None:
            self._answered += places

        self._handed += places
        future.add_both(give_back)

    # The three below run in the sender's thread, one at a time.
    def _on_ack(self, _: object) -> None:
        self.acked += 1
        self._on_rejection_ack(_)

    def _on_rejection_ack(self, _: object) -> None:
        self._answered += 1
        if not self._answer.is_set():
            self._answer.set()

    def _on_failure(self, error: Exception) -> None:
        self.failed += 1
        self._failure = self._failure or error
        self._on_rejection_ack(None)

    def _wait_for_room(self) -> None:
        deadline = time.monotonic() + MAX_BLOCK_SECONDS
        while True:
            self._answer.clear()  # before the count is read, so that an answer in between is not missed
            if self.has_room:
                return
            if not self._answer.wait(deadline - time.monotonic()):
                waiting = self._handed - self._answered
                raise ServiceError(
                    f"{waiting:,} records wait for the broker at {self._settings.bootstrap_servers}, and it has "
                    f"answered none for {MAX_BLOCK_SECONDS} s",
                    cure="rtlib status",
                )

    def _tell_failures(self) -> None:
        failure, count = self._failure, self.failed - self._failures_told
        self._failure, self._failures_told = None, self.failed
        if failure is not None:
            cause = broker_error(self._settings, failure)
            raise ServiceError(f"{count:,} records were not taken: {cause.what}", cure=cause.cure) from failure
