"""Refusals: KPI records that were refused go to the rejected topic, at a rate that cannot fill the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rtlib.broker.client import client_options
from rtlib.broker.rejected import publish
from rtlib.broker.topic_specs import MAX_REJECTED_BYTES
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.domains.kpi_rules import KpiRules

if TYPE_CHECKING:
    from kafka import KafkaProducer

    from rtlib.broker.kpi_records import RefusedKpi

BYTES_PER_SECOND = 4 * 1024  # 350 MB a day, of which the topic keeps a week
BURST_BYTES = 1024 * 1024  # as large as a record of the KPI topic may be
OVERHEAD_BYTES = 200  # headers and framing of a record


class Allowance:
    """A budget of bytes that refills with time.

    Args:
        per_second: How many bytes a second it gains.
        most: How many it holds at the most, and at the start.
        clock: Seconds; monotonic.
    """

    def __init__(self, *, per_second: float, most: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._most, self._clock = per_second, most, clock
        self._left, self._at = most, clock()

    def take(self, size: int) -> bool:
        """Take this many bytes, if there are as many."""
        now = self._clock()
        self._left = min(self._most, self._left + self._per_second * (now - self._at))
        self._at = now
        if size > self._left:
            return False
        self._left -= size
        return True


class Refusals:
    """Publishes refused KPI records; those beyond the allowance are only counted.

    After a crash before the loader's commit a record is published again: its source partition and offset tell the
    copies apart. The producer is made when the first record is refused.
    """

    def __init__(self, settings: Settings, allowance: Allowance | None = None) -> None:
        self._settings = settings
        self._allowance = allowance or Allowance(per_second=BYTES_PER_SECOND, most=BURST_BYTES)
        self._producer: KafkaProducer | None = None
        self.unpublished = 0

    def publish(self, refused: Sequence[RefusedKpi]) -> None:
        """Publish what the allowance lets through, and wait until Kafka has it.

        Raises:
            ServiceError: The broker does not take it.
        """
        from rtlib.broker.errors import broker_errors

        some = [one for one in refused if self._allowance.take(_size(one))]
        self.unpublished += len(refused) - len(some)
        if not some:
            return
        with broker_errors(self._settings):
            publish(self._connected(), self._settings.topic("rejected"), [one.rejected() for one in some])

    def close(self) -> None:
        """Leave the broker."""
        if self._producer is not None:
            self._producer.close(timeout=5)

    def _connected(self) -> KafkaProducer:
        from kafka import KafkaProducer

        if self._producer is None:
            options = {**client_options(self._settings), "max_request_size": MAX_REJECTED_BYTES}
            self._producer = KafkaProducer(**options)
        return self._producer


def kpi_rules(settings: Settings) -> KpiRules:
    """Which KPI records the query of this domain could have produced; the loader and the alerts take no others."""
    return KpiRules(load_domain(settings.domain), settings.window_seconds, settings.future_seconds)


def _size(one: RefusedKpi) -> int:
    return len(one.record.value() or b"") + len(one.reason) + OVERHEAD_BYTES
