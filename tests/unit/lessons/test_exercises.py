"""The table of exercises: solution, blank, wrong type, hanging, raising, and the example of each misconception."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from rtlib.errors import ConfigError
from rtlib.lessons.exercise import Exercise, Kind, Misconception
from rtlib.lessons.exercises import exercises, find
from rtlib.lessons.judging import judge
from rtlib.lessons.verdict import Status
from support.exercises import (
    ALL,
    CALLED,
    PURE,
    SEEDS,
    assert_shown,
    each,
    each_misconception,
    verdict_on,
)

every_seed = pytest.mark.parametrize("seed", SEEDS)


@every_seed
@each(PURE)
def test_the_solution_passes(exercise: Exercise, seed: int) -> None:
    verdict = verdict_on(exercise, exercise.solution, seed=seed)
    assert verdict.status is Status.RIGHT, verdict


@each(ALL)
def test_nothing_the_blank_and_the_starter_are_not_answered_yet(exercise: Exercise) -> None:
    numbers = exercise.drawn(1)
    answers: list[Any] = [None, ...]
    answers.append(exercise.answer(exercise.starter, numbers))
    assert [judge(exercise, answer, seed=1).status for answer in answers] == [Status.UNANSWERED] * 3


@every_seed
@each_misconception(PURE)
def test_the_example_of_a_misconception_gets_its_reason_and_no_other(
    exercise: Exercise, misconception: Misconception, seed: int
) -> None:
    assert_shown(misconception, verdict_on(exercise, misconception.example, seed=seed))


@each(PURE)
def test_an_answer_of_a_wrong_type_gets_a_sentence(exercise: Exercise) -> None:
    for answer in (object(), 10**400, b"7", {"a": object}, [[1]], "no such thing" * 50):
        verdict = judge(exercise, answer, seed=1)
        assert verdict.status in (Status.FAILED, Status.WRONG), verdict
        assert verdict.sentence.endswith("."), verdict
        assert len(verdict.sentence) < 900


@each(CALLED)
def test_a_function_that_raises_gets_a_sentence_with_the_line(exercise: Exercise) -> None:
    parameters = ", ".join(getattr(exercise.check, "parameters", ()))
    verdict = verdict_on(exercise, f"def {exercise.name}({parameters}):\n    return {{}}['no such key']")
    assert verdict.status is Status.FAILED
    assert verdict.sentence == "your answer raised KeyError in line 2: 'no such key'."


# --- the records ----------------------------------------------------------------------------------------------------


@each(ALL)
def test_an_exercise_is_complete(exercise: Exercise) -> None:
    assert re.fullmatch(r"\d\d\.\d+", exercise.id)
    assert 1 <= exercise.minutes <= 20
    assert 1 <= len(exercise.hints) <= 3
    assert len(exercise.misconceptions) >= 2
    assert [name for name, count in Counter(each.id for each in exercise.misconceptions).items() if count > 1] == []
    assert re.search(rf"\b{exercise.name}\b.*=|def {exercise.name}\(", exercise.starter)
    for shown in exercise.misconceptions:
        assert shown.reason.endswith(".")
        assert shown.look_at.endswith((".", "?"))


@each(ALL)
def test_the_task_and_the_first_hint_do_not_contain_the_solution(exercise: Exercise) -> None:
    lines = {line.strip() for line in exercise.solution.splitlines()} - {
        line.strip() for line in exercise.starter.splitlines()
    }
    longest = max(lines, key=len)
    assert longest not in exercise.text
    assert longest not in exercise.hints[0]


def test_an_unknown_exercise_names_the_most_similar() -> None:
    with pytest.raises(ConfigError, match="there is no exercise '02.9'") as caught:
        find("02.9")
    assert re.fullmatch(r'for example "02\.\d"', caught.value.cure)


def test_a_lesson_with_exercises_has_three_of_growing_freedom() -> None:
    by_lesson: dict[str, list[Kind]] = {}
    for exercise in exercises().values():
        by_lesson.setdefault(exercise.lesson, []).append(exercise.kind)
    assert {lesson for lesson, kinds in by_lesson.items() if len(kinds) < 3} == set()
    assert {lesson for lesson, kinds in by_lesson.items() if kinds[0] is not Kind.FADED} == set()
    without = {lesson for lesson, kinds in by_lesson.items() if Kind.JOINED not in kinds}
    assert without <= {"01"}, "before lesson 01 there is no lesson to join it with"


def test_there_are_as_many_exercises_and_misconceptions_as_a_course_needs() -> None:
    assert {exercise.lesson for exercise in ALL} == {f"{number:02}" for number in range(1, 11)}
    assert len(ALL) >= 33
    assert sum(len(exercise.misconceptions) for exercise in ALL) >= 80
    kinds = [exercise.kind for exercise in ALL]
    assert {kind for kind in Kind if kind not in kinds} == set()
    assert {exercise.lesson for exercise in ALL if exercise.kind is Kind.BOSS} == {"04", "07", "10"}
