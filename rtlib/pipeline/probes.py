"""Probes: what the monitor looks at. Each holds its connections and answers for some nodes of the graph."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rtlib.broker.consumer import consumer
from rtlib.broker.registry import latest, subjects
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.graph import KpiBoard
from rtlib.pipeline import bi
from rtlib.pipeline.batch_probes import BatchProbe
from rtlib.pipeline.board import kpi_board
from rtlib.pipeline.monitor import Probe
from rtlib.pipeline.prepare import subject
from rtlib.pipeline.signs import SignReader
from rtlib.records import Heartbeat, Observation, QueryProgress, Reading, Status
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.serve import counts, current, freshness, latest_kpis

QUIET_SECONDS = 8.0  # a heartbeat is due every second; a busy machine may be late with some
RATE_SECONDS = 5.0  # rates are taken over the last few seconds


class Rate:
    """Turns a growing count into a rate per second over the last few seconds."""

    def __init__(self, seconds: float = RATE_SECONDS) -> None:
        self._seconds = seconds
        self._points: deque[tuple[float, float]] = deque()

    def add(self, count: float) -> float | None:
        """Add the count as it is now; returns the rate, or None until there are two points."""
        now = time.monotonic()
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > self._seconds:
            self._points.popleft()
        (t0, c0), (t1, c1) = self._points[0], self._points[-1]
        return (c1 - c0) / (t1 - t0) if t1 > t0 else None


class BrokerProbe:
    """Asks the broker where each topic ends, and reads every part's signs of life."""

    names: tuple[str, ...] = ("broker", "rejected", "kpis", "archive", "loader", "simulator", "alerts")

    def __init__(self, settings: Settings) -> None:
        from kafka import TopicPartition

        self._settings = settings
        self._signs = SignReader(settings)
        self._reader = consumer(settings)
        self._partitions = {
            name: [
                TopicPartition(settings.topic(name), n) for n in self._reader.partitions_for_topic(settings.topic(name))
            ]
            for name in ("events", "rejected", "kpis")
        }
        self._rates = {name: Rate() for name in ("events", "rejected", "kpis", "simulator")}

    def look(self) -> Mapping[str, Observation]:
        """Everything that the broker can tell."""
        ends = {name: sum(self._reader.end_offsets(own).values()) for name, own in self._partitions.items()}
        self._signs.catch_up()
        now = datetime.now(UTC)
        beats = self._signs.heartbeats
        return {
            "broker": self._broker(ends, now),
            "rejected": self._rejected(ends, now),
            "simulator": self._simulator(beats.get("simulator"), now),
            "kpis": self._query("kpis", ends, beats.get("kpis"), now),
            "archive": self._query("archive", ends, beats.get("archive"), now),
            "loader": self._loader(beats.get("loader"), now),
            "alerts": _alerts(beats.get("alerts"), now),
        }

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()
        self._signs.close()

    def _broker(self, ends: Mapping[str, int], now: datetime) -> Observation:
        return Observation(
            Status.HEALTHY,
            "it answers, and says where each topic ends",
            now,
            (
                Reading("arriving", self._rates["events"].add(ends["events"]), "records/s", now),
                Reading("in the topic", ends["events"], "records", now),
                Reading("partitions", len(self._partitions["events"]), "partitions", now),
            ),
        )

    def _rejected(self, ends: Mapping[str, int], now: datetime) -> Observation:
        share = ends["rejected"] / ends["events"] if ends["events"] else None
        rate = self._rates["rejected"].add(ends["rejected"])
        return Observation(
            Status.HEALTHY,
            "the broker answers",
            now,
            (
                Reading("rejected", ends["rejected"], "records", now),
                Reading("of all records", None if share is None else 100 * share, "%", now),
                Reading("now", None if rate is None else 60 * rate, "records/min", now),
            ),
        )

    def _simulator(self, beat: Heartbeat | None, now: datetime) -> Observation:
        if beat is None:
            return Observation(Status.STOPPED, "it has not said anything since the topic was made", now)
        fresh = _fresh(beat, now)
        rate = self._rates["simulator"].add(beat.numbers.get("sent", 0.0)) if fresh else None
        readings = (
            Reading("sending", rate, "records/s", beat.at),
            Reading("sent in this run", beat.numbers.get("sent"), "records", beat.at),
            Reading("broken on purpose", beat.numbers.get("malformed"), "records", beat.at),
        )
        return _by_heartbeat(beat, now, readings)

    def _query(self, query: str, ends: Mapping[str, int], beat: Heartbeat | None, now: datetime) -> Observation:
        if beat is None:
            return Observation(Status.STOPPED, "it has not started since the topic was made", now)
        done = self._signs.progress.get(query, [])
        newest = done[-1] if done else None
        readings = (
            self._kpi_readings(newest, ends, beat, done) if query == "kpis" else _archive_readings(newest, ends, beat)
        )
        return _by_heartbeat(beat, now, readings)

    def _kpi_readings(
        self, newest: QueryProgress | None, ends: Mapping[str, int], beat: Heartbeat, done: list[QueryProgress]
    ) -> tuple[Reading, ...]:
        """Its output is counted live; state and watermark are as old as the last checkpoint, and say so."""
        live = Reading("KPI records", self._rates["kpis"].add(ends["kpis"]), "records/s", beat.at)
        if newest is None:
            return (live,)
        behind = None if newest.watermark is None else (newest.at - newest.watermark).total_seconds()
        return (
            live,
            Reading("watermark behind", behind, "s", beat.at),
            Reading("state rows", newest.state_rows, "rows", beat.at),
            Reading("dropped as too late", sum(one.dropped_late for one in done), "rows", beat.at),
        )

    def _loader(self, beat: Heartbeat | None, now: datetime) -> Observation:
        if beat is None:
            return Observation(Status.STOPPED, "it has not started since the topic was made", now)
        readings = (
            Reading("behind", beat.numbers.get("lag"), "records", beat.at),
            Reading("rows written", beat.numbers.get("merged"), "rows", beat.at),
        )
        return _by_heartbeat(beat, now, readings)


def _alerts(beat: Heartbeat | None, now: datetime) -> Observation:
    if beat is None:
        return Observation(Status.STOPPED, "it has not started since the topic was made", now)
    readings = (
        Reading("up now", beat.numbers.get("up"), "alerts", beat.at),
        Reading("delivered", beat.numbers.get("delivered"), "cards", beat.at),
        Reading("not delivered", beat.numbers.get("undelivered"), "cards", beat.at),
        Reading("waiting", beat.numbers.get("pending"), "cards", beat.at),
    )
    return _by_heartbeat(beat, now, readings)


def _archive_readings(newest: QueryProgress | None, ends: Mapping[str, int], beat: Heartbeat) -> tuple[Reading, ...]:
    if newest is None:
        return ()
    return (
        Reading("last batch", newest.processed_rate, "rows/s", beat.at),
        Reading("rows in it", newest.input_rows, "rows", beat.at),
        Reading("behind", max(0, ends["events"] - sum(newest.end_offsets.values())), "records", beat.at),
        Reading("batches", newest.batch_id + 1, "batches", beat.at),
    )


def _fresh(beat: Heartbeat, now: datetime) -> bool:
    return beat.active and (now - beat.at).total_seconds() <= QUIET_SECONDS


def _by_heartbeat(beat: Heartbeat, now: datetime, readings: tuple[Reading, ...]) -> Observation:
    if _fresh(beat, now):
        return Observation(Status.HEALTHY, beat.said, now, readings)
    quiet = (now - beat.at).total_seconds()
    return Observation(Status.STOPPED, f"no sign of life for {quiet:.0f} s", now, readings)


class RegistryProbe:
    """Asks the registry for its subjects and for the newest version of the domain's schema."""

    names: tuple[str, ...] = ("registry",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Mapping[str, Observation]:
        """How many subjects there are, and which version of the schema is the newest."""
        began = time.monotonic()
        known = subjects(self._settings)
        version = latest(self._settings, subject(self._settings)).version if subject(self._settings) in known else None
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
    """Says who writes the explanations, and what the model was asked by this very process."""

    names: tuple[str, ...] = ("explain",)

    def __init__(self, settings: Settings) -> None:
        key = settings.gemini_api_key is not None
        self._said = f"{settings.gemini_model} writes them, checked" if key else "no key: they are made on this machine"

    def look(self) -> Mapping[str, Observation]:
        """How often the model was asked, how often its answer was refused, and what that cost."""
        from rtlib.pipeline.explainer import ASKED

        now = datetime.now(UTC)
        readings = (
            Reading("asked", ASKED.questions, "questions", now),
            Reading("answers refused", ASKED.refused, "answers", now),
            Reading("cost", ASKED.dollars, "USD", now),
        )
        return {"explain": Observation(Status.HEALTHY, self._said, now, readings)}

    def close(self) -> None:
        """Nothing is held."""


class ReportProbe:
    """Looks at what was exported for Power BI."""

    names: tuple[str, ...] = ("powerbi",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self) -> Mapping[str, Observation]:
        """The report and the newest export."""
        return {"powerbi": bi.observation(self._settings)}

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
