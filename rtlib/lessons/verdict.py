"""Verdict: what a learner reads about an answer, as plain text, Markdown and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from html import escape

MAX_OUTPUT = 500  # characters shown of what an answer printed


class Status(StrEnum):
    """The outcome of a check."""

    RIGHT = "right"
    WRONG = "wrong"
    UNANSWERED = "not answered yet"
    FAILED = "could not be run"


_MARKS = {Status.RIGHT: "✓", Status.WRONG: "✗", Status.UNANSWERED: "…", Status.FAILED: "!"}
# Contrast of 3:1 and more as a border on the light and on the dark theme of JupyterLab.
_COLOURS = {Status.RIGHT: "#2e9e5b", Status.WRONG: "#d55e00", Status.UNANSWERED: "#8a8a8a", Status.FAILED: "#b8860b"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check, in words.

    Attributes:
        exercise: The exercise's id, for example ``02.3``.
        status: The outcome.
        sentence: Why, in a sentence or two.
        misconception: The id of the misconception that a wrong answer shows; empty if none was recognised.
        look_at: What to look at next.
        place: The heading of the lesson under which it is explained.
        output: What the answer printed, cut.
    """

    exercise: str
    status: Status
    sentence: str
    misconception: str = ""
    look_at: str = ""
    place: str = ""
    output: str = ""

    @property
    def right(self) -> bool:
        """True for a right answer."""
        return self.status is Status.RIGHT

    def __repr__(self) -> str:
        return "\n  ".join([f"{_MARKS[self.status]} {self._headline()} {self.sentence}", *self._lines()])

    def _repr_markdown_(self) -> str:
        lines = [f"**{_MARKS[self.status]} {self._headline()}** {escape(self.sentence, quote=False)}"]
        return "\n\n".join([*lines, *(escape(line, quote=False) for line in self._lines())])

    def _repr_html_(self) -> str:
        lines = "".join(f"<div style='opacity:.85'>{escape(line)}</div>" for line in self._lines())
        style = f"border-left:4px solid {_COLOURS[self.status]};padding:.3em .8em;margin:.3em 0;max-width:60em"
        head = f"<b>{_MARKS[self.status]} {escape(self._headline())}</b> {escape(self.sentence)}"
        return f"<div role='status' style='{style}'><div>{head}</div>{lines}</div>"

    def _headline(self) -> str:
        return f"Exercise {self.exercise}: {self.status}."

    def _lines(self) -> list[str]:
        lines = [f"Look at: {self.look_at}"] if self.look_at else []
        lines += [f"It is explained under “{self.place}”."] if self.place else []
        return lines + ([f"Your answer printed: {self.output}"] if self.output else [])


@dataclass(frozen=True, slots=True)
class Note:
    """A hint or a solution.

    Attributes:
        title: For example ``Hint 1 of 3``.
        text: The hint, or why there is none.
        code: The solution; empty for a hint.
    """

    title: str
    text: str
    code: str = ""

    def __repr__(self) -> str:
        return f"{self.title}: {self.text}" + (f"\n\n{self.code}" if self.code else "")

    def _repr_markdown_(self) -> str:
        return f"**{self.title}:** {self.text}" + (f"\n\n```python\n{self.code}\n```" if self.code else "")


def cut(text: str, limit: int = MAX_OUTPUT) -> str:
    """The beginning of a text, on a single line; says how much was left out."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[:limit]}… ({len(text):,} characters)"
