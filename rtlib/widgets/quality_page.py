"""Quality page: the ledger at the press of a button, dbt's tests by model, and both layers compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from html import escape

import ipywidgets

from rtlib import formatting
from rtlib import ledger as ledgers
from rtlib.ledger import Ledger, Verdict
from rtlib.notify import Notify
from rtlib.pipeline.batch_status import JobStep
from rtlib.pipeline.dbt import BuildReport
from rtlib.pipeline.page_data import Quality
from rtlib.records import BatchJob
from rtlib.widgets import ledger_view
from rtlib.widgets.background import WorkButton
from rtlib.widgets.job_steps import steps_html
from rtlib.widgets.numbers import count

TakeLedger = Callable[[Notify], Ledger]
MAX_REASONS = 8  # of rejection, the most frequent first
EXPECT = (
    '<div class="rt"><p>The simulator numbers its events. The ledger reads every record in Kafka and compares it with '
    "the warehouse: each number must be there exactly once. It takes some seconds.</p></div>"
)


class QualityPage:
    """The page of data quality.

    Args:
        take_ledger: Takes the ledger, with a callback for progress; without it there is no button.

    Attributes:
        widget: The page.
        counts, checks: What was counted, and what was tested, as HTML widgets.
    """

    def __init__(self, take_ledger: TakeLedger | None = None) -> None:
        self.counts = ipywidgets.HTML('<div class="rt"><h2>Counts</h2><p>The warehouse is counting.</p></div>')
        self.checks = ipywidgets.HTML(
            '<div class="rt"><h2>Tests by model</h2><p>Speed layer and tests are being read.</p></div>'
        )
        left: list[ipywidgets.Widget] = [self.counts]
        if take_ledger:
            take = take_ledger
            self.ledger = WorkButton(
                "Check that no event is lost or doubled", "Take the ledger now",
                lambda notify: ledger_html(take(notify)), expect=EXPECT, begins="reads the records in Kafka",
            )  # fmt: skip
            head = ipywidgets.HTML('<div class="rt"><h2>Ledger</h2></div>')
            left = [head, self.ledger.button, self.ledger.text, self.counts]
        columns = [ipywidgets.VBox(left), ipywidgets.VBox([self.checks])]
        self.widget = ipywidgets.HBox([column.add_class("rt-column") for column in columns]).add_class("rt-quality")

    def show(self, data: Quality, steps: Sequence[JobStep]) -> None:
        """Show the newest counts, tests and comparison."""
        self.counts.value = f'<div class="rt">{_counts(data)}{_reasons(data)}</div>'
        self.checks.value = f'<div class="rt">{_layers(data)}{_tests(data, steps)}</div>'


def ledger_html(ledger: Ledger) -> str:
    """The ledger with a verdict for readers of the page, which may be taken while events flow."""
    return ledger_view.table(ledger, verdict=_verdict(ledger))


def _verdict(ledger: Ledger) -> str:
    if ledger.verdict is not Verdict.NOT_FINAL:
        return ledgers.verdict(ledger)
    if not ledger.records_sent:
        return "Nothing was sent yet, so there is nothing to prove."
    flying = sum(records.count for records in ledger.in_flight_at) or ledger.in_flight
    return (
        f"Nothing lost, nothing doubled so far. {formatting.format_quantity(flying, 'records')} on the way: while "
        "events flow, some always are, so the verdict is not final."
    )


def _counts(data: Quality) -> str:
    return (
        f'<h2>Counts</h2><table class="rt-table"><tr><td>{count(data.events)}</td><td>events in the warehouse</td></tr>'
        f"<tr><td>{count(data.duplicates)}</td><td>duplicates removed</td></tr>"
        f"<tr><td>{count(data.rejected)}</td><td>records rejected</td></tr></table>"
    )


def _reasons(data: Quality) -> str:
    frequent = list(data.reasons.items())[:MAX_REASONS]
    rows = "".join(f"<tr><td>{count(rejected)}</td><td>{escape(reason)}</td></tr>" for reason, rejected in frequent)
    rows = rows or "<tr><td>No record was rejected.</td></tr>"
    return f'<h2>Why records were rejected</h2><table class="rt-table">{rows}</table>'


def _layers(data: Quality) -> str:
    return (
        f"<h2>Speed layer against recomputation</h2><p>{data.windows:,} windows are closed. "
        f"{data.late:,} of them count fewer events than the warehouse holds, because the others were behind the "
        "watermark. "
        f"<b>{data.not_measured:,}</b> were never measured: the speed layer has no row for them. "
        f"<b>{data.unexplained:,}</b> differ for an unknown reason.</p>"
    )


def _tests(data: Quality, steps: Sequence[JobStep]) -> str:
    """dbt's last tests by model, and how far a running build is."""
    build = [step for step in steps if step.job is BatchJob.DBT]
    running = steps_html([step for step in build if step.state != "done"])
    if data.report is None:
        coming = [step for step in steps if step.job in (BatchJob.HISTORY, BatchJob.DBT)]
        text = "dbt tests the marts with each build; the first build follows the history. The results appear here."
        return f"<h2>Tests by model</h2><p>{text}</p>{steps_html(coming)}"
    report = data.report
    summary = f"{report.passed} tests passed, {len(report.failed)} failed, {report.at:%d %b %H:%M} UTC"
    failed = "".join(f"<li>{escape(check.summary)}</li>" for check in report.failed)
    ages = "".join(
        f"<tr><td>{escape(reading.name)}, when dbt checked</td>"
        f"<td>{escape(formatting.format_quantity(reading.value, reading.unit))}</td></tr>"
        for reading in data.freshness
    )
    return (
        f'<h2>Tests by model</h2>{running}<p>{summary}</p><ul class="rt-wrong-tests">{failed}</ul>'
        f'{model_tests(report)}<table class="rt-table">{ages}</table>'
    )


def model_tests(report: BuildReport) -> str:
    """A row for each tested model: tests passed and failed, and its rows; models with failures first."""
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    wrong = set(report.failed)
    for check in report.checks:
        (failed if check in wrong else passed)[check.model] += check.status != "skipped"
    rows = "".join(
        f'<tr class="{"rt-wrong" if failed[name] else ""}"><th scope="row">{escape(name)}</th><td>{passed[name]}</td>'
        f"<td>{failed[name]}</td><td>{_rows(report, name)}</td></tr>"
        for name in sorted({*passed, *failed}, key=lambda name: (-failed[name], name))
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("Model", "Passed", "Failed", "Rows"))
    return f'<table class="rt-table rt-tests"><tr>{head}</tr>{rows}</table>'


def _rows(report: BuildReport, name: str) -> str:
    node = report.by_name.get(name)
    return "" if node is None or node.rows is None else count(node.rows)
