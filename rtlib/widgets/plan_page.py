"""Plan page: load, forecast and people; until they are there, the jobs that make them and how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

import ipywidgets

from rtlib import formatting
from rtlib.errors import RtlibError
from rtlib.pipeline.batch_status import JobStep
from rtlib.pipeline.page_data import PlanData
from rtlib.pipeline.planning.today import Today
from rtlib.records import BatchJob
from rtlib.widgets.chart import Band, Line, chart
from rtlib.widgets.job_steps import steps_html
from rtlib.widgets.numbers import count, percent
from rtlib.widgets.run_panel import RunNow


class PlanPage:
    """The page of forecast and plan, with a button for each job that failed.

    Args:
        run_job: Starts a batch job in the background; without it there are no buttons.

    Attributes:
        widget: The page.
        body: Its text, charts and steps.
    """

    def __init__(self, run_job: RunNow | None = None) -> None:
        self._run_job = run_job
        self._failed: list[BatchJob] = []
        self.body = ipywidgets.HTML(_coming("<p>How far they are is being read.</p>", ""))
        self._buttons = ipywidgets.HBox([]).add_class("rt-again")
        self.widget = ipywidgets.VBox([self.body, self._buttons]).add_class("rt-plan-page")

    def show(self, data: PlanData, steps: Sequence[JobStep], *, now: datetime) -> None:
        """Show what there is, and how far the rest is."""
        self.body.value = plan_html(data, steps, now=now)
        failed = [step.job for step in steps if step.state == "failed"]
        if self._run_job and failed != self._failed:
            self._failed = failed
            self._buttons.children = [self._button(step) for step in steps if step.state == "failed"]

    def _button(self, step: JobStep) -> ipywidgets.Button:
        button = ipywidgets.Button(
            description=f"Run again: {step.title}", tooltip="Run this job now, before its next scheduled run"
        )
        button.on_click(lambda _: self._clicked(step.job))
        return button

    def _clicked(self, job: BatchJob) -> None:
        try:
            if self._run_job:
                self._run_job(job)
        except RtlibError as error:
            self.body.value = f'<p class="rt rt-trouble" role="alert">{escape(error.what)}</p>'


def plan_html(data: PlanData, steps: Sequence[JobStep], *, now: datetime) -> str:
    """The actual load, its forecast, the people needed and planned, and the jobs behind them."""
    zone, city = ZoneInfo(data.time_zone), formatting.place_of(data.time_zone)
    if not data.forecast:
        return _before_the_forecast(data, steps, now=now)
    charts = chart(
        "Load and forecast", f"events in 30 min, {city} time", _load_layers(data), now=now, zone=zone
    ) + _people(data, city, zone, now)
    side = f"{_scores(data)}<h3>Made by</h3>{steps_html(steps)}" if steps else _scores(data)
    return f'<div class="rt rt-plan"><div>{_today(data.today, zone, city)}{charts}</div><div>{side}</div></div>'


def _before_the_forecast(data: PlanData, steps: Sequence[JobStep], *, now: datetime) -> str:
    """The steps to the first forecast, and the load that is known already."""
    zone, city = ZoneInfo(data.time_zone), formatting.place_of(data.time_zone)
    load = ""
    if data.load:
        load = chart("Load so far", f"events in 30 min, {city} time", _load_layers(data), now=now, zone=zone)
    return _coming(steps_html(steps), load)


def _coming(steps: str, load: str) -> str:
    return (
        '<div class="rt rt-coming"><div><h2>Forecast and staffing plan: on their way</h2>'
        "<p>The stack makes them by itself: past days come first, dbt counts them, models are tried on them, and the "
        "best forecasts the coming week. Then people and shifts are planned for it. This page fills by itself.</p>"
        f"{steps}</div><div>{load}</div></div>"
    )


def _load_layers(data: PlanData) -> list[Band | Line]:
    load = Line("Actual load", "rt-actual", [at for at, _ in data.load], [events for _, events in data.load])
    if not data.forecast:
        return [load]
    times = [at for at, *_ in data.forecast]
    lowers, uppers = [low for *_, low, _ in data.forecast], [high for *_, high in data.forecast]
    return [
        Band("80 % interval", "rt-band", times, lowers, uppers),
        Line("Forecast", "rt-forecast", times, [mean for _, mean, *_ in data.forecast]),
        load,
    ]


def _people(data: PlanData, city: str, zone: ZoneInfo, now: datetime) -> str:
    if not data.staff:
        return '<div class="rt-chart"><h3>Staffing plan</h3><p>It follows the forecast.</p></div>'
    times = [at for at, *_ in data.staff]
    people = [
        Line("Needed", "rt-needed", times, [needed for _, needed, _ in data.staff], stepped=True),
        Line("Planned", "rt-planned-staff", times, [planned for *_, planned in data.staff], stepped=True),
    ]
    return chart(data.role, f"people needed and planned, {city} time", people, now=now, zone=zone)


def _scores(data: PlanData) -> str:
    scores = "".join(
        f'<tr class="{"rt-chosen" if chosen else ""}"><th scope="row">{escape(model)}{" ✓" if chosen else ""}</th>'
        f"<td>{percent(wape)}</td><td>{percent(coverage)}</td></tr>"
        for model, wape, coverage, chosen in data.scores
    )
    head = '<tr><th scope="col">Model</th><th scope="col">WAPE</th><th scope="col">Interval held</th></tr>'
    return f'<h3>Backtest</h3><table class="rt-table">{head}{scores}</table><p>{escape(data.why)}</p>'


def _today(today: Today | None, zone: ZoneInfo, city: str) -> str:
    """What came since midnight, beside its forecast."""
    if today is None or today.excess is None:
        return ""
    came = (
        f"Today until {today.until.astimezone(zone):%H:%M} in {escape(city)}: "
        f"<b>{count(round(today.events))}</b> events came, {count(round(today.expected))} were forecast "
        f"({100 * today.excess:+.1f} %)."
    )
    if today.intervals:
        held = percent(today.inside_share)
        came += f" <b>{today.inside} of {today.intervals}</b> half-hours lie inside the 80 % interval ({held})."
    return f"<p>{came}</p>"
