"""The lessons, executed from their first cell to their last on the real stack.

The gate loads and measures less than a person would; with their own parameters the lessons run in
``tests/own_stack/test_lessons_by_domain.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from rtlib.broker.registry import subjects
from rtlib.broker.topics import topics
from rtlib.config import Settings
from support.notebooks import FOLDER, ON_A_STACK
from support.stack import QUICK_JAVA, Stack

pytestmark = pytest.mark.integration

# The cells before this text run twice each, because they write to Kafka; the rest of the lesson runs once.
TWICE_UNTIL = {"01_kafka": "delete_topics", "04_break_it": "ledger.take("}
SMALLER: dict[str, dict[str, Any]] = {
    "01_kafka": {"orders": 9},
    "02_spark": {"measure_batches": 6},
    "05_dbt": {"days": 2},
}


@pytest.fixture
def run(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Executes a lesson with these parameters and returns its notebook; a cell that fails is an error."""
    for name, value in {**QUICK_JAVA, "RTLIB_HOME": str(stack.home)}.items():
        monkeypatch.setenv(name, value)  # the kernel inherits it

    def execute(notebook: Any, **parameters: Any) -> Any:
        nbformat.write(notebook, tmp_path / "lesson.ipynb")
        return papermill.execute_notebook(
            tmp_path / "lesson.ipynb", tmp_path / "done.ipynb", parameters=parameters, kernel_name="python3",
            cwd=FOLDER, progress_bar=False, execution_timeout=180,
        )  # fmt: skip

    return execute


def read(lesson: str) -> Any:
    return nbformat.read(FOLDER / f"{lesson}.ipynb", as_version=4)


def each_cell_twice(notebook: Any, *, until: str) -> Any:
    """The lesson with every code cell twice, up to the cell that contains this text."""
    cells, twice = [], True
    for cell in notebook.cells:
        twice = twice and not (cell.cell_type == "code" and until in cell.source)
        again = twice and cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", ())
        cells += [cell, nbformat.v4.new_code_cell(cell.source)] if again else [cell]
    notebook.cells = cells
    return notebook


@pytest.mark.parametrize("lesson", sorted(ON_A_STACK - TWICE_UNTIL.keys()))
def test_a_lesson_runs_from_its_first_cell_to_its_last(run: Any, lesson: str) -> None:
    run(read(lesson), **SMALLER.get(lesson, {}))


def printed(notebook: Any) -> str:
    """The printed output of its cells."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.parametrize("lesson", TWICE_UNTIL)
def test_a_lesson_that_writes_to_kafka_runs_though_cells_run_twice_and_leaves_no_topic_or_subject(
    settings: Settings, run: Any, lesson: str
) -> None:
    before = topics(settings), subjects(settings)
    done = run(each_cell_twice(read(lesson), until=TWICE_UNTIL[lesson]), **SMALLER.get(lesson, {}))
    assert (topics(settings), subjects(settings)) == before
    assert len(printed(done)) > 0
    if lesson == "01_kafka":
        text = printed(done)
        # Nine orders and one sent twice: read by the second group, and by the replay.
        assert text.count("11 (no guess yet)") == 4
        assert "refused {'site': 'oakland'} 'order' is a required property" in text
        assert 'order: type was "integer" and would be "string"' in text
        assert "the same bytes" in text
