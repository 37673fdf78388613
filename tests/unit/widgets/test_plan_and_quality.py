"""The pages of plan and quality: what comes and how far it is, then the data; and no command to type."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.errors import ServiceError
from rtlib.notify import Notify
from rtlib.pipeline.batch_status import JobStep
from rtlib.records import BatchJob
from rtlib.widgets.background import WorkButton
from rtlib.widgets.job_steps import pending, steps_html
from rtlib.widgets.plan_page import PlanPage, plan_html
from rtlib.widgets.quality_page import QualityPage, ledger_html, model_tests
from support.fake_pages import FakePages, a_report
from support.ledgers import good_ledger
from support.observations import text_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
RUNNING = JobStep(BatchJob.DBT, "Marts (dbt)", "running", "40 of 124 models and tests", 40, 124)
WAITING = JobStep(BatchJob.FORECAST, "Forecast", "waiting", "follows after Marts (dbt)")
FAILED = JobStep(BatchJob.FORECAST, "Forecast", "failed", "the mart lags; next in 4 min")


@retry(retry=retry_if_result(lambda met: not met), wait=wait_fixed(0.01), stop=stop_after_delay(5))
def until(condition: Callable[[], bool]) -> bool:
    return condition()


def empty_plan() -> FakePages:
    source = FakePages()
    data = replace(source.plan(), forecast=(), staff=(), scores=())
    source.plan = lambda: data  # type: ignore[method-assign]
    return source


def test_a_page_without_a_forecast_shows_the_jobs_and_how_far_they_are() -> None:
    html = plan_html(empty_plan().plan(), (RUNNING, WAITING), now=NOW)
    text = text_of(html)
    assert "Marts (dbt) running: 40 of 124 models and tests" in text
    assert "Forecast waits: follows after Marts (dbt)" in text
    assert '<progress max="124" value="40" aria-label="Marts (dbt)">' in html
    assert "Load so far" in text
    assert "rtlib" not in text


def test_a_page_with_a_forecast_and_without_a_plan_says_that_the_plan_follows() -> None:
    text = text_of(plan_html(replace(FakePages().plan(), staff=()), (RUNNING,), now=NOW))
    assert "Load and forecast" in text and "It follows the forecast" in text


def test_a_step_without_a_total_has_no_bar_and_a_failed_step_has_its_reason() -> None:
    html = steps_html((replace(RUNNING, total=0), FAILED))
    assert "<progress" not in html
    assert "Forecast failed: the mart lags; next in 4 min" in text_of(html)
    assert steps_html(()) == ""


@pytest.mark.parametrize(("state", "soon"), [("running", True), ("waiting", True), ("done", False), ("failed", False)])
def test_a_page_is_read_soon_again_while_a_job_is_on_its_way(state: str, soon: bool) -> None:
    assert pending([replace(RUNNING, state=state)]) is soon


def test_a_job_that_failed_can_be_run_again_from_the_page() -> None:
    begun: list[BatchJob] = []
    page = PlanPage(begun.append)
    page.show(FakePages().plan(), (replace(RUNNING, state="done"), FAILED), now=NOW)
    (button,) = page._buttons.children
    button.click()
    assert begun == [BatchJob.FORECAST]
    page.show(FakePages().plan(), (WAITING,), now=NOW)
    assert page._buttons.children == ()


def test_quality_shows_the_tests_of_each_model_the_failed_first() -> None:
    html = model_tests(a_report())
    assert text_of(html).startswith("ModelPassedFailedRowsint_kpis2151,204int_batches2051,204")
    assert html.count("rt-wrong") == 1


def test_before_dbts_first_run_quality_shows_how_far_it_is() -> None:
    page, data = QualityPage(), replace(FakePages().quality(), report=None)
    page.show(data, (RUNNING, WAITING))
    text = text_of(page.checks.value)
    assert "40 of 124 models and tests" in text
    assert "rtlib" not in text and "Forecast" not in text


def test_the_ledger_is_taken_in_a_thread_with_progress_and_then_its_verdict() -> None:
    go = threading.Event()

    def take(notify: Notify) -> object:
        notify("  400 of 900 records read")
        assert go.wait(5)
        return good_ledger()

    page = QualityPage(take)  # type: ignore[arg-type]
    page.ledger.button.click()
    until(lambda: "400 of 900 records read" in page.ledger.text.value)
    assert page.ledger.button.disabled
    go.set()
    until(lambda: not page.ledger.button.disabled)
    assert "nothing lost, nothing doubled" in page.ledger.text.value


def test_a_ledger_of_a_running_stack_is_explained_without_a_command() -> None:
    text = text_of(ledger_html(replace(good_ledger(), running=True, in_flight=66)))
    assert "66 records on the way" in text
    assert "rtlib stop" not in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ServiceError("the broker does not answer", cure="rtlib up"), "the broker does not answer"),
        (KeyError("x"), "KeyE"),
    ],
)
def test_work_that_fails_shows_its_error_and_can_be_started_again(error: Exception, words: str) -> None:
    def work(notify: Notify) -> str:
        raise error

    made = WorkButton("Work", "Works", work, expect="It works.", begins="begins")
    made.button.click()
    until(lambda: words in made.text.value)
    until(lambda: not made.button.disabled)
    assert "rtlib up" not in made.text.value
