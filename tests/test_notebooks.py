"""The notebooks as files: paired with their sources, without outputs, and built as lessons are."""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
ALL = sorted(FOLDER.glob("*.ipynb"))
LONGEST_CELL = 12  # lines; about eight is the aim


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def names(path: Path) -> str:
    return path.stem


def test_there_are_lessons() -> None:
    assert [path.stem for path in LESSONS][:2] == ["00_start", "01_kafka"]


@pytest.mark.parametrize("path", ALL, ids=names)
def test_a_notebook_is_in_step_with_its_source(path: Path) -> None:
    source = jupytext.read(FOLDER / "py" / f"{path.stem}.py")
    cells = [(cell.cell_type, cell.source) for cell in read(path).cells]
    assert cells == [(cell.cell_type, cell.source) for cell in source.cells], (
        f"cd notebooks/py && jupytext --to ipynb --output ../{path.name} {path.stem}.py"
    )


@pytest.mark.parametrize("path", ALL, ids=names)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_code_cells_are_short_and_the_first_holds_the_parameters(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert "parameters" in code[0].metadata.get("tags", [])
    assert [cell.source for cell in code if len(cell.source.splitlines()) > LONGEST_CELL] == []


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_a_lesson_says_what_one_will_learn_and_closes_with_the_same(path: Path) -> None:
    prose = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    promised = [line for line in prose[0].splitlines() if line.startswith("- ")]
    kept = [line for line in prose[-1].splitlines() if line.startswith("- ")]
    assert "You will learn" in prose[0]
    assert "You have learned" in prose[-1]
    assert promised == kept != []


@pytest.mark.parametrize("path", LESSONS, ids=names)
def test_a_lesson_asks_the_reader_to_predict(path: Path) -> None:
    assert sum("redict" in cell.source for cell in read(path).cells if cell.cell_type == "markdown") >= 2
