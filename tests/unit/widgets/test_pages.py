"""The pages beside the graph: a page that cannot be read shows the error, and reading goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.alerts import RuleLevel
from rtlib.errors import ServiceError
from rtlib.pipeline.batch_status import JobStep
from rtlib.pipeline.page_data import PlanData, Quality
from rtlib.widgets.pages import Pages


class BrokenData:
    """A source whose every read fails, but for the alerts, of which there are none."""

    receiver, time_zone = None, "UTC"

    def plan(self) -> PlanData:
        raise KeyError("forecast_at")

    def quality(self) -> Quality:
        raise KeyError("windows")

    def jobs(self) -> tuple[JobStep, ...]:
        raise ServiceError("the broker does not answer", cure="rtlib up")

    def nearness(self) -> tuple[RuleLevel, ...]:
        return ()

    def alerts(self) -> list[dict[str, Any]]:
        return []

    def acknowledge(self, key: str) -> None:
        pass

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        pass

    def mutes(self) -> list[dict[str, Any]]:
        return []

    def unmute(self, site: str, rule: str) -> None:
        pass

    def send_again(self, key: str) -> None:
        pass

    def choices(self, kind: str) -> list[tuple[str, str]]:
        return [("All", f"{kind}:all")]


@pytest.mark.parametrize("page", ["plan", "quality"])
def test_an_unexpected_error_is_shown_on_the_page_and_does_not_end_the_reading(page: str) -> None:
    pages = Pages(BrokenData(), ipywidgets.HTML())
    pages.choice.value = page
    pages.read()
    assert "KeyError" in pages._trouble[page].value


def test_a_page_whose_jobs_cannot_be_read_shows_the_rest_and_no_error() -> None:
    source = BrokenData()
    nothing = PlanData("Runner", "UTC", (), (), (), (), "")
    source.plan = lambda: nothing  # type: ignore[method-assign]
    pages = Pages(source, ipywidgets.HTML())
    pages.choice.value = "plan"
    pages.read()
    assert pages._trouble["plan"].value == ""
    assert "on their way" in pages._plan.body.value


def test_every_page_has_words_before_the_first_answer_and_is_read_before_it_is_opened() -> None:
    pages = Pages(BrokenData(), ipywidgets.HTML())
    assert "being read" in pages._plan.body.value and "being read" in pages._quality.checks.value
    assert "being read" in pages._alerts._list.value
    pages.start()
    try:
        until(lambda: "No alert so far" in pages._alerts._list.value)
        assert pages.choice.value == "graph"
    finally:
        pages.stop()


@retry(retry=retry_if_result(lambda met: not met), wait=wait_fixed(0.01), stop=stop_after_delay(5))
def until(condition: Callable[[], bool]) -> bool:
    return condition()
