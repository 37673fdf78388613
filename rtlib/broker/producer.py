"""Producer: events to Kafka, validated against their schema, framed, and acknowledged by every replica."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from rtlib.broker.delivery import MAX_BLOCK_SECONDS, Delivery
from rtlib.broker.errors import broker_errors
from rtlib.broker.framing import FRAME, frame
from rtlib.broker.plain_producer import plain_producer
from rtlib.broker.rejected import Headers, to_record
from rtlib.broker.serde import encode, encode_lossy
from rtlib.broker.topic_specs import MAX_RECORD_BYTES, MAX_REJECTED_BYTES
from rtlib.broker.validation import compile_schema
from rtlib.config import Settings
from rtlib.errors import ConfigError, EventRefused, ServiceError
from rtlib.limits import MAX_EVENT_BYTES, TOO_DEEP, TOO_LARGE, too_deep
from rtlib.records import Event, Rejected

OVERHEAD = 4096  # bytes for headers and the record's own fields beside a payload of the largest size
MAX_WAITING = 50_000  # unanswered records: some 40 MB
DELIVERY_SECONDS = 120.0
OPTIONS: dict[str, object] = {
    # Idempotence and acks=all are kafka-python's defaults; explicit here because the delivery guarantee needs them.
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
    """Sends events to the domain's events topic, and events that do not fit their schema to its rejected topic.

    Use it in a ``with``, from a single thread. ``kafka`` is the KafkaProducer inside.

    Attributes:
        sent: Records passed to Kafka for the events topic.
        rejected: Events that went to the rejected topic instead.

    Args:
        settings: Where the broker is, and which domain.
        schema: The domain's JSON Schema.
        schema_id: Its id in the registry.
        transactional_id: Enables ``transaction``; a second producer with the same id fences off the first.
        max_waiting: The number of unanswered records at which ``send`` blocks.
        delivery_seconds: How long Kafka retries a record before it fails.

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
        self._settings = settings
        self._topic, self._rejected_topic = settings.topic("events"), settings.topic("rejected")
        self._validate = compile_schema(schema)
        self._schema_id = schema_id
        self._delivery = Delivery(settings, max_waiting=max_waiting)
        self.sent, self.rejected = 0, 0
        waits = {"delivery_timeout_ms": round(delivery_seconds * 1000)}
        self.kafka = plain_producer(settings, **OPTIONS, **waits, transactional_id=transactional_id)
        if transactional_id is not None:
            with broker_errors(settings):
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
            self._close_after(error)

    @property
    def acked(self) -> int:
        """Events that every replica has acknowledged."""
        return self._delivery.acked

    @property
    def failed(self) -> int:
        """Records that Kafka did not accept, in spite of retries."""
        return self._delivery.failed

    @property
    def has_room(self) -> bool:
        """Whether ``send`` would return at once; False at ``max_waiting`` unanswered records."""
        return self._delivery.has_room

    def send(self, event: Event) -> Rejected | None:
        """Send an event if it fits its schema; otherwise send its bytes and the reason to the rejected topic.

        It returns once the record is in the buffer; ``flush`` waits for the broker.

        Returns:
            None if the event fits; otherwise the record sent to the rejected topic.

        Raises:
            ServiceError: The buffer stayed full, or the broker has no such topic.
        """
        fields = event.to_json()
        try:
            self._validate(fields)
            payload = encode(fields)
        except EventRefused as refused:
            return self._refuse(event.site, encode_lossy(fields), refused)
        if len(payload) + FRAME.size > MAX_EVENT_BYTES:
            return self._reject(event.site, payload, TOO_LARGE, "")
        return self.send_payload(event.site, payload)

    def send_payload(self, key: str, payload: bytes) -> Rejected | None:
        """Frame bytes and send them unchecked, as a faulty device would; only the size is limited.

        Returns:
            None; or, for a payload beyond the topic's limit, the record sent to the rejected topic.

        Raises:
            ServiceError: The buffer stayed full, or the broker has no such topic.
        """
        return self._send(key, frame(self._schema_id, payload), payload)

    def send_raw(self, key: str, record: bytes) -> Rejected | None:
        """Send bytes as they are, without a frame; only the size is limited.

        Returns:
            None; or, for a record beyond the topic's limit, the record sent to the rejected topic.

        Raises:
            ServiceError: The buffer stayed full, or the broker has no such topic.
        """
        return self._send(key, record, record)

    def flush(self, timeout: float | None = None) -> None:
        """Wait until Kafka has answered for every record sent so far.

        Args:
            timeout: Seconds to wait; None waits as long as Kafka retries.

        Raises:
            ServiceError: Some answers did not arrive in time, or Kafka did not accept a record since the last flush.
        """
        with broker_errors(self._settings):
            self.kafka.flush(timeout)
        self._delivery.raise_failures()

    def close(self, timeout: float = 5.0) -> None:
        """Disconnect from the broker; records still unsent after ``timeout`` seconds are dropped.

        Raises:
            ServiceError: Kafka did not accept a record since the last flush, or records were dropped.
        """
        from kafka.errors import KafkaTimeoutError

        try:
            self.kafka.close(timeout)
        except KafkaTimeoutError:
            # Its close begins with a flush and, if that fails, leaves the threads running.
            self.kafka._sender.force_close()
            with broker_errors(self._settings):
                self.kafka.close(timeout)
        self._delivery.raise_failures()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the records sent within visible to read-committed readers together; or, on an error, none of them.

        Raises:
            ConfigError: The producer has no transactional id.
            ServiceError: Another producer with the same id fenced it off, or the broker does not answer.
        """
        if self.kafka.config["transactional_id"] is None:
            raise ConfigError("this producer has no transactional id", cure="pass transactional_id='my-app-1'")
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

    def _close_after(self, error: BaseException | None) -> None:
        """Close; a failure to close becomes a note on an earlier error instead of hiding it."""
        try:
            self.close()
        except ServiceError as failure:
            if error is None:
                raise
            error.add_note(str(failure))

    def _send(self, key: str, record: bytes, payload: bytes) -> Rejected | None:
        if len(record) > MAX_RECORD_BYTES:
            return self._reject(key, payload, f"larger than {MAX_RECORD_BYTES:,} bytes", "")
        self._enqueue(self._topic, key, record)
        self.sent += 1
        return None

    def _refuse(self, key: str, payload: bytes, refused: EventRefused) -> Rejected:
        """Reject an event that does not fit; as in the streaming queries, size and depth are the first reasons."""
        if len(payload) + FRAME.size > MAX_EVENT_BYTES:
            return self._reject(key, payload, TOO_LARGE, "")
        if too_deep(payload.decode(errors="replace")):
            return self._reject(key, payload, TOO_DEEP, "")
        return self._reject(key, payload, refused.reason, refused.field)

    def _reject(self, key: str, payload: bytes, reason: str, field: str) -> Rejected:
        limit = MAX_REJECTED_BYTES - OVERHEAD
        if len(payload) > limit:
            reason = f"{reason}; only the first {limit:,} of {len(payload):,} bytes are kept"
        rejected = Rejected(payload[:limit], reason, field, self._topic)
        value, headers = to_record(rejected)
        self._enqueue(self._rejected_topic, key, value, headers)
        self.rejected += 1
        return rejected

    def _enqueue(self, topic: str, key: str, value: bytes, headers: Headers | None = None) -> None:
        if not self._delivery.has_room:
            self._delivery.wait_for_room()
        encoded = str(key).encode(errors="replace")
        with broker_errors(self._settings):
            future = self.kafka.send(topic, value=value, key=encoded, headers=headers)
        self._delivery.track(future, size=len(value), event=headers is None)
