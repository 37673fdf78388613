"""Warehouse probe: both layers' row counts and freshness, and the board of KPIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.graph import KpiBoard
from rtlib.pipeline.monitoring.kpi_board import kpi_board
from rtlib.pipeline.telemetry.rate import Rate
from rtlib.records import Observation, Reading, Status
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.reads import counts, current, freshness, latest_kpis

BOARD_MINUTES = 30


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

    def look(self) -> Mapping[str, Observation]:
        """Both layers' numbers; a new board is published on the way."""
        name = self._settings.domain
        newest = self._warehouse.run(freshness, name)
        totals = self._warehouse.run(counts, name)
        recent = self._warehouse.run(latest_kpis, name, minutes=BOARD_MINUTES)
        sites = len(self._warehouse.run(current, name))
        self._publish_board(kpi_board(self._domain, recent, events=totals.live_events))
        now = datetime.now(UTC)
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

    def close(self) -> None:
        """Close the connection."""
        self._warehouse.close()


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())
