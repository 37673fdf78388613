"""The lessons, executed from their first cell to their last on the real stack."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from rtlib.broker.registry import subjects
from rtlib.broker.topics import topics
from rtlib.config import Settings
from support.notebooks import FOLDER, every_lesson_on_a_stack, run_lesson
from support.stack import Stack

pytestmark = pytest.mark.integration


@every_lesson_on_a_stack
def test_a_lesson_runs_from_its_first_cell_to_its_last(stack: Stack, lesson: Path) -> None:
    done = run_lesson(lesson, stack.home)
    assert done.returncode == 0, done.stdout[-4000:]


def printed(notebook: Any) -> str:
    """The printed output of its cells."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def test_the_kafka_lesson_can_run_again_and_leaves_no_topic_or_subject(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(settings.home))  # the kernel inherits it
    before = topics(settings), subjects(settings)
    done = papermill.execute_notebook(
        FOLDER / "01_kafka.ipynb", tmp_path / "done.ipynb", parameters={"orders": 9}, kernel_name="python3",
        cwd=tmp_path, progress_bar=False, execution_timeout=180,
    )  # fmt: skip
    text = printed(done)
    assert text.count("10 (no guess yet)") == 2  # read by the second group, and by the replay
    assert "refused {'site': 'oakland'} 'order' is a required property" in text
    assert 'order: type was "integer" and would be "string"' in text
    assert "the same bytes" in text
    assert (topics(settings), subjects(settings)) == before


def each_cell_twice(lesson: str, *, until: str) -> Any:
    """A lesson with every cell twice, up to the cell that contains this text, and then its last cell."""
    notebook = nbformat.read(FOLDER / f"{lesson}.ipynb", as_version=4)
    *cells, last = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    run = [source for cell in takewhile(lambda cell: until not in cell, cells) for source in (cell, cell)]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (*run, last)]
    return notebook


@pytest.mark.parametrize(("lesson", "until"), [("01_kafka", "delete_topics"), ("04_break_it", "ledger.take(")])
def test_each_cell_of_a_lesson_that_writes_to_kafka_can_run_twice(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lesson: str, until: str
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(settings.home))  # the kernel inherits it
    before = topics(settings), subjects(settings)
    nbformat.write(each_cell_twice(lesson, until=until), tmp_path / "twice.ipynb")
    papermill.execute_notebook(
        tmp_path / "twice.ipynb", tmp_path / "done.ipynb", kernel_name="python3", cwd=tmp_path, progress_bar=False,
        execution_timeout=180,
    )  # fmt: skip
    assert (topics(settings), subjects(settings)) == before
