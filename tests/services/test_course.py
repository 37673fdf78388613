"""The calls of a lesson: check, hint, solution and given, with the progress that they keep."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from rtlib import cli
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.lessons import check, given, headless, hint, progress, report, solution
from rtlib.lessons.headless import LessonRun
from rtlib.lessons.progress import Progress, Record
from rtlib.lessons.verdict import Note, Status, Verdict, cut

RIGHT = "BACDF"  # exercise 06.5


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def record(home: Path, exercise: str = "06.5") -> Record:
    return progress.load(home).record(exercise)


# --- check, hint, solution ------------------------------------------------------------------------------------------


def test_a_right_answer_is_praised_and_kept(home: Path) -> None:
    verdict = check("06.5", RIGHT)
    assert (verdict.right, verdict.sentence) == (True, "well done. (a fair test in order)")
    assert (record(home).attempts, bool(record(home).right_at)) == (1, True)


def test_a_wrong_answer_counts_and_its_misconception_is_kept_once(home: Path) -> None:
    assert check("06.5", "EACDF").misconception == "leak"
    check("06.5", "EACDF")
    assert (record(home).attempts, record(home).misconceptions, record(home).right_at) == (2, ("leak",), "")


def test_a_blank_counts_as_no_attempt(home: Path) -> None:
    assert check("06.5", "___").status is Status.UNANSWERED
    assert record(home) == Record()


def test_a_wrong_answer_after_a_right_one_does_not_undo_it(home: Path) -> None:
    check("06.5", RIGHT)
    check("06.5", "EACDF")
    assert record(home).right_at


def test_a_wrong_answer_without_a_known_reason_offers_a_hint() -> None:
    assert check("06.5", "ABCDF").look_at == 'a hint: hint("06.5")'


def test_hints_come_one_after_the_other_and_the_last_stays(home: Path) -> None:
    titles = [hint("06.5").title for _ in range(4)]
    assert titles == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert record(home).hints == 3


def test_a_solution_is_shown_after_a_try_or_all_hints_and_not_before(home: Path) -> None:
    assert solution("06.5").title == "Not yet"
    check("06.5", "ABCDF")
    assert solution("06.5").code == 'backtest = "BACDF"'
    assert record(home).solution_seen
    for _ in range(3):
        hint("06.1")
    assert solution("06.1").code


def test_a_teacher_can_lock_the_solutions_until_the_exercise_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_LOCK_SOLUTIONS", "true")
    check("06.5", "ABCDF")
    assert solution("06.5").title == "Locked"
    check("06.5", RIGHT)
    assert solution("06.5").code


def test_the_numbers_of_a_learner_stay_the_same(home: Path) -> None:
    assert given("07.1") == given("07.1")
    drawn = set()
    for seed in range(20):
        progress.change(home, lambda before, seed=seed: Progress(seed))  # type: ignore[misc]
        drawn.add(given("07.1"))
    assert len(drawn) > 5


def test_a_folder_that_cannot_be_written_stops_no_lesson(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.mkdir()
    (home / "course.json.lock").mkdir()  # not even root can lock a folder
    assert given("07.1") == given("07.1")
    assert check("06.5", RIGHT).right


def test_a_torn_file_is_set_aside_and_begins_anew(home: Path) -> None:
    check("06.5", RIGHT)
    (home / "course.json").write_text('{"seed": 1')
    check("06.5", "ABCDF")
    assert record(home).attempts == 1
    assert (home / "course.torn").read_text() == '{"seed": 1'


# --- the report -----------------------------------------------------------------------------------------------------


def test_the_status_counts_solved_exercises_and_names_the_next(home: Path, tmp_path: Path) -> None:
    check("06.5", RIGHT)
    lesson = next(each for each in report.by_lesson(progress.load(home)) if each.lesson == "06")
    assert (lesson.solved, lesson.exercises, lesson.next) == (1, 5, "06.1 the same day of last week")
    shown = CliRunner().invoke(cli.app, ["course", "status", "--export", str(tmp_path / "mine.json")])
    assert shown.exit_code == 0
    assert re.search(r"^06 +1 of 5 +06.1 the same day of last week", shown.output, re.M)
    content = json.loads((tmp_path / "mine.json").read_text())
    assert (content["solved"], content["records"]["06.5"]["attempts"]) == (1, 1)


# --- what a learner reads -------------------------------------------------------------------------------------------


def test_a_verdict_reads_the_same_as_text_markdown_and_html_and_escapes_what_an_answer_printed() -> None:
    verdict = Verdict("02.1", Status.WRONG, "It is a < b.", "less", "the sign.", "Signs", "<script>")
    assert repr(verdict).splitlines()[:2] == ["✗ Exercise 02.1: wrong. It is a < b.", "  Look at: the sign."]
    assert "&lt;script&gt;" in verdict._repr_html_()
    assert "<script>" not in verdict._repr_html_() + verdict._repr_markdown_()
    assert "It is a &lt; b." in verdict._repr_markdown_()


def test_a_solution_is_shown_as_code() -> None:
    assert Note("A solution", "there are others.", "x = 1")._repr_markdown_().endswith("```python\nx = 1\n```")


def test_a_long_text_is_cut_to_a_line() -> None:
    assert cut("a\n b") == "a b"
    assert cut("x" * 700) == f"{'x' * 500}… (700 characters)"


# --- headless -------------------------------------------------------------------------------------------------------


def notebook(path: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, path)
    return path


def test_lessons_run_one_after_the_other_and_one_that_fails_ends_no_other(tmp_path: Path) -> None:
    import_check = "from rtlib.lessons import check"
    good = notebook(tmp_path / "98_good.ipynb", import_check, f'check("06.5", "{RIGHT}")', 'check("06.5", "___")')
    bad = notebook(tmp_path / "99_bad.ipynb", "1 / 0")
    lines: list[str] = []
    runs = headless.execute([bad, good], to=tmp_path / "out", notify=lines.append)
    assert [(run.lesson, run.checks, run.error) for run in runs] == [
        ("99_bad", {}, "ZeroDivisionError: division by zero"),
        ("98_good", {"06.5": "not answered yet"}, ""),
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "ZeroDivisionError" in page
    assert lines[0] == "1 of 2: 99_bad"
    assert (tmp_path / "out" / "98_good.ipynb").exists()


def test_a_solved_lesson_fails_if_a_check_does_not_pass() -> None:
    run = LessonRun("02_spark", 1.0, {"02.1": "right", "02.2": "wrong"})
    assert (run.ok(solved=False), run.ok(solved=True)) == (True, False)


def test_lessons_are_chosen_by_their_numbers() -> None:
    chosen = headless.lessons("7,02", solved=True, domain=None, settings=Settings())
    assert [(path.parent.name, path.stem) for path in chosen] == [("solved", "07_staffing"), ("solved", "02_spark")]
    with pytest.raises(ConfigError, match="there is no lesson 77"):
        headless.lessons("77", solved=False, domain=None, settings=Settings())
    with pytest.raises(ConfigError, match="the stack runs curbside, not iot"):
        headless.lessons("", solved=False, domain="iot", settings=Settings())
