"""The lessons that say that they need no running stack, executed from their first cell to their last without one.

The gate scores fewer days than a person would; with their own parameters the lessons run in
``tests/own_stack/test_lessons_by_domain.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import papermill
import pytest

from support.notebooks import FOLDER, NEED_NO_STACK, every_lesson_without_a_stack

SMALLER: dict[str, dict[str, Any]] = {"06_forecasts": {"backtest_days": 6}}


@pytest.mark.usefixtures("no_settings_of_the_developer")
@every_lesson_without_a_stack
def test_a_lesson_that_needs_no_stack_runs_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lesson: Path
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path / "home"))  # the kernel inherits it
    papermill.execute_notebook(
        lesson, tmp_path / "done.ipynb", parameters=SMALLER.get(lesson.stem, {}), kernel_name="python3", cwd=FOLDER,
        progress_bar=False, execution_timeout=180,
    )  # fmt: skip


def test_there_are_such_lessons() -> None:
    assert {"06_forecasts", "07_staffing"} <= NEED_NO_STACK
