"""A lesson's parameters are checked in its first cells, by one sentence that says what they may be."""

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
from rtlib.lessons import PARAMETERS, check
from support.notebooks import FOLDER, LESSONS, of_kind


def defaults(lesson: str) -> dict[str, Any]:
    """The parameters of a lesson as its cell sets them."""
    cell = next(one for one in of_kind(FOLDER / "py" / f"{lesson}.py", "code"))
    set_there: dict[str, Any] = {}
    exec(cell.source, set_there)
    return {name: value for name, value in set_there.items() if name != "__builtins__"}


EVERY = [(lesson, name) for lesson, known in PARAMETERS.items() for name in known]
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
def test_each_lesson_declares_its_parameters_and_checks_them_right_after_their_cell(source: Any) -> None:
    assert set(PARAMETERS[source.stem]) == set(defaults(source.stem))
    parameters, checks, *_ = of_kind(source, "code")
    called = [node for node in ast.walk(ast.parse(checks.source)) if isinstance(node, ast.Call)]
    assert [ast.unparse(one.func) for one in called] == ["check"]
    assert ast.literal_eval(called[0].args[0]) == source.stem
    asked = {keyword.arg: ast.unparse(keyword.value) for keyword in called[0].keywords}
    assert asked == {name: name for name in defaults(source.stem)}


@pytest.mark.parametrize("lesson", PARAMETERS)
def test_the_defaults_of_a_lesson_are_taken_as_they_are(lesson: str) -> None:
    given = defaults(lesson)
    taken = check(lesson, **given)
    assert (taken if isinstance(taken, tuple) else (taken,)) == tuple(given.values())


@pytest.mark.parametrize(("lesson", "name"), EVERY)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_a_wrong_value_is_refused_by_one_sentence_with_a_command_that_would_work(
    lesson: str, name: str, value: Any
) -> None:
    if name == "domain_name" and value == "":
        assert check(lesson, domain_name="") is None
        return
    with pytest.raises(ConfigError) as caught:
        check(lesson, **{name: value})
    assert caught.value.what.startswith(f"{name} must be ")
    assert repr(value)[:40] in caught.value.what
    assert "\n" not in caught.value.what
    assert len(caught.value.what) < 450
    (proposed,) = re.findall(rf"papermill {lesson}\.ipynb done\.ipynb -p {name} (.+)$", caught.value.cure)
    check(lesson, **{name: proposed.strip('"')})


@pytest.mark.parametrize(("lesson", "name"), [(lesson, name) for lesson, name in EVERY if name != "domain_name"])
def test_none_is_refused_where_it_has_no_meaning(lesson: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .*, not None"):
        check(lesson, **{name: None})


@pytest.mark.parametrize(
    ("lesson", "name", "value", "taken"),
    [
        ("05_dbt", "per_day", "200_000", 200_000),
        ("05_dbt", "per_day", " 5,000 ", 5_000),
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
def test_what_can_only_mean_one_thing_is_taken(lesson: str, name: str, value: Any, taken: Any) -> None:
    found = check(lesson, **{name: value})
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(("value", "low"), [(0, False), (1, True), (200_000, True), (200_001, False), (True, False)])
def test_the_bounds_themselves_are_taken_and_nothing_beyond(value: int, low: bool) -> None:
    if low:
        assert check("05_dbt", per_day=value) == value
    else:
        with pytest.raises(ConfigError, match="a whole number from 1 to 200,000"):
            check("05_dbt", per_day=value)


def test_a_name_that_is_nearly_right_is_named_in_the_cure() -> None:
    with pytest.raises(ConfigError) as caught:
        check("04_break_it", first_fault="kill-werehouse")
    assert caught.value.cure.endswith("-p first_fault kill-warehouse")


def test_a_notebook_shows_the_sentence_and_no_traceback(tmp_path: Any) -> None:
    source = FOLDER / "py" / "05_dbt.py"
    notebook = jupytext.read(source)
    notebook.cells = notebook.cells[
        : 1 + next(place for place, cell in enumerate(notebook.cells) if "check(" in cell.source)
    ]
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        papermill.execute_notebook(
            tmp_path / "lesson.ipynb", tmp_path / "done.ipynb", parameters={"per_day": "many"}, kernel_name="python3",
            cwd=FOLDER.parent, progress_bar=False,
        )  # fmt: skip
    assert caught.value.ename == "ConfigError"
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in caught.value.traceback] == [
        "ConfigError: per_day must be a whole number from 1 to 200,000, not 'many'",
        "  Cure: change it in the parameters cell, or: papermill 05_dbt.ipynb done.ipynb -p per_day 10",
    ]
