"""Report: a learner's progress by lesson, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rtlib.lessons.exercise import Exercise
from rtlib.lessons.exercises import exercises
from rtlib.lessons.progress import Progress


@dataclass(frozen=True, slots=True)
class LessonProgress:
    """The progress in a lesson.

    Attributes:
        lesson: Its number.
        solved: Exercises with a right answer.
        exercises: All of them.
        next: The id and title of the first that is not solved; empty if all are.
    """

    lesson: str
    solved: int
    exercises: int
    next: str


def by_lesson(progress: Progress) -> list[LessonProgress]:
    """The progress in each lesson with exercises."""
    found: dict[str, list[Exercise]] = {}
    for exercise in exercises().values():
        found.setdefault(exercise.lesson, []).append(exercise)
    return [_of_lesson(lesson, tuple(each), progress) for lesson, each in sorted(found.items())]


def _of_lesson(lesson: str, chosen: tuple[Exercise, ...], progress: Progress) -> LessonProgress:
    open_ones = [each for each in chosen if not progress.record(each.id).right_at]
    following = f"{open_ones[0].id} {open_ones[0].title}" if open_ones else ""
    return LessonProgress(lesson, len(chosen) - len(open_ones), len(chosen), following)


def to_json(progress: Progress) -> dict[str, Any]:
    """Everything that is kept, and the numbers by lesson."""
    lessons = [asdict(each) for each in by_lesson(progress)]
    total: Mapping[str, int] = {
        "solved": sum(each["solved"] for each in lessons),
        "exercises": sum(each["exercises"] for each in lessons),
    }
    return {**total, "lessons": lessons, **progress.to_json()}
