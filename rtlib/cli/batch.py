"""The verbs of the batch jobs: run them, show them, pause and resume their schedule."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings

if TYPE_CHECKING:
    from rtlib.pipeline.batch_status import JobStatus

batch = typer.Typer(help="Run the batch jobs by hand, show them, pause their schedule.")
app.add_typer(batch, name="batch", no_args_is_help=True)

JobNames = Annotated[
    list[str] | None, typer.Argument(help="history, dbt, forecast, plan, report, retention; by default all of them.")
]


@batch.command()
def run(
    jobs: JobNames = None,
    reason: Annotated[str, typer.Option("--reason", help="Recorded with the run.")] = "by hand",
    as_json: Json = False,
) -> None:
    """Run batch jobs now, in the order given.

    Jobs run one at a time: if the schedule or another terminal runs a job, this waits for its end. A job that fails
    ends the command; what earlier runs wrote stays.
    """
    from rtlib.app.lifecycle import interrupt_on_signal
    from rtlib.pipeline.batch import known_job, run_job
    from rtlib.records import BatchJob

    settings = load_settings()
    chosen = [known_job(name) for name in jobs or BatchJob]
    with interrupt_on_signal():
        for job in chosen:
            say(f"{job}: begins")
            run_job(settings, job, reason=reason, notify=lambda line, job=job: say(f"{job}: {line}"))  # type: ignore[misc]
    if as_json:
        print_json({"jobs": list(chosen)})


@batch.command()
def status(as_json: Json = False) -> None:
    """Show the last and the next run of each batch job."""
    from rtlib.pipeline.batch_status import current_statuses

    statuses = current_statuses(load_settings())
    if as_json:
        print_json({"jobs": [{**asdict(status), "state": status.state} for status in statuses]})
    else:
        _print_table(statuses)


@batch.command()
def pause() -> None:
    """Pause the schedule; a job that is running is completed."""
    from rtlib.pipeline import runs

    runs.pause(load_settings())
    typer.echo("the schedule is paused; continue with: rtlib batch resume")


@batch.command()
def resume() -> None:
    """Resume the schedule; jobs run again when they are due."""
    from rtlib.pipeline import runs

    runs.resume(load_settings())
    typer.echo("the schedule continues; 'rtlib batch run' runs jobs at once")


def _print_table(statuses: list[JobStatus]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("job", "state", "began", "took", "rows", "next"):
        table.add_column(heading, justify="right" if heading in ("took", "rows") else "left", no_wrap=True)
    for status in statuses:
        table.add_row(status.job, status.state, *status.cells())
    Console(highlight=False).print(table)
    for status in statuses:
        if status.running or status.error:
            typer.echo(f"{status.job}: {status.running or status.error}")
