"""Delivery: acknowledgements and failures of the records that are on their way to Kafka."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rtlib.broker.errors import broker_error
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.formatting import format_quantity
from rtlib.limits import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from kafka.producer.future import FutureRecordMetadata

MAX_BLOCK_SECONDS = 90  # longer than a broker takes to come back
SLOT_BYTES = 1024  # a record that is larger than an event takes a slot for each of these


class Delivery:
    """Counts the records in flight, and limits them: kafka-python's buffer has no limit of its own.

    Attributes:
        acked: Acknowledged events.
        failed: Records, events or others, that Kafka did not accept.

    Args:
        settings: Where the broker is, for the errors.
        max_waiting: The number of unanswered records at which ``wait_for_room`` blocks.
    """

    def __init__(self, settings: Settings, *, max_waiting: int) -> None:
        self._settings, self._max_waiting = settings, max_waiting
        self._sent, self._answered = 0, 0
        self._answer = threading.Event()
        self._failure: Exception | None = None
        self._reported = 0
        self.acked, self.failed = 0, 0

    @property
    def has_room(self) -> bool:
        """Whether fewer records than the limit are unanswered."""
        return self._sent - self._answered < self._max_waiting

    def track(self, future: FutureRecordMetadata, *, size: int, event: bool) -> None:
        """Follow a record of ``size`` bytes until Kafka answers; only an event counts as acked."""
        self._sent += 1
        if size > MAX_EVENT_BYTES:
            self._reserve(future, size // SLOT_BYTES)
        future.add_callback(self._on_event_ack if event else self._on_answer)
        future.add_errback(self._on_failure)

    def wait_for_room(self) -> None:
        """Block until ``has_room``.

        Raises:
            ServiceError: The broker has answered nothing for ``MAX_BLOCK_SECONDS``.
        """
        deadline = time.monotonic() + MAX_BLOCK_SECONDS
        while True:
            self._answer.clear()  # before the count is read, so that an answer in between is not missed
            if self.has_room:
                return
            if not self._answer.wait(deadline - time.monotonic()):
                waiting = self._sent - self._answered
                raise ServiceError(
                    f"{waiting:,} records wait for the broker at {self._settings.bootstrap_servers}, which has "
                    f"answered none for {MAX_BLOCK_SECONDS} s",
                    cure="rtlib status",
                )

    def raise_failures(self) -> None:
        """Report the failures since the last call.

        Raises:
            ServiceError: Kafka did not accept a record; the first failure is the cause.
        """
        failure, count = self._failure, self.failed - self._reported
        self._failure, self._reported = None, self.failed
        if failure is not None:
            cause = broker_error(self._settings, failure)
            lost = format_quantity(count, "records")
            raise ServiceError(f"Kafka did not accept {lost}: {cause.what}", cure=cause.cure) from failure

    def _reserve(self, future: FutureRecordMetadata, slots: int) -> None:
        """Count a large record as several until it is answered."""

        def release(_: object) -> None:
            self._answered += slots

        self._sent += slots
        future.add_both(release)

    # The three below run in the sender's thread, one at a time.
    def _on_event_ack(self, _: object) -> None:
        self.acked += 1
        self._on_answer(_)

    def _on_answer(self, _: object) -> None:
        self._answered += 1
        if not self._answer.is_set():
            self._answer.set()

    def _on_failure(self, error: Exception) -> None:
        self.failed += 1
        self._failure = self._failure or error
        self._on_answer(None)
