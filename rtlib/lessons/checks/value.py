"""Values: a number, a choice, a set of names, an order of steps, options by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtlib.lessons.exercise import Numbers, Unusable
from rtlib.lessons.verdict import cut


def type_of(answer: object) -> str:
    """The type of an answer in a message: ``a list``."""
    name = type(answer).__name__
    return f"an {name}" if name[0].lower() in "aeio" else f"a {name}"


@dataclass(frozen=True, slots=True)
class Plain:
    """A check of a value that is not run."""

    in_kernel = False
    preload = ()

    def expected(self, numbers: Numbers) -> None:
        """That of the solution."""
        del numbers


@dataclass(frozen=True, slots=True)
class Number(Plain):
    """A number.

    Attributes:
        unit: What it counts, for messages.
        tolerance: The largest accepted difference, in that unit.
    """

    unit: str
    tolerance: float = 0.0

    def observe(self, answer: Any, numbers: Numbers) -> float:
        """The number; of numpy or pandas as well."""
        value = answer.item() if hasattr(answer, "item") and getattr(answer, "size", 0) == 1 else answer
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unusable(f"the answer must be a number of {self.unit}, not {type_of(answer)}")
        if value != value:
            raise Unusable(f"the answer must be a number of {self.unit}, not NaN")
        return float(value)

    def accepts(self, observed: float, expected: float) -> bool:
        """Within the tolerance."""
        return abs(observed - expected) <= self.tolerance + 1e-9

    def difference(self, observed: float, expected: float) -> str:
        """Whether it is too large or too small."""
        return f"{observed:g} is too {'large' if observed > expected else 'small'}."


@dataclass(frozen=True, slots=True)
class Choice(Plain):
    """One of several names.

    Attributes:
        options: The names.
    """

    options: tuple[str, ...]

    def observe(self, answer: Any, numbers: Numbers) -> str:
        """The name."""
        if not isinstance(answer, str) or answer.strip().lower() not in self.options:
            shown = cut(answer, 40) if isinstance(answer, str) else type_of(answer)
            raise Unusable(f"the answer must be one of {', '.join(self.options)}, not {shown}")
        return answer.strip().lower()

    def accepts(self, observed: str, expected: str) -> bool:
        """Equal."""
        return observed == expected

    def difference(self, observed: str, expected: str) -> str:
        """That it is another."""
        return f"it is not “{observed}”."


@dataclass(frozen=True, slots=True)
class Names(Plain):
    """A set of names, for example of nodes that were marked on the graph.

    Attributes:
        what: What they are, for messages.
        options: All names that there are; empty if any text is one.
    """

    what: str
    options: tuple[str, ...] = ()

    def observe(self, answer: Any, numbers: Numbers) -> frozenset[str]:
        """The names."""
        if isinstance(answer, str) or not isinstance(answer, list | tuple | set | frozenset):
            raise Unusable(f"the answer must be a set of {self.what}, not {type_of(answer)}")
        unknown = [name for name in answer if not isinstance(name, str) or (self.options and name not in self.options)]
        if unknown:
            known = f": {', '.join(self.options)}" if self.options else ""
            raise Unusable(f"{cut(repr(unknown[0]), 40)} is none of the {self.what}{known}")
        return frozenset(answer)

    def accepts(self, observed: frozenset[str], expected: frozenset[str]) -> bool:
        """The same names."""
        return observed == expected

    def difference(self, observed: frozenset[str], expected: frozenset[str]) -> str:
        """How many are missing and how many do not belong."""
        missing, extra = len(expected - observed), len(observed - expected)
        parts = [f"{missing} missing"] * bool(missing) + [f"{extra} too many"] * bool(extra)
        return f"of your {len(observed)} {self.what}, {len(observed & expected)} are right: {' and '.join(parts)}."


@dataclass(frozen=True, slots=True)
class Order(Plain):
    """Steps in an order (a Parsons problem); an order that differs only where it does not matter is right as well.

    Attributes:
        steps: The steps by their letter, in the order in which they are shown.
        needless: Letters of steps that do not belong to the solution.
        before: Pairs of letters of which the first must come first; empty: every step has its place.
    """

    steps: tuple[str, ...]
    needless: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def observe(self, answer: Any, numbers: Numbers) -> str:
        """The letters in their order; a text or a list of letters is accepted."""
        if not isinstance(answer, str | list | tuple) or not all(isinstance(letter, str) for letter in answer):
            raise Unusable(f"the answer must be the letters of the steps in their order, not {type_of(answer)}")
        letters = "".join("".join(answer).upper().replace(",", " ").split())
        unknown = sorted(set(letters) - set(self.steps))
        if unknown:
            raise Unusable(f"{cut(unknown[0], 10)} is no step: the letters are {', '.join(self.steps)}")
        return letters

    def accepts(self, observed: str, expected: str) -> bool:
        """The same steps, with the required ones before others."""
        if not self.before or observed == expected:
            return observed == expected
        same = sorted(observed) == sorted(expected)
        return same and all(observed.index(pair[0]) < observed.index(pair[1]) for pair in self.before)

    def difference(self, observed: str, expected: str) -> str:
        """Up to where it is right, or which kind of step is wrong."""
        if len(observed) != len(set(observed)):
            return "a step is used twice."
        if set(observed) & set(self.needless):
            return "a step does not belong there: it would do harm or nothing."
        if set(observed) != set(expected):
            return f"{len(set(expected) - set(observed))} steps are missing."
        right = next(place for place, pair in enumerate(zip(observed, expected, strict=True)) if pair[0] != pair[1])
        return f"the first {right} steps are right." if right else "another step comes first."


@dataclass(frozen=True, slots=True)
class Options(Plain):
    """Values by name, for example whether a change of a schema is accepted, or settings.

    Attributes:
        names: The names that need a value.
        values: The accepted values.
    """

    names: tuple[str, ...]
    values: tuple[Any, ...]

    def observe(self, answer: Any, numbers: Numbers) -> tuple[Any, ...]:
        """The values in the order of the names."""
        if not isinstance(answer, Mapping):
            raise Unusable(f"the answer must be a dictionary, not {type_of(answer)}")
        if set(answer) != set(self.names):
            raise Unusable(f"the keys of the answer must be {', '.join(self.names)}")
        for name in self.names:
            if not any(type(value) is type(answer[name]) and value == answer[name] for value in self.values):
                allowed = ", ".join(map(str, self.values))
                raise Unusable(f"the value of {name} must be one of {allowed}, not {cut(repr(answer[name]), 40)}")
        return tuple(answer[name] for name in self.names)

    def accepts(self, observed: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
        """All values."""
        return observed == expected

    def difference(self, observed: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
        """How many are right."""
        right = sum(mine == other for mine, other in zip(observed, expected, strict=True))
        return f"{right} of {len(expected)} are right."
