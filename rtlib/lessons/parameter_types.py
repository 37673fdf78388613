"""Parameter types: what a parameter of a lesson accepts, and how its value is read from text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MAX_LISTED = 30  # names in a message


class Parameter(Protocol):
    """A type of parameter."""

    @property
    def accepts(self) -> str:
        """The accepted values in words, to follow "must be"."""
        ...

    def read(self, value: object) -> Any:
        """Convert a value to the form that the lesson uses.

        Raises:
            ValueError, KeyError or OverflowError: The value is not accepted.
        """
        ...

    def example(self, value: object) -> str:
        """An accepted value as papermill's ``-p`` takes it, close to the given one where that is possible."""
        ...


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number within bounds; text is accepted, as papermill's ``-r`` passes it: ``"5000"``, ``"200_000"``."""

    low: int
    high: int

    @property
    def accepts(self) -> str:
        """The bounds."""
        return f"a whole number from {self.low:,} to {self.high:,}"

    def read(self, value: object) -> int:
        """Convert to an integer."""
        if isinstance(value, str) and re.fullmatch(r"\s*\d[\d_,]{0,20}\s*", value):
            value = int(value.replace(",", "").replace("_", ""))
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ValueError
        if value != int(value):
            raise ValueError
        return int(value)

    def example(self, value: object) -> str:
        """A small number within the bounds."""
        return str(min(self.high, max(self.low, 10)))


@dataclass(frozen=True, slots=True)
class NumberChoice:
    """A choice of whole numbers; text is accepted."""

    numbers: tuple[int, ...]

    @property
    def accepts(self) -> str:
        """The numbers."""
        return f"one of {', '.join(map(str, self.numbers))}"

    def read(self, value: object) -> int:
        """Convert to an integer."""
        return self.numbers[self.numbers.index(WholeNumber(self.numbers[0], self.numbers[-1]).read(value))]

    def example(self, value: object) -> str:
        """The last but one of the numbers."""
        return str(self.numbers[-2])


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False; text is accepted."""

    accepts: str = "True or False"

    def read(self, value: object) -> bool:
        """Convert to a truth value."""
        if not isinstance(value, bool | int | str):
            raise ValueError
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
            str(value).strip().lower()
        ]

    def example(self, value: object) -> str:
        """True."""
        return "True"


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of names, in upper or lower case.

    Attributes:
        names: Returns the names; called when a value is read, because some need heavy imports.
        none: What None stands for; empty where None is not accepted.
    """

    names: Callable[[], Sequence[str]]
    none: str = ""

    @property
    def accepts(self) -> str:
        """The names, up to a bound."""
        names = self.names()
        more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
        return f"one of {', '.join(names[:MAX_LISTED])}{more}" + (f"; or None, {self.none}" if self.none else "")

    def read(self, value: object) -> str | None:
        """Convert to the spelling of the list."""
        if self.none and (value is None or value in ("", "None")):
            return None
        if not isinstance(value, str):
            raise ValueError
        return {name.lower(): name for name in self.names()}[value.strip().lower()]

    def example(self, value: object) -> str:
        """The name most similar to the value, or the first name."""
        names = list(self.names())
        return (difflib.get_close_matches(str(value).lower(), names, n=1) or names)[0]


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration such as Spark accepts, up to a bound in seconds; a bare number means seconds."""

    max_seconds: int

    @property
    def accepts(self) -> str:
        """The form and the bound."""
        return f'a time such as "45 seconds" or "2 minutes", at most {self.max_seconds // 60} minutes'

    def read(self, value: object) -> str:
        """Convert to text that both Spark and pandas parse."""
        match = re.fullmatch(r"\s*(\d{1,6})\s*(s|seconds?|min|minutes?)?\s*", str(value).lower())
        if match is None or isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number, in_minutes = int(match[1]), (match[2] or "s").startswith("m")
        if number * (60 if in_minutes else 1) > self.max_seconds:
            raise ValueError
        return f"{number} {'minutes' if in_minutes else 'seconds'}"

    def example(self, value: object) -> str:
        """Forty-five seconds."""
        return '"45 seconds"'
