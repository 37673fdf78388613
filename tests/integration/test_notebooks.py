"""The lessons, executed from their first cell to their last on the real stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from live_stack import Stack, clean_environment

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.mark.parametrize("lesson", sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")), ids=lambda path: path.stem)
def test_a_lesson_runs_from_its_first_cell_to_its_last(stack: Stack, lesson: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbmake",
        "--nbmake-timeout=180",
        "-q",
        "-p",
        "no:cacheprovider",
        str(lesson),
    ]
    done = subprocess.run(
        command, cwd=FOLDER.parent, env=clean_environment(stack.home), capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout[-4000:]
