"""The buttons that run the batch job behind a part."""

from __future__ import annotations

from typing import Any

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.errors import ServiceError
from rtlib.records import BatchJob
from rtlib.widgets.run_panel import JOBS, RunPanel


def buttons(panel: RunPanel) -> dict[str, Any]:
    return {button.description: button for button in panel._buttons.children}


def test_every_job_has_a_button_at_a_part_of_the_graph() -> None:
    assert {job for jobs in JOBS.values() for job in jobs} == set(BatchJob)
    assert set(JOBS) <= {component.id for component in ARCHITECTURE_COMPONENTS_LIST}


def test_a_click_runs_the_job_of_the_part() -> None:
    started = list[BatchJob]()
    panel = RunPanel(started.append)
    assert not panel.show("kpis") and not panel.show(None)
    assert panel.show("staffing")
    buttons(panel)["Run plan"].click()
    assert started == [BatchJob.PLAN]
    assert "plan begins" in panel.text


def test_a_job_that_cannot_start_shows_the_reason() -> None:
    def refuse(job: BatchJob) -> None:
        raise ServiceError("the stack is not running", cure="rtlib up")

    panel = RunPanel(refuse)
    panel.show("dbt")
    buttons(panel)["Run dbt"].click()
    assert "the stack is not running" in panel.text


def test_the_text_after_a_click_stays_while_the_same_part_is_shown() -> None:
    panel = RunPanel(lambda job: None)
    panel.show("dbt")
    buttons(panel)["Run dbt"].click()
    panel.show("dbt")
    assert "dbt begins" in panel.text
    panel.show("forecast")
    assert "Tries every model" in panel.text
