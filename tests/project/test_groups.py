"""How tests are shared out to processes."""

from __future__ import annotations

import doctest

from support import groups
from support.groups import FOLDERS, LONGEST, group, rank
from support.project import ROOT


def test_the_examples_hold() -> None:
    result = doctest.testmod(groups)
    assert result.attempted > 0 and result.failed == 0


def test_every_folder_that_is_named_has_tests_and_every_folder_with_tests_is_documented() -> None:
    rooms = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert {*FOLDERS, *LONGEST} <= rooms
    documented = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [room for room in sorted(rooms) if f"`tests/{room}/`" not in documented] == []


def test_tests_of_the_shared_stack_stay_together_and_come_first_among_several_processes_and_last_in_one() -> None:
    stack, app = "tests/integration/test_stack.py::test_a", "tests/integration/test_app.py::test_b"
    unit = "tests/unit/test_errors.py::test_c"
    assert group(stack) == group(app) != group(unit)
    assert rank(stack, alone=False) < rank(unit, alone=False)
    assert rank(stack, alone=True) > rank(unit, alone=True)
