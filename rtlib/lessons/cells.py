"""Cells: the cells of an exercise in a notebook, with the starter or with the solution."""

from __future__ import annotations

from textwrap import dedent, fill

from rtlib.lessons.exercise import Exercise

# The marks of nbgrader: what is between them is replaced by the starter in the learner's notebook.
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
WIDTH = 118  # of a line of text in the source, beside "# "


def text(exercise: Exercise) -> str:
    """The Markdown cell of an exercise: title, minutes, task, and how to get help."""
    title = f"### Exercise {exercise.id}: {exercise.title}"
    help_line = f'*About {exercise.minutes} minutes ({exercise.kind}). Help: `hint("{exercise.id}")`, and after a try '
    help_line += f'`solution("{exercise.id}")`.*'
    paragraphs = [_filled(paragraph) for paragraph in dedent(exercise.text).strip().split("\n\n")]
    return "\n\n".join([title, *paragraphs, fill(help_line, WIDTH, break_on_hyphens=False)])


def _filled(paragraph: str) -> str:
    if paragraph.startswith(("- ", "|", "```", "1. ")):
        return paragraph
    return fill(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False, break_long_words=False)


def source(exercise: Exercise) -> str:
    """The code cell in the source of the lessons: the solution between marks, and the check."""
    return f"{BEGIN}\n{_code(exercise.solution)}\n{END}\n{_check(exercise)}"


def starter(exercise: Exercise) -> str:
    """The code cell of the learner's notebook."""
    return f"{_code(exercise.starter)}\n\n{_check(exercise)}"


def solved(exercise: Exercise) -> str:
    """The code cell of the solved notebook."""
    return f"{_code(exercise.solution)}\n\n{_check(exercise)}"


def _code(code: str) -> str:
    return "\n".join(line.rstrip() for line in dedent(code).strip().splitlines())


def _check(exercise: Exercise) -> str:
    return f'check("{exercise.id}", {exercise.name})'
