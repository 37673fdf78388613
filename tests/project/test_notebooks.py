"""The form of the lessons: notebooks in step with their sources, without outputs, short cells, more prose than code."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any

import jupytext
import matplotlib
import nbformat
import pandas as pd
import pytest

from rtlib.bi import MEASURES, PAGES, Visual
from rtlib.bi.report import COLOURS
from rtlib.config import DOMAINS, Settings
from rtlib.lessons.exercises import of_lesson
from support.notebooks import FOLDER, LESSONS, SOLVED, SOURCES, of_kind, write_lessons

MAX_CODE_LINES = 10  # in a cell, without blank lines
OPEN_EXERCISES = {"09_explain"}  # lessons whose exercises have no single answer that could be folded away

every_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
every_lesson = pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)


def committed(source: Path) -> Any:
    """The committed notebook of a source."""
    return nbformat.read(FOLDER / f"{source.stem}.ipynb", as_version=4)


def characters(cells: list[Any]) -> int:
    """The number of characters without white space."""
    return sum(len("".join(cell.source.split())) for cell in cells)


def paragraphs(cell: Any) -> list[str]:
    """The paragraphs of a cell, without folded text."""
    visible = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
    return [paragraph.strip() for paragraph in visible.split("\n\n") if paragraph.strip()]


def code_of(source: Path, *names: str) -> str:
    """The code cells that define any of these names, in their order."""
    cells = [cell.source for cell in of_kind(source, "code")]
    return "\n".join(cell for cell in cells if any(re.search(rf"^(def )?{name}\b.*[=:]", cell, re.M) for name in names))


def bullets(cell: Any) -> list[str]:
    return [line for line in cell.source.splitlines() if line.startswith("- ")]


def test_there_are_lessons() -> None:
    assert {"00_start", "01_kafka"} <= {source.stem for source in LESSONS}


def test_each_notebook_has_a_source_and_each_source_a_notebook() -> None:
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {path.stem for path in SOURCES}


def test_a_lesson_with_exercises_has_a_solved_notebook() -> None:
    with_exercises = {source.stem for source in LESSONS if 'exercise="' in source.read_text(encoding="utf-8")}
    assert {path.stem for path in SOLVED.glob("*.ipynb")} == with_exercises


def test_sources_and_notebooks_are_as_written_from_the_exercises() -> None:
    stale = [path.name for path, text in write_lessons.files() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "cure: .venv/bin/python scripts/write_lessons.py"


def test_each_exercise_is_in_its_lesson_once_in_order() -> None:
    for source in LESSONS:
        named = [cell.metadata.get("exercise") for cell in of_kind(source, "code")]
        assert [name for name in named if name] == [each.id for each in of_lesson(source.stem[:2])]


def test_an_exercise_names_a_heading_of_its_lesson() -> None:
    for source in LESSONS:
        prose = "\n".join(cell.source for cell in of_kind(source, "markdown"))
        missing = [each.place for each in of_lesson(source.stem[:2]) if f"## {each.place}\n" not in prose]
        assert missing == []


@every_lesson
def test_predictions_are_numbered_in_their_order(source: Path) -> None:
    code = "\n".join(cell.source for cell in of_kind(source, "code"))
    named = re.findall(r'predict\("([\w.]+)"', code)
    assert named == [f"{source.stem[:2]}.{letter}" for letter in ascii_lowercase[: len(named)]]


@every_notebook
def test_no_outputs_are_committed(source: Path) -> None:
    executed = [cell.id for cell in committed(source).cells if cell.get("outputs") or cell.get("execution_count")]
    assert executed == []


@every_notebook
def test_a_notebook_is_valid_and_runs_on_any_python3_kernel(source: Path) -> None:
    notebook = committed(source)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


@every_lesson
def test_code_cells_are_short(source: Path) -> None:
    lines = {cell.source: len([line for line in cell.source.splitlines() if line.strip() and "### " not in line])
             for cell in of_kind(source, "code")}  # fmt: skip
    assert {cell: count for cell, count in lines.items() if count > MAX_CODE_LINES} == {}


@every_lesson
def test_each_code_cell_is_introduced_by_prose(source: Path) -> None:
    kinds = [cell.cell_type for cell in jupytext.read(source).cells]
    assert ("code", "code") not in set(zip(kinds, kinds[1:], strict=False))
    assert kinds[0] == kinds[-1] == "markdown"


@every_lesson
def test_there_is_at_least_as_much_prose_as_code(source: Path) -> None:
    assert characters(of_kind(source, "markdown")) >= characters(of_kind(source, "code"))


@every_lesson
def test_the_first_code_cell_holds_the_parameters(source: Path) -> None:
    tagged = ["parameters" in cell.metadata.get("tags", []) for cell in of_kind(source, "code")]
    assert tagged[0]
    assert sum(tagged) == 1


@every_lesson
def test_a_lesson_closes_with_the_points_of_its_opening(source: Path) -> None:
    first, *_, last = of_kind(source, "markdown")
    assert "You will learn\n\n- " in first.source
    assert "You have learned\n\n- " in last.source
    assert bullets(first) == bullets(last)


@every_lesson
def test_a_lesson_asks_the_reader_to_predict(source: Path) -> None:
    assert sum("**Predict" in cell.source for cell in of_kind(source, "markdown")) >= 2


@every_lesson
def test_no_lesson_captures_outputs_in_a_widget(source: Path) -> None:
    """Without a browser such a notebook can wait without end (jupyter/nbclient#312); a FigureWidget does not."""
    code = "\n".join(cell.source for cell in of_kind(source, "code"))
    assert re.findall(r"\b(?:interactive_output|interactive|interact_manual|interact|Output)\b", code) == []


@every_lesson
def test_a_question_ends_its_cell_so_that_the_answer_is_in_a_later_cell(source: Path) -> None:
    """After the question there may be only a list or folded text."""
    for cell in of_kind(source, "markdown"):
        prose = [paragraph for paragraph in paragraphs(cell) if not paragraph.startswith(("- ", "1. "))]
        assert [paragraph for paragraph in prose[:-1] if "**Predict" in paragraph] == []


@pytest.mark.parametrize(
    "source", [lesson for lesson in LESSONS if lesson.stem not in OPEN_EXERCISES], ids=lambda path: path.stem
)
def test_an_exercise_has_a_folded_hint_and_a_folded_answer(source: Path) -> None:
    for cell in of_kind(source, "markdown"):
        exercises = cell.source.count("**Try it:**")
        folded = re.findall(r"<details><summary>([\w ]+)</summary>\n\n.+?\n\n</details>", cell.source, re.DOTALL)
        assert folded == ["A hint", "The answer"] * exercises, cell.source[:80]


@every_lesson
def test_each_assertion_has_a_message(source: Path) -> None:
    assertions = [
        node
        for cell in of_kind(source, "code")
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Assert)
    ]
    assert assertions, "a lesson without an assertion lets a reader continue with a wrong result"
    assert [ast.unparse(node) for node in assertions if node.msg is None] == []


@every_lesson
def test_no_lesson_is_tied_to_a_domain(source: Path) -> None:
    constants = {
        node.value
        for cell in of_kind(source, "code")
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Constant)
    }
    assert constants & set(DOMAINS) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_page_of_the_report_can_be_chosen_and_drawn_in_the_lesson(page: Any) -> None:
    def rows(settings: Settings, visual: Visual) -> pd.DataFrame:
        labels = [column for column in (visual.category, visual.series, *visual.columns) if column]
        values = dict.fromkeys(visual.measures, [1.0, 2.0])
        return pd.DataFrame({**{column: ["a", "b"] for column in labels}, **values})

    names: dict[str, Any] = {
        "page_name": page.name,
        "settings": Settings(),
        "power_bi": SimpleNamespace(rows=rows),
        "MEASURES": MEASURES,
        "PAGES": PAGES,
    }
    exec(code_of(FOLDER / "py" / "10_bi.py", "page", "visual", "style", "draw"), names)
    assert names["visual"] in page.visuals
    drawn = [names["draw"](visual) for visual in page.visuals]
    charts = [chart for chart in drawn if not isinstance(chart, pd.DataFrame)]
    assert len(charts) == sum(visual.kind in ("line", "column") for visual in page.visuals) > 0
    for chart in charts:
        colours = [(trace.line if trace.type == "scatter" else trace.marker).color for trace in chart.data]
        assert colours == COLOURS[: len(colours)]
        assert chart.layout.title.text
        assert chart.layout.xaxis.title.text.endswith(("UTC", "site", "model", "outcome"))
        assert chart.layout.yaxis.title.text


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_message_counts_in_the_alert_lesson_hold_in_each_domain(domain: str) -> None:
    matplotlib.use("agg")
    names: dict[str, Any] = {"settings": Settings(domain=domain), "seed": 7}
    exec(code_of(FOLDER / "py" / "08_alerts.py", "rule", "values", "start").replace("plt.show()", ""), names)
    rule, messages_of = names["rule"], names["messages_of"]
    bare = replace(rule, clear=rule.threshold, lasting=timedelta(0), cooldown=timedelta(0))
    without_hysteresis = replace(rule, clear=rule.threshold)
    variants = (bare, replace(bare, clear=rule.clear), without_hysteresis, rule)
    assert [len(messages_of(variant)) for variant in variants] == [18, 2, 2, 2]
