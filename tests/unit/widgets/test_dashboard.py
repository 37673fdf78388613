"""The dashboard: follows its source, survives its errors, and stops refreshing when it is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.graph import KpiBoard
from rtlib.records import Observation, Reading, Status
from rtlib.widgets.dashboard import Dashboard


class ScriptedSource:
    """A source whose number the test sets; ``error`` makes it fail."""

    def __init__(self) -> None:
        self.error = ""
        self.value = 51.2
        self.was_read = threading.Event()

    def observations(self) -> Mapping[str, Observation]:
        self.was_read.set()
        if self.error:
            raise RuntimeError(self.error)
        now = datetime.now(UTC)
        return {"broker": Observation(Status.HEALTHY, "", now, (Reading("arriving", self.value, "records/s", now),))}

    def kpis(self) -> KpiBoard:
        return KpiBoard("Curb-side pick-up", (), events=7)


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
def dashboard(source: ScriptedSource, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    monkeypatch.setitem(Dashboard._keep_fresh.__globals__, "EVERY_SECONDS", 0.01)
    opened = Dashboard(source, explain=lambda node, graph: f"It says {node.headline}.")
    yield opened
    opened.stop()


@retry(wait=wait_fixed(0.01), stop=stop_after_delay(10), retry=retry_if_result(lambda met: not met))
def wait_until(condition: Callable[[], bool]) -> bool:
    return condition()


def test_the_dashboard_is_complete_before_it_is_displayed(dashboard: Dashboard) -> None:
    assert "Curb-side pick-up" in dashboard._header.value
    assert "From event to answer" in dashboard._panel.value


def test_choosing_from_the_list_and_tapping_the_graph_have_the_same_effect(dashboard: Dashboard) -> None:
    dashboard.choice.value = "events"
    assert dashboard.architecture.selected == "events"
    assert 'data-node="events"' in dashboard._panel.value
    dashboard.architecture.select("kpis")
    assert dashboard.choice.value == "kpis"
    dashboard.architecture.select(None)
    assert dashboard.choice.value == ""
    assert "From event to answer" in dashboard._panel.value


def test_the_numbers_follow_the_source(dashboard: Dashboard, source: ScriptedSource) -> None:
    dashboard.start().choice.value = "events"
    source.value = 60.5
    wait_until(lambda: "60.5" in dashboard._panel.value)


def test_an_error_of_the_source_is_shown_and_disappears_when_the_source_recovers(
    dashboard: Dashboard, source: ScriptedSource
) -> None:
    dashboard.start()
    source.error = "the cat sat on the cable"
    wait_until(lambda: "the cat sat on the cable" in dashboard._trouble.value)
    source.error = ""
    wait_until(lambda: dashboard._trouble.value == "")


@pytest.mark.parametrize("end", ["stop", "close"])
def test_the_refresh_ends_when_the_dashboard_is_stopped_or_closed(
    dashboard: Dashboard, source: ScriptedSource, end: str
) -> None:
    dashboard.start()
    wait_until(source.was_read.is_set)
    dashboard.stop() if end == "stop" else dashboard.widget.close()
    wait_until(lambda: not any(thread.name == "dashboard" and thread.is_alive() for thread in threading.enumerate()))
