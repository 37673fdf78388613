"""Course: the calls of a lesson's exercises: ``given``, ``check``, ``hint``, ``solution``."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

from rtlib.config import load_settings
from rtlib.lessons import progress
from rtlib.lessons.exercise import Exercise, given_of
from rtlib.lessons.exercises import find
from rtlib.lessons.progress import Record
from rtlib.lessons.running import run
from rtlib.lessons.state import current, kept
from rtlib.lessons.verdict import Note, Status, Verdict

PRAISE = "well done."


def given(exercise: str) -> Any:
    """The numbers of an exercise, which are drawn for each learner: a value, or a tuple of several.

    Raises:
        ConfigError: There is no such exercise.
    """
    return given_of(find(exercise).drawn(current().seed))


def check(exercise: str, answer: Any) -> Verdict:
    """Check an answer, and keep the result with the progress.

    The answer runs within bounds of time, memory and output. Whatever it does, there is a verdict and no error.

    Args:
        exercise: The exercise's id, for example ``02.3``.
        answer: The answer, for example a function, an SQL text or a number.

    Raises:
        ConfigError: There is no such exercise.
    """
    task = find(exercise)
    verdict = run(task, answer, seed=current().seed)
    after = kept(lambda before: progress.with_record(before, task.id, lambda record: record.after(verdict)))
    return _advised(verdict, task, after.record(task.id))


def _advised(verdict: Verdict, task: Exercise, record: Record) -> Verdict:
    if verdict.right:
        return replace(verdict, sentence=f"{PRAISE} ({task.title})")
    if verdict.status is Status.WRONG and not verdict.look_at and record.hints < len(task.hints):
        return replace(verdict, look_at=f'a hint: hint("{task.id}")')
    return verdict


def hint(exercise: str) -> Note:
    """The next hint; after the last, the last again.

    Raises:
        ConfigError: There is no such exercise.
    """
    task = find(exercise)

    def read(record: Record) -> Record:
        return replace(record, hints=min(len(task.hints), record.hints + 1))

    number = kept(lambda before: progress.with_record(before, task.id, read)).record(task.id).hints
    return Note(f"Hint {number} of {len(task.hints)}", task.hints[number - 1])


def solution(exercise: str) -> Note:
    """The solution, after an honest try: an answer that was checked, or all hints.

    Raises:
        ConfigError: There is no such exercise.
    """
    task = find(exercise)
    record = current().record(task.id)
    if load_settings().lock_solutions and not record.right_at:
        return Note("Locked", "the solutions are locked by your teacher.")
    if not record.attempts and record.hints < len(task.hints):
        return Note("Not yet", f'try it first: an answer, or all hints (hint("{task.id}")).')
    if not record.right_at:
        kept(lambda before: progress.with_record(before, task.id, lambda each: replace(each, solution_seen=True)))
    return Note(
        "A solution", "there are others; `check` accepts any that does the same.", dedent(task.solution).strip()
    )
