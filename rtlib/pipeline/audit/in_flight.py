"""In flight: records that were sent and have not arrived yet, by the part they wait for, partition and offset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import committed_offsets, end_offsets
from rtlib.config import Settings
from rtlib.formatting import format_quantity
from rtlib.services.parts import consumer_group
from rtlib.streaming.queries import ARCHIVE, KPIS

Window = tuple[str, datetime]  # site and start
LOADER, SIMULATOR = "loader", "simulator"
WHERE = {
    ARCHIVE: "in Kafka and not yet in RAW",
    KPIS: "in Kafka and not yet in a batch that the KPI query has reported",
    LOADER: "in the KPI topic and not yet in SPEED",
    SIMULATOR: "sent by the simulator and not yet in Kafka",
}


@dataclass(frozen=True, slots=True)
class InFlight:
    """Records that wait before a part.

    Attributes:
        part: The part that has not taken them yet: ``archive``, ``kpis``, ``loader``, or ``simulator``, whose records
            have not reached Kafka.
        partition: Of the topic that the part reads; None for records that have none yet.
        offset: Of the first of them, at the earliest.
        count: How many.
    """

    part: str
    partition: int | None
    offset: int | None
    count: int

    def __str__(self) -> str:
        what = format_quantity(self.count, "KPI records" if self.part == LOADER else "records")
        place = "" if self.partition is None else f" of partition {self.partition} from offset {self.offset:,} on"
        return f"{self.part}: {what}{place}: {WHERE[self.part]}"


@dataclass(frozen=True, slots=True)
class Unmerged:
    """KPI records that the loader has not merged yet, and the windows they are of."""

    in_flight: tuple[InFlight, ...] = ()
    windows: frozenset[Window] = frozenset()

    @property
    def count(self) -> int:
        """How many records."""
        return sum(one.count for one in self.in_flight)


NOTHING = Unmerged()


def merged_offsets(settings: Settings) -> dict[int, int]:
    """For each partition of the KPI topic the offset after the last record that the loader has merged.

    Raises:
        ServiceError: The broker does not answer.
    """
    return committed_offsets(settings, consumer_group(settings, "loader"), settings.topic("kpis"))


def unmerged(settings: Settings, merged: Mapping[int, int]) -> Unmerged:
    """The records of the KPI topic from these offsets on. Marks of transactions are none.

    Raises:
        ServiceError: The broker does not answer.
    """
    topic = settings.topic("kpis")
    if all(merged.get(one, 0) >= end for one, end in end_offsets(settings, topic).items()):
        return NOTHING
    counts: Counter[int] = Counter()
    windows = set()
    with closing(contents(settings, topic, since=merged)) as records:
        for record in records:
            counts[record.partition] += 1
            windows.add(_window(record.key))
    found = tuple(InFlight(LOADER, one, merged.get(one, 0), count) for one, count in sorted(counts.items()))
    return Unmerged(found, frozenset(one for one in windows if one))


def window_of(moment: datetime, window_seconds: int) -> datetime:
    """The start of the window in which something happened."""
    return datetime.fromtimestamp(moment.timestamp() // window_seconds * window_seconds, tz=UTC)


def _window(key: bytes | None) -> Window | None:
    """The window that a key of the KPI topic names; None for a key that names none."""
    begin, _, site = (key or b"").decode(errors="replace").partition("|")
    try:
        return site, datetime.fromisoformat(begin).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
