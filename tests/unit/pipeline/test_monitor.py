"""The monitor shows what its probes report, and survives their errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.graph import KpiBoard
from rtlib.pipeline.monitoring.kpi_board import NewestBoard
from rtlib.pipeline.monitoring.monitor import Monitor
from rtlib.pipeline.monitoring.probe import ProbeFactory
from rtlib.records import Observation, Reading, Status
from rtlib.wait import wait_until

AT = datetime(2026, 1, 5, tzinfo=UTC)
HEALTHY = Observation(Status.HEALTHY, "it answers", AT, (Reading("events", 7, "events", AT),))


class FailsAfterFirstLook:
    """A probe whose part dies."""

    looks = 0

    def __init__(self, settings: Settings) -> None: ...

    def look(self) -> Mapping[str, Observation]:
        self.looks += 1
        if self.looks > 1:
            raise OSError("connection reset")
        return {"dwh": HEALTHY}

    def close(self) -> None:
        raise OSError("not connected")


def test_a_part_that_dies_is_stopped_and_keeps_its_last_readings() -> None:
    with Monitor(Settings(), {"warehouse": ProbeFactory(("dwh",), FailsAfterFirstLook)}) as monitor:
        seen = wait_until(
            lambda: monitor.observations().get("dwh", HEALTHY),
            seconds=20,
            interval=0.05,
            holds=lambda observation: observation.status is Status.STOPPED,
        )
    assert (seen.reason, seen.readings) == ("OSError: connection reset", HEALTHY.readings)


def test_the_board_is_the_newest_that_was_published() -> None:
    board = NewestBoard("curbside")
    monitor = Monitor(Settings(), {}, board=board.newest)
    assert monitor.kpis() == KpiBoard(title="curbside")
    board.publish(KpiBoard(title="curbside", events=7))
    assert monitor.kpis().events == 7
