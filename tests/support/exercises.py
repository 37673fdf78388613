"""Answers to the exercises, and their verdicts, for tests."""

from __future__ import annotations

from typing import Any

import pytest

from rtlib.lessons.exercise import Exercise, Misconception
from rtlib.lessons.exercises import exercises
from rtlib.lessons.judging import judge
from rtlib.lessons.verdict import Verdict

SEEDS = (1, 2)
ALL = tuple(exercises().values())
ON_SPARK = tuple(each for each in ALL if each.check.in_kernel)
PURE = tuple(each for each in ALL if not each.check.in_kernel)


def each(chosen: tuple[Exercise, ...]) -> pytest.MarkDecorator:
    """Runs a test for each of these exercises."""
    return pytest.mark.parametrize("exercise", chosen, ids=lambda exercise: exercise.id)


def each_misconception(chosen: tuple[Exercise, ...]) -> pytest.MarkDecorator:
    """Runs a test for each misconception of these exercises."""
    pairs = [(exercise, shown) for exercise in chosen for shown in exercise.misconceptions]
    names = [f"{exercise.id} {shown.id}" for exercise, shown in pairs]
    return pytest.mark.parametrize(("exercise", "misconception"), pairs, ids=names)


def verdict_on(exercise: Exercise, code: str, *, seed: int = 1) -> Verdict:
    """The verdict on the answer that this code makes."""
    return judge(exercise, answer_of(exercise, code, seed=seed), seed=seed)


def answer_of(exercise: Exercise, code: str, *, seed: int = 1) -> Any:
    """The answer that this code makes, with the numbers of this seed."""
    return exercise.answer(code, exercise.drawn(seed))


def assert_shown(misconception: Misconception, verdict: Verdict) -> None:
    """The verdict reports this misconception and its reason."""
    assert (verdict.status, verdict.misconception) == ("wrong", misconception.id), verdict
    assert (verdict.sentence, verdict.look_at) == (misconception.reason, misconception.look_at)


CALLED = tuple(exercise for exercise in PURE if callable(answer_of(exercise, exercise.solution)))
