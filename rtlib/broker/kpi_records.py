"""KPI records: the newest KPI of each key of the compacted KPI topic, and the records that are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtlib.broker.serde import kpi_from_record
from rtlib.errors import EventRefused
from rtlib.records import Kpi, Rejected

if TYPE_CHECKING:
    from confluent_kafka import Message

    from rtlib.domains.kpi_rules import KpiRules

MAX_REASON = 400  # characters of a reason that are kept


@dataclass(frozen=True, slots=True)
class RefusedKpi:
    """A record of the KPI topic that is not a KPI of the domain, with the reason.

    ``field`` is empty when the whole record is at fault.
    """

    reason: str
    field: str
    record: Message

    def rejected(self) -> Rejected:
        """The record for the rejected topic: untouched bytes and their source."""
        message = self.record
        source = {"partition": _or_unknown(message.partition()), "offset": _or_unknown(message.offset())}
        return Rejected(message.value() or b"", self.reason, self.field, message.topic() or "", **source)

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


def newest_kpis(records: Sequence[Message], rules: KpiRules) -> tuple[list[Kpi], list[RefusedKpi]]:
    """The newest KPI of each key, as compaction would leave them, and the refused records after it.

    Real-time mode writes a KPI record for every event, and only the newest record of a window holds its current state:
    older records are not decoded and cost almost nothing. A refused record (a tombstone, for instance) does not hide
    the record before it.

    Args:
        records: Records of the KPI topic, in the order of their offsets within a key.
        rules: Accept the records that the domain's query can produce.
    """
    newest: dict[bytes | None, Kpi] = {}
    refused: list[RefusedKpi] = []
    for record in reversed(records):
        key = record.key()
        if key not in newest:
            try:
                kpi = kpi_from_record(key, record.value(), record.timestamp()[1])
                rules.check(kpi, key)
                newest[key] = kpi
            except EventRefused as error:
                refused.append(RefusedKpi(error.reason[:MAX_REASON], error.field, record))
    return list(newest.values()), refused


def _or_unknown(number: int | None) -> int:
    return -1 if number is None else number
