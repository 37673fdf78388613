"""The parameters of a lesson are checked in its first cells; an error says in one sentence what is accepted."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from typing import Any

import jupytext
import nbformat
import papermill
import pytest

from rtlib.errors import ConfigError
from rtlib.lessons import PARAMETERS, parameters
from support.notebooks import FOLDER, LESSONS, of_kind


def defaults(lesson: str) -> dict[str, Any]:
    """The parameters of a lesson with the values of its parameters cell."""
    cell = of_kind(FOLDER / "py" / f"{lesson}.py", "code")[0]
    names: dict[str, Any] = {}
    exec(cell.source, names)
    return {name: value for name, value in names.items() if name != "__builtins__"}


ALL_PARAMETERS = [(lesson, name) for lesson, parameters in PARAMETERS.items() for name in parameters]
WRONG = (
    "many",
    "",
    "1; drop table",
    -1,
    0.5,
    10**30,
    "9" * 400,
    float("nan"),
    float("inf"),
    [7],
    {"a": 1},
    b"7",
    Decimal(7),
)


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_checks_its_parameters_right_after_their_cell(source: Any) -> None:
    assert set(PARAMETERS[source.stem]) == set(defaults(source.stem))
    _, checks, *_ = of_kind(source, "code")
    calls = [node for node in ast.walk(ast.parse(checks.source)) if isinstance(node, ast.Call)]
    assert [ast.unparse(call.func) for call in calls] == ["parameters"]
    assert ast.literal_eval(calls[0].args[0]) == source.stem
    checked = {keyword.arg: ast.unparse(keyword.value) for keyword in calls[0].keywords}
    assert checked == {name: name for name in defaults(source.stem)}


@pytest.mark.parametrize("lesson", PARAMETERS)
def test_the_defaults_of_a_lesson_are_accepted_unchanged(lesson: str) -> None:
    values = defaults(lesson)
    checked = parameters(lesson, **values)
    assert (checked if isinstance(checked, tuple) else (checked,)) == tuple(values.values())


@pytest.mark.parametrize(("lesson", "name"), ALL_PARAMETERS)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_a_wrong_value_is_refused_in_one_sentence_with_a_command_that_works(lesson: str, name: str, value: Any) -> None:
    if name == "domain_name" and value == "":
        assert parameters(lesson, domain_name="") is None
        return
    with pytest.raises(ConfigError) as caught:
        parameters(lesson, **{name: value})
    assert caught.value.what.startswith(f"{name} must be ")
    assert repr(value)[:40] in caught.value.what
    assert "\n" not in caught.value.what
    assert len(caught.value.what) < 450
    (proposed,) = re.findall(rf"papermill {lesson}\.ipynb done\.ipynb -p {name} (.+)$", caught.value.cure)
    parameters(lesson, **{name: proposed.strip('"')})


@pytest.mark.parametrize(
    ("lesson", "name"), [(lesson, name) for lesson, name in ALL_PARAMETERS if name != "domain_name"]
)
def test_none_is_refused_unless_it_has_a_meaning(lesson: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .*, not None"):
        parameters(lesson, **{name: None})


@pytest.mark.parametrize(
    ("lesson", "name", "value", "expected"),
    [
        ("07_staffing", "per_day", "200_000", 200_000),
        ("07_staffing", "per_day", " 5,000 ", 5_000),
        ("05_dbt", "days", 7.0, 7),
        ("02_spark", "delay", 45, "45 seconds"),
        ("02_spark", "delay", "2 minutes", "2 minutes"),
        ("06_forecasts", "interval_minutes", "30", 30),
        ("06_forecasts", "domain_name", None, None),
        ("06_forecasts", "domain_name", "IoT", "iot"),
        ("08_alerts", "surge", "true", True),
        ("08_alerts", "surge", 0, False),
        ("09_explain", "language", "french", "French"),
    ],
)
def test_an_unambiguous_value_is_converted(lesson: str, name: str, value: Any, expected: Any) -> None:
    checked = parameters(lesson, **{name: value})
    assert (checked, type(checked)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "accepted"), [(999, False), (1_000, True), (1_000_000, True), (1_000_001, False), (True, False)]
)
def test_the_bounds_are_inclusive(value: int, accepted: bool) -> None:
    if accepted:
        assert parameters("07_staffing", per_day=value) == value
    else:
        with pytest.raises(ConfigError, match="a whole number from 1,000 to 1,000,000"):
            parameters("07_staffing", per_day=value)


def test_the_cure_names_the_most_similar_name() -> None:
    with pytest.raises(ConfigError) as caught:
        parameters("04_break_it", first_fault="kill-werehouse")
    assert caught.value.cure.endswith("-p first_fault kill-warehouse")


def test_a_notebook_shows_the_message_without_a_traceback(tmp_path: Any) -> None:
    source = FOLDER / "py" / "05_dbt.py"
    notebook = jupytext.read(source)
    notebook.cells = notebook.cells[
        : 1 + next(place for place, cell in enumerate(notebook.cells) if "= parameters(" in cell.source)
    ]
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(
            tmp_path / "lesson.ipynb", tmp_path / "done.ipynb", parameters={"days": "many"}, kernel_name="python3",
            cwd=FOLDER.parent, progress_bar=False,
        )  # fmt: skip
    assert caught.value.ename == "ConfigError"
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in caught.value.traceback] == [
        "ConfigError: days must be a whole number from 1 to 366, not 'many'",
        "  Cure: change it in the parameters cell, or: papermill 05_dbt.ipynb done.ipynb -p days 10",
    ]
