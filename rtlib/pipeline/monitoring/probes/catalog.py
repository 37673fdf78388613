"""Probes: what the monitor looks at. Each holds its connections and answers for some nodes of the graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rtlib.broker.registry import latest, subjects
from rtlib.broker.subjects import events_subject
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.explain.usage import USAGE
from rtlib.graph import KpiBoard
from rtlib.pipeline import power_bi
from rtlib.pipeline.monitoring.kpi_board import kpi_board
from rtlib.pipeline.monitoring.monitor import Probe
from rtlib.pipeline.monitoring.probes.batch import BatchProbe
from rtlib.pipeline.monitoring.probes.broker import BrokerProbe
from rtlib.pipeline.telemetry.rate import Rate
from rtlib.records import Observation, Reading, Status
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.reads import counts, current, freshness, latest_kpis


class RegistryProbe:
    """Asks the registry for its subjects and for the newest version of the domain's schema."""

    names: tuple[str, ...] = ("registry",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Mapping[str, Observation]:
        """How many subjects there are, and which version of the schema is the newest."""
        began = time.monotonic()
        known = subjects(self._settings)
        version = (
            latest(self._settings, events_subject(self._settings)).version
            if events_subject(self._settings) in known
            else None
        )
        took = 1000 * (time.monotonic() - began)
        now = datetime.now(UTC)
        readings = (
            Reading("subjects", len(known), "subjects", now),
            Reading("schema version", version, "", now),
            Reading("answers in", took, "ms", now),
        )
        return {"registry": Observation(Status.HEALTHY, "it answers for its subjects", now, readings)}

    def close(self) -> None:
        """Nothing is held."""


class WarehouseProbe:
    """Asks the warehouse for the newest KPIs and for how much it holds."""

    names: tuple[str, ...] = ("speed", "dwh")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._domain = load_domain(settings.domain)
        self._warehouse = Warehouse(settings)
        self._rate = Rate()
        self.board: KpiBoard | None = None

    def look(self) -> Mapping[str, Observation]:
        """Both layers' numbers; the board of KPIs is refreshed on the way."""
        name = self._settings.domain
        age = self._warehouse.run(lambda connection: freshness(connection, name))
        held = self._warehouse.run(lambda connection: counts(connection, name))
        recent = self._warehouse.run(lambda connection: latest_kpis(connection, name, minutes=30))
        rows = self._warehouse.run(lambda connection: current(connection, name))
        self.board = kpi_board(self._domain, recent, events=held.live_events)
        now = datetime.now(UTC)
        speed = (
            Reading("newest event", _age(age.newest_event_at, now), "s old", now),
            Reading("sites", len(rows), "sites", now),
            Reading("rows", held.kpi_rows, "rows", now),
            Reading("events counted", held.kpi_events, "events", now),
        )
        dwh = (
            Reading("events", held.raw_events, "events", now),
            Reading("arriving", self._rate.add(held.raw_events), "events/s", now),
            Reading("newest event", _age(age.newest_received_at, now), "s old", now),
            Reading("duplicates removed", held.duplicates, "events", now),
        )
        return {
            "speed": Observation(Status.HEALTHY, "it answers queries", now, speed),
            "dwh": Observation(Status.HEALTHY, "it answers queries", now, dwh),
        }

    def close(self) -> None:
        """Give the connection back."""
        self._warehouse.close()


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())


class DashboardProbe:
    """Looks at the very process that shows the picture."""

    names: tuple[str, ...] = ("dashboard",)

    def __init__(self, settings: Settings) -> None:
        import psutil

        self._process = psutil.Process()

    def look(self) -> Mapping[str, Observation]:
        """How much memory and processor time the kernel behind the picture takes."""
        now = datetime.now(UTC)
        readings = (
            Reading("memory", self._process.memory_info().rss / 1024 / 1024, "MB", now),
            Reading("processor", self._process.cpu_percent(), "% of a core", now),
        )
        return {"dashboard": Observation(Status.HEALTHY, "you are looking at it", now, readings)}

    def close(self) -> None:
        """Nothing is held."""


class ExplainProbe:
    """Reports what writes the explanations, and how this process used it."""

    names: tuple[str, ...] = ("explain",)

    def __init__(self, settings: Settings) -> None:
        key = settings.gemini_api_key is not None
        writer = f"{settings.gemini_model} writes them, verified"
        self._reason = writer if key else "no key: they are made on this machine"

    def look(self) -> Mapping[str, Observation]:
        """Questions to the model, answers refused, and the cost."""
        now = datetime.now(UTC)
        readings = (
            Reading("asked", USAGE.questions, "questions", now),
            Reading("answers refused", USAGE.refused, "answers", now),
            Reading("cost", USAGE.dollars, "USD", now),
        )
        return {"explain": Observation(Status.HEALTHY, self._reason, now, readings)}

    def close(self) -> None:
        """Nothing is held."""


class ReportProbe:
    """Looks at what was exported for Power BI."""

    names: tuple[str, ...] = ("powerbi",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Mapping[str, Observation]:
        """The report and the newest export."""
        return {"powerbi": power_bi.observation(self._settings)}

    def close(self) -> None:
        """Nothing is held."""


PROBES: Mapping[str, Callable[[Settings], Probe]] = {
    "broker": BrokerProbe,
    "registry": RegistryProbe,
    "warehouse": WarehouseProbe,
    "dashboard": DashboardProbe,
    "batch": BatchProbe,
    "explain": ExplainProbe,
    "report": ReportProbe,
}
