"""Exercise: text, starter, solution, misconceptions, hints and check of an exercise, in one place.

A check *observes* an answer: it runs it and records the outcome, for example the rows that a query returns. The
outcome of the solution is the expected one. A misconception has an example, which is a wrong answer that it leads to;
an answer with the same outcome shows the same misconception. Where that is too slow or too narrow, a misconception
describes the outcome itself (``when``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from random import Random
from textwrap import dedent
from types import MappingProxyType
from typing import Any, Protocol

Numbers = Mapping[str, Any]  # what is drawn for a learner, by name
Outcome = Any  # what a check observes; each check has its own kind
NO_NUMBERS: Numbers = MappingProxyType({})


class Kind(StrEnum):
    """What a learner does in an exercise."""

    FADED = "complete a line"
    OWN = "write your own"
    JOINED = "join two lessons"
    ORDER = "put in order"
    GRAPH = "mark the graph"
    BOSS = "boss exercise"


class Unusable(Exception):
    """An answer of a wrong type or form; the message is a sentence that says which form is expected."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The outcome of an answer that raised an error.

    Attributes:
        error: The name of its type.
        message: Its first line.
        line: The line of the answer; 0 if unknown.
    """

    error: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        place = f" in line {self.line}" if self.line else ""
        return f"your answer raised {self.error}{place}: {self.message}"


class Check(Protocol):
    """How the answers of an exercise are judged."""

    @property
    def in_kernel(self) -> bool:
        """True if answers need the notebook's own Spark; all others are run in a process of their own."""
        ...

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that are worth importing before answers are run."""
        ...

    def observe(self, answer: Any, numbers: Numbers) -> Outcome:
        """Run an answer.

        Raises:
            Unusable: It has a wrong type or form.
            Exception: What the answer raised.
        """
        ...

    def expected(self, numbers: Numbers) -> Outcome | None:
        """The right outcome; None if it is that of the solution."""
        ...

    def accepts(self, observed: Outcome, expected: Outcome) -> bool:
        """Whether an outcome is as good as the expected one."""
        ...

    def difference(self, observed: Outcome, expected: Outcome) -> str:
        """A sentence on how a wrong outcome differs, without the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Misconception:
    """A reason why an answer is wrong.

    Attributes:
        id: A short name, unique within the exercise.
        reason: What a learner believed, and why it is not so; a sentence or two.
        look_at: What to look at next.
        example: Code of an answer that shows it.
        when: Recognises it in an outcome; None: the outcome equals that of the example.
        raises: Part of an error's name and message that also shows it; empty if it raises none.
    """

    id: str
    reason: str
    look_at: str
    example: str
    when: Callable[[Outcome, Numbers], bool] | None = None
    raises: str = ""

    def __post_init__(self) -> None:
        for name in ("reason", "look_at"):  # texts may be wrapped in the source
            object.__setattr__(self, name, " ".join(getattr(self, name).split()))


def _nothing(_: Random) -> Numbers:
    return NO_NUMBERS


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise.

    Attributes:
        id: The lesson's number, a dot, and the number within the lesson: ``02.3``.
        title: A few words.
        kind: What a learner does.
        minutes: How long it takes.
        text: The task, in Markdown.
        name: The variable that holds the answer.
        starter: The code that a learner completes; it assigns ``name``.
        solution: The same code, completed.
        check: How answers are judged.
        misconceptions: Reasons for wrong answers; the first that fits is reported.
        hints: Up to three, of growing help.
        place: The heading of the lesson under which it is explained.
        numbers: Draws what differs between learners.
        setup: Code that the lesson has run before, on which starter, solution and examples depend.
    """

    id: str
    title: str
    kind: Kind
    minutes: int
    text: str
    name: str
    starter: str
    solution: str
    check: Check
    misconceptions: tuple[Misconception, ...]
    hints: tuple[str, ...]
    place: str
    numbers: Callable[[Random], Numbers] = _nothing
    setup: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hints", tuple(" ".join(hint.split()) for hint in self.hints))

    @property
    def lesson(self) -> str:
        """The lesson's number, for example ``02``."""
        return self.id.partition(".")[0]

    def drawn(self, seed: int) -> Numbers:
        """The numbers of a learner."""
        return self.numbers(Random(f"{seed}:{self.id}"))  # noqa: S311

    def answer(self, code: str, numbers: Numbers) -> Any:
        """The value that the code of an answer assigns to ``name``.

        Raises:
            Exception: What the code raised.
        """
        names: dict[str, Any] = {"__name__": "__main__", "given": lambda _: given_of(numbers)}
        with redirect_stdout(StringIO()):  # what a starter prints is for the notebook
            exec(compile(f"{dedent(self.setup)}\n", "<setup>", "exec"), names)
            exec(compile(f"{dedent(code)}\n", "<answer>", "exec"), names)
        return names[self.name]


def given_of(numbers: Numbers) -> Any:
    """The numbers as a lesson gets them: the value itself if there is one, else a tuple in their order."""
    values = tuple(value for name, value in numbers.items() if not name.startswith("_"))
    return values[0] if len(values) == 1 else values
