"""Warehouse probe: both layers' row counts and freshness, and the board of KPIs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.graph import KpiBoard
from rtlib.pipeline.monitoring.kpi_board import SPARK_WINDOWS, BySite, kpi_board, last_closed
from rtlib.pipeline.monitoring.last_week import last_week
from rtlib.pipeline.telemetry.rate import Rate
from rtlib.records import Kpi, Observation, Reading, Status
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.reads import counts, current, freshness, latest_kpis

OPEN_WINDOWS = 3  # that may be open beside the closed windows of the board


class WarehouseProbe:
    """Observes the speed layer and RAW.

    Args:
        settings: Which warehouse and domain.
        publish_board: Receives a new board of KPIs with each look.
    """

    def __init__(self, settings: Settings, *, publish_board: Callable[[KpiBoard], None]) -> None:
        self._settings = settings
        self._domain = load_domain(settings.domain)
        self._warehouse = Warehouse(settings)
        self._rate = Rate()
        self._publish_board = publish_board
        self._minutes = math.ceil((SPARK_WINDOWS + OPEN_WINDOWS) * settings.window_seconds / 60)
        self._week: tuple[datetime | None, BySite] = (None, {})

    def look(self) -> Mapping[str, Observation]:
        """Both layers' numbers; a new board is published on the way."""
        name = self._settings.domain
        newest = self._warehouse.run(freshness, name)
        totals = self._warehouse.run(counts, name)
        recent = self._warehouse.run(latest_kpis, name, minutes=self._minutes)
        sites = len(self._warehouse.run(current, name))
        now = datetime.now(UTC)
        week = self._week_before(recent, now)
        self._publish_board(kpi_board(self._domain, recent, events=totals.live_events, now=now, week_ago=week))
        speed = (
            Reading("newest event", _age(newest.newest_event_at, now), "s old", now),
            Reading("sites", sites, "sites", now),
            Reading("rows", totals.kpi_rows, "rows", now),
            Reading("events counted", totals.kpi_events, "events", now),
        )
        dwh = (
            Reading("events", totals.raw_events, "events", now),
            Reading("arriving", self._rate.add(totals.raw_events), "events/s", now),
            Reading("newest event", _age(newest.newest_received_at, now), "s old", now),
            Reading("duplicates removed", totals.duplicates, "events", now),
        )
        return {
            "speed": Observation(Status.HEALTHY, "it answers queries", now, speed),
            "dwh": Observation(Status.HEALTHY, "it answers queries", now, dwh),
        }

    def _week_before(self, rows: Sequence[Kpi], now: datetime) -> BySite:
        """The values of the week before, read once for each closed window."""
        closed = last_closed(rows, now)
        if closed is not None and closed != self._week[0]:
            seconds = self._settings.window_seconds
            week = self._warehouse.run(last_week, self._domain, closed, window_seconds=seconds)
            self._week = closed, week
        return self._week[1]

    def close(self) -> None:
        """Close the connection."""
        self._warehouse.close()


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())
