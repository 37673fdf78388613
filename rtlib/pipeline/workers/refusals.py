"""Refusals: refused records, counted for the heartbeat and published to the rejected topic at a limited rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rtlib.broker.rejected import RejectedPublisher
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.domains.kpi_rules import KpiRules
from rtlib.formatting import format_quantity

if TYPE_CHECKING:
    from rtlib.broker.kpi_records import RefusedKpi

BYTES_PER_SECOND = 4 * 1024  # 350 MB a day, of which the topic keeps a week
BURST_BYTES = 1024 * 1024  # the size limit of a record of the KPI topic
OVERHEAD_BYTES = 200  # headers and framing of a record


class RefusalCount:
    """Counts the records that a worker refuses: reading them again would not help."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._last = ""
        self.count = 0

    def add(self, reasons: Sequence[object]) -> None:
        """Count a record for each reason, and log the last reason."""
        if reasons:
            self.count += len(reasons)
            self._last = f"{reasons[-1]!s:.300}"
            self._log.warning("records refused: %d, the last: %s", len(reasons), self._last)

    @property
    def summary(self) -> str:
        """The end of a heartbeat's text; empty if no record was refused."""
        return f", {format_quantity(self.count, 'records')} refused, the last: {self._last:.120}" if self.count else ""


class Allowance:
    """A budget of bytes that refills with time.

    Args:
        per_second: Bytes gained per second.
        limit: The maximum, and the budget at the start.
        clock: Seconds; monotonic.
    """

    def __init__(self, *, per_second: float, limit: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._limit, self._clock = per_second, limit, clock
        self._left, self._refilled_at = limit, clock()

    def take(self, size: int) -> bool:
        """Spend this many bytes if the budget allows it."""
        now = self._clock()
        self._left = min(self._limit, self._left + self._per_second * (now - self._refilled_at))
        self._refilled_at = now
        if size > self._left:
            return False
        self._left -= size
        return True


class RefusalPublisher:
    """Publishes refused KPI records within an allowance; the others are only counted.

    After a crash before the loader's commit a record is published again: source partition and offset identify the
    copies.

    Attributes:
        unpublished: The number of records beyond the allowance.
    """

    def __init__(self, settings: Settings, allowance: Allowance | None = None) -> None:
        self._publisher = RejectedPublisher(settings)
        self._allowance = allowance or Allowance(per_second=BYTES_PER_SECOND, limit=BURST_BYTES)
        self.unpublished = 0

    def publish(self, refused: Sequence[RefusedKpi]) -> None:
        """Publish the records within the allowance, and wait until Kafka has acknowledged them.

        Raises:
            ServiceError: The broker does not accept a record.
        """
        allowed = [record for record in refused if self._allowance.take(_size(record))]
        self.unpublished += len(refused) - len(allowed)
        if allowed:
            self._publisher.publish([record.rejected() for record in allowed])

    def close(self) -> None:
        """Disconnect from the broker."""
        self._publisher.close()


def kpi_rules(settings: Settings) -> KpiRules:
    """The rules that the loader and the alerts apply to KPI records: only those the domain's query can produce."""
    return KpiRules(load_domain(settings.domain), settings.window_seconds, settings.future_seconds)


def _size(refused: RefusedKpi) -> int:
    return len(refused.record.value() or b"") + len(refused.reason) + OVERHEAD_BYTES
