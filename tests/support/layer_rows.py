"""Rows of the two layers, placed by hand: the events that each has read, and the counts of the speed layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from rtlib.domains import Domain, measures
from rtlib.records import Event, Kpi, QueryProgress
from rtlib.warehouse.ingest import Batch, apply_batch
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.query_batches import note_batches
from rtlib.warehouse.staging import EVENT_COLUMNS, REJECTED_COLUMNS
from support.live_rows import row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

WINDOW = timedelta(minutes=1)
Place = tuple[int, int]  # Kafka partition and offset


@dataclass(frozen=True)
class Layers:
    """Writes what the archive and the KPI query of a domain have done.

    Attributes:
        start: The begin of the window of all events, which occur ten seconds later. Moments are in seconds after it.
    """

    connection: SnowflakeConnection
    domain: Domain
    start: datetime

    def archive(self, number: int, events: Mapping[str, Sequence[Place]], reach: Mapping[str, int]) -> None:
        """Apply a batch of the archive: where each site's new events are, and the offsets it has reached."""
        rows = [
            row(self._event(site, place), *place, received_at=self._moment(11))
            for site, places in events.items()
            for place in places
        ]
        frame = pd.DataFrame(rows, columns=list(EVENT_COLUMNS))
        rejected = pd.DataFrame(columns=list(REJECTED_COLUMNS))
        begin = dict.fromkeys(reach, number)
        apply_batch(self.connection, Batch("archive", self.domain.name, number, frame, rejected, begin, reach))

    def count(self, emitted: float, sites: Mapping[str, Sequence[Place]]) -> None:
        """Merge KPIs of the window, emitted at this second; an event named twice is counted twice."""
        merge_kpis(self.connection, [self._kpi(site, places, emitted) for site, places in sites.items()])

    def report(self, number: int, began: float, reach: Mapping[str, int]) -> None:
        """Note the report of a batch of the KPI query."""
        batch = QueryProgress(
            query="kpis",
            batch_id=number,
            at=self._moment(began),
            input_rows=0,
            input_rate=0.0,
            processed_rate=0.0,
            state_rows=0,
            dropped_late=0,
            watermark=None,
            start_offsets=dict.fromkeys(reach, 0),
            end_offsets=reach,
        )
        note_batches(self.connection, self.domain.name, [batch])

    def close(self) -> None:
        """An event ten minutes later, in partition 9, that both layers have read: the window is not open any more."""
        later = replace(self, start=self.start + 10 * WINDOW)
        later.archive(0, {"clock": [(9, 0)]}, {"9": 1})
        later.count(11, {"clock": [(9, 0)]})

    def _moment(self, second: float) -> datetime:
        return self.start + timedelta(seconds=second)

    def _event(self, site: str, place: Place) -> Event:
        return Event(
            event_id=f"{self.domain.name}-{site}-{place[0]}-{place[1]}",
            domain=self.domain.name,
            site=site,
            kind=self.domain.kinds[0].name,
            occurred_at=self._moment(10),
            producer_id="planted",
            sequence=place[1],
            value=1.0,
            unit="",
        )

    def _kpi(self, site: str, places: Iterable[Place], emitted: float) -> Kpi:
        events = [self._event(site, place) for place in places]
        return Kpi(
            domain=self.domain.name,
            site=site,
            window_start=self.start,
            window_end=self.start + WINDOW,
            measures=measures(self.domain, events),
            events=len(events),
            late=0,
            first_event_at=events[0].occurred_at,
            last_event_at=events[0].occurred_at,
            emitted_at=self._moment(emitted),
        )
