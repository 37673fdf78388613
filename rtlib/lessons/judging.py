"""Judging: from an answer to a verdict. Runs where the answer runs, and knows neither files nor notebooks."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from types import CodeType, FunctionType
from typing import Any

from rtlib.lessons.bounds import TookTooLong
from rtlib.lessons.exercise import Exercise, Misconception, Numbers, Outcome, Raised, Unusable
from rtlib.lessons.verdict import Status, Verdict, cut

BLANK = "___"  # in texts; in code a blank is ``...``
MAX_MESSAGE = 300  # characters of an error's message


def judge(exercise: Exercise, answer: Any, *, seed: int) -> Verdict:
    """The verdict on an answer.

    Args:
        exercise: The exercise.
        answer: What a learner wrote.
        seed: The learner's, from which the numbers of the exercise are drawn.
    """
    numbers = exercise.drawn(seed)
    if blank := unanswered(exercise, answer, numbers):
        return Verdict(exercise.id, Status.UNANSWERED, blank)
    try:
        observed = observe(exercise, answer, numbers)
    except Unusable as error:
        return Verdict(exercise.id, Status.FAILED, f"{error}.", place=exercise.place)
    return _compared(exercise, observed, numbers)


def _compared(exercise: Exercise, observed: Outcome, numbers: Numbers) -> Verdict:
    check = exercise.check
    expected = check.expected(numbers)
    if expected is None:
        expected = observe(exercise, exercise.answer(exercise.solution, numbers), numbers)
    if isinstance(expected, Raised):  # a defect of the exercise or of this installation, not of the answer
        return Verdict(exercise.id, Status.FAILED, f"the solution itself cannot be run: {expected}.")
    raised = isinstance(observed, Raised)
    if not raised and check.accepts(observed, expected):
        return Verdict(exercise.id, Status.RIGHT, "")
    for misconception in exercise.misconceptions:
        if _shows(exercise, misconception, observed, numbers):
            return _wrong(exercise, misconception)
    if raised:
        return Verdict(exercise.id, Status.FAILED, f"{observed}.", place=exercise.place)
    return Verdict(exercise.id, Status.WRONG, check.difference(observed, expected), place=exercise.place)


def _wrong(exercise: Exercise, shown: Misconception) -> Verdict:
    return Verdict(exercise.id, Status.WRONG, shown.reason, shown.id, shown.look_at, exercise.place)


def observe(exercise: Exercise, answer: Any, numbers: Numbers) -> Outcome:
    """The outcome of an answer; ``Raised`` if it raised an error.

    Raises:
        Unusable: The answer has a wrong type or form.
    """
    try:
        return exercise.check.observe(answer, numbers)
    except (Unusable, MemoryError, TookTooLong):
        raise
    except Exception as error:
        return raised(error)


def _shows(exercise: Exercise, misconception: Misconception, observed: Outcome, numbers: Numbers) -> bool:
    if isinstance(observed, Raised) and misconception.raises:
        return misconception.raises in f"{observed.error}: {observed.message}"
    if misconception.when is not None:
        return not isinstance(observed, Raised) and misconception.when(observed, numbers)
    example = observe(exercise, exercise.answer(misconception.example, numbers), numbers)
    if isinstance(observed, Raised) or isinstance(example, Raised):
        return isinstance(observed, Raised) and isinstance(example, Raised) and observed.error == example.error
    alike = getattr(exercise.check, "alike", exercise.check.accepts)  # where a good score need not be the same one
    return bool(alike(observed, example))


def raised(error: BaseException) -> Raised:
    """The error of an answer, with the line in the learner's own code where that is known."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_answer(frame.filename)]
    lines = str(error).strip().splitlines()
    message = cut(lines[0], MAX_MESSAGE) if lines else "without a message"
    return Raised(type(error).__name__, message.rstrip("."), (frames[-1].lineno or 0) if frames else 0)


def _is_answer(file: str) -> bool:
    return file == "<answer>" or "ipykernel_" in file or "<ipython-input" in file or "<stdin>" in file


def unanswered(exercise: Exercise, answer: Any, numbers: Numbers) -> str:
    """Why an answer counts as not given yet; empty if it is one."""
    if answer is None or answer is ...:
        return f"replace the blank of `{exercise.name}`, then run the cell again."
    if isinstance(answer, str) and BLANK in answer:
        return f"a blank ({BLANK}) is left in `{exercise.name}`."
    if _has_blank(answer):
        return f"a blank (...) is left in `{exercise.name}`."
    return f"`{exercise.name}` is still the starter." if _is_starter(exercise, answer, numbers) else ""


def _has_blank(answer: Any) -> bool:
    if isinstance(answer, FunctionType):
        return ... in _constants(answer.__code__)
    if isinstance(answer, dict):
        return any(value is ... for value in answer.values())
    return isinstance(answer, list | tuple | set | frozenset) and any(value is ... for value in answer)


def _constants(code: CodeType) -> Iterable[Any]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _constants(constant)
        else:
            yield constant


def _is_starter(exercise: Exercise, answer: Any, numbers: Numbers) -> bool:
    try:
        starter = exercise.answer(exercise.starter, numbers)
    except Exception:  # a starter need not run
        return False
    if isinstance(starter, FunctionType) and isinstance(answer, FunctionType):
        return _shape(starter.__code__) == _shape(answer.__code__)
    plain = (str, int, float, bool, list, tuple, dict, set)
    return type(answer) is type(starter) and isinstance(answer, plain) and bool(answer == starter)


def _shape(code: CodeType) -> tuple[Any, ...]:
    """What a function does, whatever its name and its lines."""
    inner = [_shape(constant) if isinstance(constant, CodeType) else repr(constant) for constant in code.co_consts]
    return (code.co_code, code.co_names, code.co_varnames, tuple(inner))
