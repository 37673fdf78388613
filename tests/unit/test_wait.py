"""A wait ends when its condition holds, when time runs out, or with the condition's error."""

from __future__ import annotations

import pytest

from rtlib.wait import wait_until


def test_a_condition_that_holds_at_once_is_checked_once() -> None:
    values = iter([True])
    assert wait_until(lambda: next(values), seconds=60, interval=60)


def test_a_condition_is_checked_until_it_holds() -> None:
    values = iter([0, 0, 3])
    assert wait_until(lambda: next(values), seconds=60, interval=0) == 3
    assert next(values, None) is None


def test_when_time_runs_out_the_last_value_is_returned() -> None:
    values = iter([False, True])
    assert wait_until(lambda: next(values), seconds=0, interval=0) is False


def test_the_caller_decides_what_holds() -> None:
    obstacles = iter(["the loader is behind", None])
    reason = wait_until(lambda: next(obstacles), seconds=60, interval=0, holds=lambda reason: reason is None)
    assert reason is None


def test_an_error_of_the_condition_ends_the_wait() -> None:
    def broken() -> bool:
        raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        wait_until(broken, seconds=60, interval=0)
