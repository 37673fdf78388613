"""The lessons, and the cells of their sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jupytext
import pytest

from support.project import ROOT, script
from support.stack import clean_environment

FOLDER = ROOT / "notebooks"
SOURCES = sorted((FOLDER / "py").glob("*.py"))
SOLVED = FOLDER / "solved"
write_lessons = script("write_lessons")
LESSONS = [source for source in SOURCES if source.stem[0].isdigit()]

NEED_NO_STACK = {source.stem for source in LESSONS if "needs no running stack" in source.read_text(encoding="utf-8")}


def each(lessons: set[str]) -> pytest.MarkDecorator:
    """Runs a test for each of these lessons, whose notebook it gets as ``lesson``."""
    return pytest.mark.parametrize(
        "lesson", [FOLDER / f"{name}.ipynb" for name in sorted(lessons)], ids=lambda path: path.stem
    )


ON_A_STACK = {source.stem for source in LESSONS} - NEED_NO_STACK
every_lesson = each({source.stem for source in LESSONS})
every_lesson_without_a_stack = each(NEED_NO_STACK)


def of_kind(source: Path, kind: str) -> list[Any]:
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]


def run_lesson(notebook: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a lesson from its first cell to its last on the stack of a state folder."""
    command = [sys.executable, "-m", "pytest", "--nbmake", "--nbmake-timeout=180", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, str(notebook)],
        cwd=ROOT,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        timeout=400,
    )
