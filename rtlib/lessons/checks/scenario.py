"""Scenarios: a function that is played through a situation; what it did is the outcome."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rtlib.lessons.checks.value import type_of
from rtlib.lessons.exercise import Numbers, Outcome, Unusable
from rtlib.lessons.verdict import cut


def callable_with(answer: Any, parameters: tuple[str, ...]) -> Callable[..., Any]:
    """The answer as a function of these parameters.

    Raises:
        Unusable: It is none.
    """
    form = f"a function of {len(parameters)} argument{'s' * (len(parameters) > 1)} ({', '.join(parameters)})"
    if not callable(answer) or isinstance(answer, type):
        raise Unusable(f"the answer must be {form}, not {type_of(answer)}")
    try:
        inspect.signature(answer).bind(*parameters)
    except TypeError:
        raise Unusable(f"the answer must be {form}; yours takes others") from None
    except ValueError:  # of a builtin without a signature
        pass
    function: Callable[..., Any] = answer
    return function


@dataclass(frozen=True, slots=True)
class Scenario:
    """Plays a function.

    Attributes:
        parameters: The names of its parameters, for messages.
        play: Calls it, and returns what it did, as something that can be compared.
        differs: A sentence on a wrong outcome and the expected one, without the answer.
        within: Whether an outcome is good enough, where it need not be equal.
        preload: Modules to import before.
    """

    in_kernel = False

    parameters: tuple[str, ...]
    play: Callable[[Callable[..., Any], Numbers], Outcome]
    differs: Callable[[Outcome, Outcome], str]
    within: Callable[[Outcome, Outcome], bool] = field(default=lambda observed, expected: bool(observed == expected))
    preload: tuple[str, ...] = ()

    def observe(self, answer: Any, numbers: Numbers) -> Outcome:
        """What the function did."""
        return self.play(callable_with(answer, self.parameters), numbers)

    def expected(self, numbers: Numbers) -> None:
        """What the solution does."""
        del numbers

    def accepts(self, observed: Outcome, expected: Outcome) -> bool:
        """Equal, or good enough."""
        return self.within(observed, expected)

    def alike(self, observed: Outcome, example: Outcome) -> bool:
        """Whether an outcome is that of a wrong answer."""
        return bool(observed == example)

    def difference(self, observed: Outcome, expected: Outcome) -> str:
        """In words."""
        return self.differs(observed, expected)


def returned(value: Any, *, kind: type | tuple[type, ...], what: str) -> Any:
    """What a function returned, if it has the right type.

    Raises:
        Unusable: It has another.
    """
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        value = value.item()  # of numpy
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise Unusable(f"your function must return {what}, not {'nothing' if value is None else type_of(value)}")
    return value


def shown(value: object) -> str:
    """A value in a sentence, cut."""
    return cut(repr(value), 120)
