"""Headless: executes lessons by papermill, and writes a report of their times, checks and errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from rtlib import private
from rtlib.config import Settings, project_root
from rtlib.errors import ConfigError
from rtlib.lessons.verdict import Status

REPORT = "report.html"
CELL_SECONDS = 600
_VERDICT = re.compile(r"Exercise (\d\d\.\d+): (" + "|".join(Status) + r")\.")
_ESCAPES = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True, slots=True)
class LessonRun:
    """The run of a lesson.

    Attributes:
        lesson: Its name, for example ``02_spark``.
        seconds: How long it took.
        checks: The outcome of each exercise.
        error: The error that ended it; empty if it ran to its end.
    """

    lesson: str
    seconds: float
    checks: dict[str, str]
    error: str = ""

    def ok(self, *, solved: bool) -> bool:
        """Whether it ran to its end and, if it is a solved one, every check passed."""
        return not self.error and (not solved or all(each == Status.RIGHT for each in self.checks.values()))

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def lessons(only: str, *, solved: bool, domain: str | None, settings: Settings) -> list[Path]:
    """The notebooks to run, in the order of the lessons.

    Args:
        only: Numbers of lessons with commas between; empty for all.
        solved: Whether to run the solved notebooks; a lesson without exercises has none, and is left out.
        domain: The domain that must run; None for any.
        settings: Those of the stack.

    Raises:
        ConfigError: There is no such lesson, or another domain runs.
    """
    if domain and domain != settings.domain:
        raise ConfigError(
            f"the stack runs {settings.domain}, not {domain}", cure=f"rtlib down && rtlib up --domain {domain}"
        )
    folder = project_root() / "notebooks" / ("solved" if solved else "")
    found = {path.stem[:2]: path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}
    chosen = [number.strip().zfill(2) for number in only.split(",") if number.strip()] or list(found)
    for number in chosen:
        if number not in found:
            raise ConfigError(f"there is no lesson {number[:10]} in {folder}", cure=f"use some of: {', '.join(found)}")
    return [found[number] for number in chosen]


def execute(notebooks: Sequence[Path], *, to: Path, notify: Callable[[str], None]) -> list[LessonRun]:
    """Execute notebooks one after the other; one that fails does not end the others.

    Args:
        notebooks: The notebooks.
        to: The folder of the executed ones and of the report; created if it is missing.
        notify: Called with a line of progress.
    """
    private.make_folder(to)
    runs = []
    for number, notebook in enumerate(notebooks, start=1):
        notify(f"{number} of {len(notebooks)}: {notebook.stem}")
        runs.append(_executed(notebook, to / notebook.name))
        notify(f"{notebook.stem}: {runs[-1].seconds:.0f} s, {_summary(runs[-1])}")
    (to / REPORT).write_text(page(runs), encoding="utf-8")
    return runs


def _executed(notebook: Path, target: Path) -> LessonRun:
    import papermill

    began, error = time.monotonic(), ""
    try:
        papermill.execute_notebook(
            notebook,
            target,
            kernel_name="python3",
            cwd=notebook.parent,
            progress_bar=False,
            execution_timeout=CELL_SECONDS,
        )
    except Exception as failure:  # whatever ends a lesson is what the report is for
        lines = _ESCAPES.sub("", str(failure)).strip().splitlines()
        error = lines[-1] if lines else type(failure).__name__
    return LessonRun(notebook.stem, round(time.monotonic() - began, 1), checks_of(target), error)


def checks_of(notebook: Path) -> dict[str, str]:
    """The outcome of each exercise in an executed notebook."""
    if not notebook.exists():
        return {}
    import nbformat

    outputs = [
        output["data"].get("text/plain", "")
        for cell in nbformat.read(notebook, as_version=4).cells  # type: ignore[no-untyped-call]
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    return {match[1]: match[2] for text in outputs for match in _VERDICT.finditer(text)}


def _summary(run: LessonRun) -> str:
    passed = sum(outcome == Status.RIGHT for outcome in run.checks.values())
    return f"{passed} of {len(run.checks)} checks passed" + (f"; {run.error}" if run.error else "")


def page(runs: Sequence[LessonRun]) -> str:
    """The report as a page of its own."""
    rows = "".join(
        f"<tr><td><a href='{escape(run.lesson)}.ipynb'>{escape(run.lesson)}</a></td><td>{run.seconds:.0f}</td>"
        f"<td>{escape(', '.join(f'{name} {outcome}' for name, outcome in run.checks.items()) or '-')}</td>"
        f"<td>{escape(run.error or '-')}</td></tr>"
        for run in runs
    )
    style = "body{font:16px sans-serif;color-scheme:light dark;margin:2em}"
    style += "td,th{text-align:left;padding:.3em 1em;vertical-align:top}"
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Lessons</title><style>{style}</style>"
        f"<h1>Lessons</h1><table><tr><th>lesson<th>seconds<th>checks<th>error</tr>{rows}</table></html>\n"
    )
