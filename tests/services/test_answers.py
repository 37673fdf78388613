"""Running answers: a sandbox that bounds time, memory and output, and verdicts whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rtlib.lessons import running
from rtlib.lessons.checks.scenario import Scenario
from rtlib.lessons.checks.value import Number
from rtlib.lessons.exercise import Exercise, Kind, Misconception
from rtlib.lessons.exercises import find
from rtlib.lessons.judging import judge
from rtlib.lessons.sandbox import Sandbox, TooLarge, packed
from rtlib.lessons.sandbox_worker import Request
from rtlib.lessons.verdict import Status, Verdict
from support.exercises import CALLED, answer_of, each

DROPPED = find("02.2")


def test_a_function_that_prints_a_lot_is_cut() -> None:
    reply = running._sandbox.run(Request("builtins:print", packed("x" * 1_000_000), 10.0, 256))
    assert (reply.outcome, reply.printed, len(reply.output)) == ("done", 1_000_001, 4_000)


def test_a_function_that_sleeps_is_ended_in_time() -> None:
    before = time.monotonic()
    assert running._sandbox.run(Request("time:sleep", packed(60), 0.2, 256)).outcome == "late"
    assert time.monotonic() - before < 5


def test_a_function_that_floods_memory_is_ended() -> None:
    assert running._sandbox.run(Request("builtins:bytearray", packed(10**10), 10.0, 256)).outcome == "memory"


def test_a_reply_that_is_too_large_counts_as_flooding() -> None:
    assert running._sandbox.run(Request("builtins:bytes", packed(10**7), 10.0, 256)).outcome == "memory"


def test_a_function_that_ends_its_process_ends_no_other() -> None:
    assert running._sandbox.run(Request("os:_exit", packed(3), 10.0, 256)).outcome == "ended"
    assert running._sandbox.run(Request("os:abort", packed(), 10.0, 256)).outcome == "ended"
    assert running._sandbox.run(Request("math:floor", packed(1.5), 10.0, 256)).outcome == "done"


def test_an_error_comes_back_with_its_message() -> None:
    reply = running._sandbox.run(Request("builtins:int", packed("x"), 10.0, 256))
    assert reply.outcome == "error"
    assert b"invalid literal for int" in reply.value


def test_a_worker_that_died_is_replaced() -> None:
    sandbox = Sandbox()
    assert sandbox.run(Request("math:floor", packed(1.5), 10.0, 256)).outcome == "done"
    assert sandbox._worker is not None
    sandbox._worker.kill()
    sandbox._worker.wait()
    assert sandbox.run(Request("math:floor", packed(1.5), 10.0, 256)).outcome == "done"
    sandbox.close()


def test_an_answer_of_many_megabytes_is_refused_before_it_is_copied() -> None:
    with pytest.raises(TooLarge):
        packed(bytes(33 * 1024 * 1024))
    verdict = running.run(DROPPED, bytes(33 * 1024 * 1024), seed=1)
    assert verdict.sentence == "`too_late` is larger than 32 MB; the answer is much smaller."


def test_an_answer_that_cannot_leave_the_notebook_gets_a_sentence() -> None:
    connection = threading.Lock()
    verdict = running.run(DROPPED, lambda: connection, seed=1)
    assert verdict.status is Status.FAILED
    assert "uses something that cannot leave the notebook" in verdict.sentence


def test_an_answer_is_judged_in_the_sandbox_as_here() -> None:
    right = DROPPED.answer(DROPPED.solution, DROPPED.drawn(1))
    for answer in (right, set(), None, 7, {"x"}):
        assert running.run(DROPPED, answer, seed=1) == judge(DROPPED, answer, seed=1)


def hanging(exercise: Exercise) -> str:
    parameters = ", ".join(getattr(exercise.check, "parameters", ()))
    return f"def {exercise.name}({parameters}):\n    import time\n    time.sleep(60)"


@each(CALLED)
def test_a_function_that_hangs_is_stopped(exercise: Exercise) -> None:
    answer = answer_of(exercise, hanging(exercise))
    verdict = running.run(exercise, answer, seed=1, seconds=0.3)
    assert verdict.sentence == "your answer was stopped after 0.3 seconds; it must end by itself."


# --- judging --------------------------------------------------------------------------------------------------------


def doubling(**changes: Any) -> Exercise:
    """An exercise: double a number."""

    def play(function: Callable[..., Any], _: Any) -> Any:
        return function(3)

    check = Scenario(("number",), play, lambda observed, expected: f"it returns {observed} for 3.")
    wrong = Misconception("plus", "You added two.", "the sign.", "def double(number): return number + 2")
    fields: dict[str, Any] = {
        "id": "99.1", "title": "double", "kind": Kind.OWN, "minutes": 1, "text": "Double it.", "name": "double",
        "starter": "def double(number):\n    return ...", "solution": "def double(number): return 2 * number",
        "check": check, "misconceptions": (wrong,), "hints": ("Multiply.",), "place": "Numbers",
    }  # fmt: skip
    return Exercise(**{**fields, **changes})


def verdict(code: str, **changes: Any) -> Verdict:
    exercise = doubling(**changes)
    return judge(exercise, exercise.answer(code, {}), seed=1)


def test_an_outcome_like_that_of_the_example_shows_the_misconception() -> None:
    assert verdict("double = lambda number: 2 + number").misconception == "plus"


def test_another_wrong_outcome_is_described() -> None:
    shown = verdict("double = lambda number: 7")
    assert (shown.status, shown.misconception, shown.sentence) == (Status.WRONG, "", "it returns 7 for 3.")


def test_a_starter_with_another_layout_is_still_the_starter() -> None:
    assert verdict("def double(number):\n\n    # todo\n    return ...").status is Status.UNANSWERED
    assert verdict("double = 3", check=Number("events"), starter="double = 3").status is Status.UNANSWERED


def test_an_answer_that_raises_like_the_example_shows_its_misconception() -> None:
    wrong = Misconception("text", "A number is no text.", "the type.", "def double(number): return number + '2'")
    assert verdict("double = lambda number: '2' + number", misconceptions=(wrong,)).misconception == "text"
    assert verdict("double = lambda number: 1 / 0", misconceptions=(wrong,)).status is Status.FAILED
