"""Write the notebooks: from notebooks/py the learner's ones (notebooks/) and the solved ones (notebooks/solved/).

Run it after a change to a lesson or an exercise: ``.venv/bin/python scripts/write_lessons.py``. A cell of a source that
names an exercise (``# %% exercise="02.1"``, after a Markdown cell that does) is written from that exercise, with its
solution between the marks of nbgrader. With ``--check`` nothing is written; exit code 1 if something would change.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from rtlib.lessons import cells
from rtlib.lessons.exercises import find

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
FOLDERS = {"starter": NOTEBOOKS, "solved": NOTEBOOKS / "solved"}


def main() -> None:
    """Write what differs, or list it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing; exit code 1 if something would change")
    only_check: bool = arguments.parse_args().check
    stale = [(path, text) for path, text in files() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path, text in stale:
        sys.stdout.write(f"{'differs' if only_check else 'written'}: {path.relative_to(NOTEBOOKS.parent)}\n")
        if not only_check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    sys.exit(1 if only_check and stale else 0)


def files() -> Iterator[tuple[Path, str]]:
    """Each file of the lessons, with the text that it should have."""
    for source in sorted((NOTEBOOKS / "py").glob("*.py")):
        lesson = completed(jupytext.read(source))
        yield source, jupytext.writes(lesson, fmt="py:percent")
        yield FOLDERS["starter"] / f"{source.stem}.ipynb", written(notebook(lesson, source.stem, "starter"))
        if any("exercise" in cell.metadata for cell in lesson.cells):
            yield FOLDERS["solved"] / f"{source.stem}.ipynb", written(notebook(lesson, source.stem, "solved"))


def completed(lesson: Any) -> Any:
    """The lesson with the cells of its exercises."""
    lesson.metadata.get("jupytext", {}).pop("formats", None)  # the notebooks are made here, not paired by jupytext
    for cell in lesson.cells:
        if "exercise" in cell.metadata:
            exercise = find(cell.metadata["exercise"])
            cell.source = cells.text(exercise) if cell.cell_type == "markdown" else cells.source(exercise)
    return lesson


def notebook(lesson: Any, name: str, kind: str) -> Any:
    """The learner's notebook (``starter``) or the solved one (``solved``)."""
    made = deepcopy(lesson)
    made.metadata.pop("jupytext", None)
    code = cells.starter if kind == "starter" else cells.solved
    for number, cell in enumerate(made.cells):
        cell.metadata.pop("lines_to_next_cell", None)  # how the source is spaced
        cell.id = hashlib.sha256(f"{name}:{number}".encode()).hexdigest()[:8]  # the same whenever it is written
        if "exercise" in cell.metadata and cell.cell_type == "code":
            cell.source = code(find(cell.metadata["exercise"]))
    return made


def written(made: Any) -> str:
    """A notebook as the text of its file."""
    return f"{nbformat.writes(made, version=4)}\n"


if __name__ == "__main__":
    main()
