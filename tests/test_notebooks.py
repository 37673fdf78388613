"""The lessons keep their form: sources and notebooks in step, nothing run, short cells, more prose than code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SOURCES = sorted((FOLDER / "py").glob("*.py"))
LESSONS = [source for source in SOURCES if source.stem[0].isdigit()]
LONGEST_CELL = 10  # lines of code, blank ones left out

every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
every_lesson = pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)


def committed(source: Path) -> Any:
    """The notebook that belongs to a source."""
    return nbformat.read(FOLDER / f"{source.stem}.ipynb", as_version=4)


def told(notebook: Any) -> list[tuple[str, str, list[str]]]:
    """What a notebook says, cell by cell: the kind of cell, its text, its tags."""
    return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def of_kind(source: Path, kind: str) -> list[Any]:
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]


def written(cells: list[Any]) -> int:
    """How many characters were written, blanks left out."""
    return sum(len("".join(cell.source.split())) for cell in cells)


def bullets(cell: Any) -> list[str]:
    return [line for line in cell.source.splitlines() if line.startswith("- ")]


def test_there_are_lessons() -> None:
    assert {"00_start", "01_kafka"} <= {source.stem for source in LESSONS}


def test_each_notebook_has_a_source_and_each_source_a_notebook() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {path.stem for path in SOURCES}


@every_notebook
def test_source_and_notebook_say_the_same(source: Path) -> None:
    assert told(committed(source)) == told(jupytext.read(source)), "cure: .venv/bin/jupytext --sync notebooks/py/*.py"


@every_notebook
def test_no_outputs_are_committed(source: Path) -> None:
    run = [cell.id for cell in committed(source).cells if cell.get("outputs") or cell.get("execution_count")]
    assert run == []


@every_notebook
def test_a_notebook_is_valid_and_runs_on_any_python3_kernel(source: Path) -> None:
    notebook = committed(source)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


@every_lesson
def test_code_cells_are_short(source: Path) -> None:
    lines = {cell.source: len([line for line in cell.source.splitlines() if line.strip()])
             for cell in of_kind(source, "code")}  # fmt: skip
    assert {cell: count for cell, count in lines.items() if count > LONGEST_CELL} == {}


@every_lesson
def test_each_code_cell_is_introduced_by_prose(source: Path) -> None:
    kinds = [cell.cell_type for cell in jupytext.read(source).cells]
    assert ("code", "code") not in set(zip(kinds, kinds[1:], strict=False))
    assert kinds[0] == kinds[-1] == "markdown"


@every_lesson
def test_there_is_at_least_as_much_prose_as_code(source: Path) -> None:
    assert written(of_kind(source, "markdown")) >= written(of_kind(source, "code"))


@every_lesson
def test_the_first_code_cell_holds_the_parameters(source: Path) -> None:
    tagged = ["parameters" in cell.metadata.get("tags", []) for cell in of_kind(source, "code")]
    assert tagged[0]
    assert sum(tagged) == 1


@every_lesson
def test_a_lesson_closes_with_what_it_promised(source: Path) -> None:
    first, *_, last = of_kind(source, "markdown")
    assert "You will learn\n\n- " in first.source
    assert "You have learned\n\n- " in last.source
    assert bullets(first) == bullets(last)


@every_lesson
def test_a_lesson_asks_the_reader_to_predict(source: Path) -> None:
    assert sum("**Predict" in cell.source for cell in of_kind(source, "markdown")) >= 2


@every_lesson
def test_no_lesson_captures_outputs_in_a_widget(source: Path) -> None:
    """A notebook that runs without a browser can then wait for ever (jupyter/nbclient#312); a FigureWidget does not."""
    code = "\n".join(cell.source for cell in of_kind(source, "code"))
    assert [word for word in ("interactive_output", "widgets.Output", "widgets.interact") if word in code] == []
