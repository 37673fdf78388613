"""Run panel: a button that runs the batch job behind a part now."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets

from rtlib.errors import RtlibError
from rtlib.records import BatchJob

RunNow = Callable[[BatchJob], None]
# By part: the jobs that it offers, with what each does.
JOBS: dict[str, dict[BatchJob, str]] = {
    "dwh": {
        BatchJob.HISTORY: "Loads the days of history that are missing.",
        BatchJob.RETENTION: "Turns old raw events into rollups.",
    },
    "dbt": {BatchJob.DBT: "Builds the marts from new events, and runs their tests."},
    "forecast": {BatchJob.FORECAST: "Tries every model on past days, and forecasts the coming week with the best."},
    "staffing": {BatchJob.PLAN: "Plans people and shifts for the days that are forecast."},
    "powerbi": {BatchJob.REPORT: "Compares the report with the marts, and exports its rows."},
}


class RunPanel:
    """A drawer below the panel of a part: a button for each of its jobs.

    Args:
        run: Starts a job in the background.
    """

    def __init__(self, run: RunNow) -> None:
        self._run = run
        self._buttons = ipywidgets.HBox()
        self._text = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self._buttons, self._text]).add_class("rt-run")
        self._component: str | None = None

    def show(self, component: str | None) -> bool:
        """Offer the jobs of a part; False for a part without jobs."""
        jobs = JOBS.get(component or "", {})
        if jobs and component != self._component:
            self._component = component
            self._buttons.children = [self._button(job) for job in jobs]
            self._show_text(" ".join(jobs.values()))
        return bool(jobs)

    @property
    def text(self) -> str:
        """The text below the buttons, as HTML."""
        return str(self._text.value)

    def _button(self, job: BatchJob) -> ipywidgets.Button:
        button = ipywidgets.Button(description=f"Run {job}", tooltip="Run this job now, before its next scheduled run")
        button.on_click(lambda _: self._clicked(job))
        return button

    def _clicked(self, job: BatchJob) -> None:
        try:
            self._run(job)
            self._show_text(f"{job} begins; the panel shows how far it is. If another job runs, it waits for its end.")
        except RtlibError as error:
            self._show_text(str(error))

    def _show_text(self, text: str) -> None:
        self._text.value = f'<p class="rt rt-expect">{escape(text)}</p>'
