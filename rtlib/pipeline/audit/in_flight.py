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
PLACES = {
    ARCHIVE: "in Kafka and not yet in RAW",
    KPIS: "in Kafka and not yet in a batch that the KPI query has reported",
    LOADER: "in the KPI topic and not yet in SPEED",
    SIMULATOR: "sent by the simulator and not yet in Kafka",
}


@dataclass(frozen=True, slots=True)
class InFlight:
    """Records that wait for a part.

    Attributes:
        part: The part that has not read them yet: ``archive``, ``kpis``, ``loader``, or ``simulator``, whose records
            have not reached Kafka.
        partition: Partition of the topic that the part reads; None for records that have none yet.
        offset: Offset of the first of them, or a lower one.
        count: Number of records.
    """

    part: str
    partition: int | None
    offset: int | None
    count: int

    def __str__(self) -> str:
        records = format_quantity(self.count, "KPI records" if self.part == LOADER else "records")
        position = "" if self.partition is None else f" of partition {self.partition} from offset {self.offset:,} on"
        return f"{self.part}: {records}{position}: {PLACES[self.part]}"


@dataclass(frozen=True, slots=True)
class Unmerged:
    """KPI records that the loader has not merged yet, and the windows that they belong to."""

    in_flight: tuple[InFlight, ...] = ()
    windows: frozenset[Window] = frozenset()

    @property
    def count(self) -> int:
        """Number of records."""
        return sum(records.count for records in self.in_flight)


NOTHING_UNMERGED = Unmerged()


def merged_offsets(settings: Settings) -> dict[int, int]:
    """Partition of the KPI topic to the offset after the last record that the loader has merged.

    Raises:
        ServiceError: The broker does not answer.
    """
    return committed_offsets(settings, consumer_group(settings, "loader"), settings.topic("kpis"))


def unmerged(settings: Settings, merged: Mapping[int, int]) -> Unmerged:
    """The records of the KPI topic from these offsets on; transaction markers do not count.

    Raises:
        ServiceError: The broker does not answer.
    """
    topic = settings.topic("kpis")
    if all(merged.get(partition, 0) >= end for partition, end in end_offsets(settings, topic).items()):
        return NOTHING_UNMERGED
    counts: Counter[int] = Counter()
    windows = set()
    with closing(contents(settings, topic, since=merged)) as records:
        for record in records:
            counts[record.partition] += 1
            windows.add(_window(record.key))
    in_flight = tuple(
        InFlight(LOADER, partition, merged.get(partition, 0), count) for partition, count in sorted(counts.items())
    )
    return Unmerged(in_flight, frozenset(window for window in windows if window))


def window_of(moment: datetime, window_seconds: int) -> datetime:
    """The start (UTC) of the window that a moment falls into."""
    return datetime.fromtimestamp(moment.timestamp() // window_seconds * window_seconds, tz=UTC)


def _window(key: bytes | None) -> Window | None:
    """The window named by a key of the KPI topic; None for a malformed key."""
    start, _, site = (key or b"").decode(errors="replace").partition("|")
    try:
        return site, datetime.fromisoformat(start).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
