"""A source that plays a script: numbers that grow with the clock, and the troubles that a JSON file asks for.

Tests of the view use it, and people who work on the looks: it needs no stack. It is never part of rtlib.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rtlib.domains import Domain, Severity, load_domain
from rtlib.graph import KpiBoard, KpiCard, SiteBoard
from rtlib.pipeline.monitoring.kpi_board import kpi_board
from rtlib.records import Kpi, Observation, Reading, Status

# probe -> (name, unit, start, growth per second, swing): value = start + growth * t + swing * sin(t)
SCRIPT: Mapping[str, tuple[tuple[str, str, float, float, float], ...]] = {
    "simulator": (
        ("sending", "records/s", 51, 0, 4),
        ("sent in this run", "records", 12_000, 51, 0),
        ("broken on purpose", "records", 60, 0.3, 0),
    ),
    "broker": (
        ("arriving", "records/s", 51, 0, 5),
        ("in the topic", "records", 12_100, 51, 0),
        ("partitions", "partitions", 4, 0, 0),
    ),
    "registry": (("subjects", "subjects", 1, 0, 0), ("schema version", "", 1, 0, 0), ("answers in", "ms", 9, 0, 3)),
    "rejected": (
        ("rejected", "records", 61, 0.3, 0),
        ("of all records", "%", 0.5, 0, 0.05),
        ("now", "records/min", 15, 0, 4),
    ),
    "kpis": (
        ("KPI records", "records/s", 50, 0, 5),
        ("watermark behind", "s", 61, 0, 1.5),
        ("state rows", "rows", 1_512, 0, 120),
        ("dropped as too late", "rows", 12, 0.1, 0),
    ),
    "archive": (
        ("last batch", "rows/s", 104, 0, 12),
        ("rows in it", "rows", 102, 0, 9),
        ("behind", "records", 66, 0, 40),
        ("batches", "batches", 118, 0.5, 0),
    ),
    "loader": (("behind", "records", 6, 0, 5), ("rows written", "rows", 3_410, 8, 0)),
    "speed": (
        ("newest event", "s old", 0.9, 0, 0.3),
        ("rows", "rows", 96, 0.1, 0),
        ("sites", "sites", 8, 0, 0),
        ("events counted", "events", 11_800, 51, 0),
    ),
    "dwh": (
        ("events", "events", 11_900, 51, 0),
        ("rejected", "records", 58, 0.3, 0),
        ("batches", "batches", 118, 0.5, 0),
        ("duplicates removed", "records", 118, 0.5, 0),
    ),
    "dbt": (("built", "models", 24, 0, 0), ("passed", "tests", 96, 0, 0), ("in the marts", "rows", 51_204, 0, 0)),
    "forecast": (("error (WAPE)", "%", 9.4, 0, 0), ("interval held", "%", 81, 0, 0), ("today inside", "%", 83, 0, 0)),
    "staffing": (
        ("needed now", "people", 14, 0, 0),
        ("next peak", "people", 23, 0, 0),
        ("accepted gap", "people", 2, 0, 0),
        ("beyond plan", "people", 0, 0, 0),
    ),
    "alerts": (("up now", "alerts", 1, 0, 0), ("delivered", "cards", 12, 0, 0), ("not delivered", "cards", 0, 0, 0)),
    "explain": (("asked", "questions", 3, 0, 0), ("cost", "USD", 0.004, 0, 0)),
    "powerbi": (("exported", "rows", 28_410, 0, 0), ("pages", "pages", 5, 0, 0), ("visuals", "visuals", 18, 0, 0)),
    "dashboard": (("resident memory", "MB", 197, 0, 2), ("processor", "%", 6, 0, 2)),
}
CARDS = (
    ("orders", "Orders", "orders", 217, 30, Severity.NONE),
    ("sales", "Sales", "USD", 14_739, 900, Severity.NONE),
    ("mean_wait", "Mean wait", "min", 4.35, 0.4, Severity.GOOD),
    ("longest_wait", "Longest wait", "min", 12.6, 2, Severity.WATCH),
    ("cancelled", "Cancelled", "share", 0.097, 0.01, Severity.ACT),
)
AS_IF = ("stopped", "degraded", "unknown", "silent", "frozen")


class FakeSource:
    """Answers as a monitor does.

    Args:
        script: A JSON file, read again each time: ``{"loader": {"status": "stopped", "reason": "…", "since": …}}``.
            ``since`` (seconds of the epoch) is when its numbers stopped moving. ``{"raise": "…"}`` makes it fail, and
            ``{"every_number": 9e99}`` makes all its numbers this one, and ``{"window_seconds": 4}`` lets windows turn.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._began = datetime.now(UTC)

    def observations(self) -> Mapping[str, Observation]:
        asked = self._asked()
        if "raise" in asked:
            raise RuntimeError(asked["raise"])
        shared = {"value": asked["every_number"]} if "every_number" in asked else {}
        return {
            probe: self._observation(probe, {**shared, **asked.get(probe, {})})
            for probe in SCRIPT
            if not asked.get("nothing")
        }

    def kpis(self) -> KpiBoard:
        now, asked = datetime.now(UTC), self._asked()
        if "window_seconds" in asked:
            return turning_board(now, timedelta(seconds=asked["window_seconds"]))
        old = asked.get("kpis", {})
        at = datetime.fromtimestamp(old["since"], UTC) if "since" in old else now - timedelta(seconds=0.6)
        t = (now - self._began).total_seconds()
        every = asked.get("every_number")
        cards = tuple(_card(number, at, t) if every is None else _same(number, at, every) for number in range(5))
        sites = tuple(SiteBoard(site.title, cards) for site in load_domain("curbside").sites)
        return KpiBoard(
            "Curb-side pick-up", cards, events=int(11_900 + 51 * t if every is None else every), sites=sites
        )

    def _asked(self) -> dict:
        return json.loads(self._script.read_text()) if self._script.exists() else {}

    def _observation(self, probe: str, asked: Mapping) -> Observation:
        now = datetime.now(UTC)
        at = datetime.fromtimestamp(asked["since"], UTC) if "since" in asked else now - timedelta(seconds=0.4)
        t = (at - self._began).total_seconds()
        readings = tuple(
            Reading(
                name, asked.get("value", _measured(unit, start + growth * t + swing * math.sin(t + place))), unit, at
            )
            for place, (name, unit, start, growth, swing) in enumerate(SCRIPT[probe])
        )
        status = Status(asked.get("status", "healthy"))
        return Observation(status, asked.get("reason", "it answers"), now, readings)


def turning_board(now: datetime, length: timedelta) -> KpiBoard:
    """The board of a stream whose windows turn every ``length``, made from its rows as the stack makes it."""
    domain = load_domain("curbside")
    newest = datetime.fromtimestamp(now.timestamp() // length.total_seconds() * length.total_seconds(), UTC)
    rows = [
        row
        for number in range(33)
        for site in domain.sites
        if (row := window_row(domain, site.id, newest - number * length, length, now))
    ]
    return kpi_board(domain, rows, events=1, now=now)


def window_row(domain: Domain, site: str, start: datetime, length: timedelta, now: datetime) -> Kpi | None:
    """The row of a site's window at a moment: its counts grow with it; None at its very begin, before any event."""
    passed = min(now - start, length)
    events = int(100 * (passed / length)) + (len(site) if passed == length else 0)
    if not events:
        return None
    measures = {kpi.name: float(events) if kpi.aggregate in ("count", "sum") else 4.2 for kpi in domain.kpis}
    last = start + passed - timedelta(milliseconds=1)
    return Kpi(domain.name, site, start, start + length, measures, events, 0, start, last, now)


def _card(number: int, at: datetime, t: float) -> KpiCard:
    name, title, unit, base, swing, severity = CARDS[number]
    history = tuple(base + swing * math.sin(i * 1.3) + swing * math.cos(i / 2) for i in range(30))
    return KpiCard(
        name, title, unit, history[-1], severity, at, history, closed_at=at - timedelta(seconds=20), before=history[-2],
        last_week=history[3] if number == 0 else None, relative=number < 2,
        running=float(int(base * (0.3 + 0.1 * math.sin(t / 3)))) if number < 2 else base,
    )  # fmt: skip


def _same(number: int, at: datetime, every: float) -> KpiCard:
    name, title, unit, _, _, severity = CARDS[number]
    return KpiCard(
        name, title, unit, every, severity, at, (0.0, every, -every) * 8, closed_at=at, before=-every, last_week=every,
        running=every, relative=number < 2,
    )  # fmt: skip


def _measured(unit: str, value: float) -> float:
    """A count is whole; a rate or a time is not."""
    return value if unit in ("records/s", "rows/s", "s", "s old", "%", "MB", "ms") else float(max(0, int(value)))
