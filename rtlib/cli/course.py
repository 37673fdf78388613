"""The verbs of the course: a learner's progress, and the lessons without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings

if TYPE_CHECKING:
    from rtlib.lessons.report import LessonProgress

course = typer.Typer(help="Show your progress in the lessons, run them headless.")
app.add_typer(course, name="course", no_args_is_help=True)


@course.command()
def status(
    export: Annotated[Path | None, typer.Option("--export", help="Write the progress to this file, as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Show which exercises are solved, and which comes next.

    The progress is in course.json of the state folder; 'rtlib reset' keeps it unless --progress is given.
    """
    from rtlib.lessons import progress, report

    current = progress.load(load_settings().home)
    content = report.to_json(current)
    if export:
        export.write_text(json.dumps(content, indent=1), encoding="utf-8")
        say(f"written to {export}")
    if as_json:
        print_json(content)
    else:
        _print_table(report.by_lesson(current))


@course.command()
def run(
    only: Annotated[str, typer.Option("--only", help="Numbers of lessons, for example 02,03; by default all.")] = "",
    solved: Annotated[bool, typer.Option("--solved", help="Run the solved notebooks.")] = False,
    domain: Annotated[str | None, typer.Option("--domain", help="Fail unless the stack runs this domain.")] = None,
    to: Annotated[Path, typer.Option("--to", help="Folder of the executed notebooks and the report.")] = Path("course"),
    as_json: Json = False,
) -> None:
    """Execute lessons from their first cell to their last.

    Each is written as an executed notebook, and all together to report.html: how long each took, which checks passed,
    and the error of one that failed. The stack must be running, except for lessons 06 and 07. Exit code 1 when a lesson
    fails, or with --solved when a check does not pass.
    """
    from rtlib.lessons import headless

    chosen = headless.lessons(only, solved=solved, domain=domain, settings=load_settings())
    runs = headless.execute(chosen, to=to, notify=say)
    ok = all(run.ok(solved=solved) for run in runs)
    if as_json:
        print_json({"ok": ok, "lessons": [run.to_json() for run in runs]})
    else:
        typer.echo(
            f"{to / headless.REPORT}: {sum(not run.error for run in runs)} of {len(runs)} lessons ran to their end"
        )
    raise typer.Exit(0 if ok else 1)


def _print_table(lessons: list[LessonProgress]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("lesson", "solved", "next"):
        table.add_column(heading, justify="right" if heading == "solved" else "left", no_wrap=True)
    for each in lessons:
        table.add_row(each.lesson, f"{each.solved} of {each.exercises}", each.next or "-")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{sum(each.solved for each in lessons)} of {sum(each.exercises for each in lessons)} exercises solved"
    )
