"""The lessons that say that they need no running stack, executed from their first cell to their last without one."""

from __future__ import annotations

from pathlib import Path

from support.notebooks import NEED_NO_STACK, every_lesson_without_a_stack, run_lesson


@every_lesson_without_a_stack
def test_a_lesson_that_needs_no_stack_runs_without_one(tmp_path: Path, lesson: Path) -> None:
    done = run_lesson(lesson, tmp_path / "home")
    assert done.returncode == 0, done.stdout[-4000:]


def test_there_are_such_lessons() -> None:
    assert {"06_forecasts", "07_staffing"} <= NEED_NO_STACK
