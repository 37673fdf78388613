"""Lessons: what a notebook asks for in one line, because how it is done would only distract there.

The parameters of every lesson are declared here, so that papermill's ``-p per_day many`` ends in one sentence in the
lesson's first cell and not in an error from deep inside.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rtlib.config import DOMAINS, Settings
from rtlib.errors import ConfigError

if TYPE_CHECKING:
    from rtlib.ledger import Ledger

SHOWN = 60  # characters of a wrong value in a message
SEEDS = 2**32 - 1


class Parameter(Protocol):
    """What a parameter may be."""

    @property
    def what(self) -> str:
        """The same in words, after "must be"."""
        ...

    def read(self, value: object) -> Any:
        """The value as the lesson uses it.

        Raises:
            ValueError: It may not be that.
        """
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds; also as text, as papermill's ``-r`` passes it: ``"5000"``, ``"200_000"``."""

    low: int
    high: int

    @property
    def what(self) -> str:
        """Its bounds."""
        return f"a whole number from {self.low:,} to {self.high:,}"

    def read(self, value: object) -> int:
        """The number."""
        if isinstance(value, str) and re.fullmatch(r"\s*\d[\d_,]{0,20}\s*", value):
            value = int(value.replace(",", "").replace("_", ""))
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            raise ValueError
        if value != int(value):
            raise ValueError
        return int(value)


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some whole numbers; also as text."""

    numbers: tuple[int, ...]

    @property
    def what(self) -> str:
        """The numbers."""
        return f"one of {', '.join(map(str, self.numbers))}"

    def read(self, value: object) -> int:
        """The number."""
        return self.numbers[self.numbers.index(Whole(self.numbers[0], self.numbers[-1]).read(value))]


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False; also as text."""

    what: str = "True or False"

    def read(self, value: object) -> bool:
        """The truth value."""
        known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return known[str(value).strip().lower()] if isinstance(value, bool | int | str) else _refuse()


LISTED = 30  # names


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some names, in upper or lower case; ``none`` in words says what no name at all means, if that may be."""

    names: Callable[[], Sequence[str]]
    none: str = ""

    @property
    def what(self) -> str:
        """The names, as many as a reader takes in."""
        names = self.names()
        listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
        return f"one of {listed}" + (f"; or None, {self.none}" if self.none else "")

    def read(self, value: object) -> str | None:
        """The name as it is written in the list."""
        if self.none and (value is None or value in ("", "None")):
            return None
        if not isinstance(value, str):
            raise ValueError
        return {one.lower(): one for one in self.names()}[value.strip().lower()]


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time in Spark's words, up to a bound in seconds; a bare number means seconds."""

    most_seconds: int

    @property
    def what(self) -> str:
        """The form and the bound."""
        return f'a time such as "45 seconds" or "2 minutes", at most {self.most_seconds // 60} minutes'

    def read(self, value: object) -> str:
        """The same as Spark and pandas read it."""
        found = re.fullmatch(r"\s*(\d{1,6})\s*(s|seconds?|min|minutes?)?\s*", str(value).lower())
        if found is None or isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number, minutes = int(found[1]), (found[2] or "s").startswith("m")
        if number * (60 if minutes else 1) > self.most_seconds:
            raise ValueError
        return f"{number} {'minutes' if minutes else 'seconds'}"


def _refuse() -> bool:
    raise ValueError


def _faults() -> Sequence[str]:
    from rtlib.faults import MENU

    return list(MENU)


def _parts() -> Sequence[str]:
    from rtlib.components import ARCHITECTURE_COMPONENTS_LIST

    return [one.id for one in ARCHITECTURE_COMPONENTS_LIST if not one.planned]


def _levels() -> Sequence[str]:
    from rtlib.pipeline.explanations.explainer import Level

    return [str(one) for one in Level]


def _languages() -> Sequence[str]:
    from rtlib.pipeline.explanations.explainer import languages

    return tuple(languages())


def _pages() -> Sequence[str]:
    from rtlib.bi import PAGES

    return [one.name for one in PAGES]


def _domains() -> Sequence[str]:
    return DOMAINS


_DOMAIN = Choice(_domains, none="the domain of the running stack")
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "00_start": {"wait_seconds": Whole(1, 3_600)},
    "01_kafka": {"orders": Whole(3, 10_000)},
    "02_spark": {"delay": Span(3_600), "measure_batches": Whole(2, 100)},
    "03_speed_layer": {"rows": Whole(1, 1_000_000)},
    "04_break_it": {"first_fault": Choice(_faults), "second_fault": Choice(_faults), "seed": Whole(0, SEEDS)},
    "05_dbt": {"days": Whole(1, 366), "per_day": Whole(1, 200_000)},
    "06_forecasts": {
        "domain_name": _DOMAIN,
        "interval_minutes": OneOf((5, 10, 15, 30, 60)),  # the bank's calls are counted every five
        "asked_days": Whole(2, 120),
        "workers": Whole(1, 64),
    },
    "07_staffing": {"domain_name": _DOMAIN, "per_day": Whole(1_000, 1_000_000), "seed": Whole(0, SEEDS)},
    "08_alerts": {"surge": Flag(), "seed": Whole(0, SEEDS)},
    "09_explain": {"part": Choice(_parts), "level": Choice(_levels), "language": Choice(_languages)},
    "10_bi": {"page_name": Choice(_pages)},
}


def check(lesson: str, **given: Any) -> Any:
    """The parameters of a lesson as it uses them: numbers that came as text are numbers, names are known ones.

    Args:
        lesson: The lesson's name, as ``05_dbt``.
        given: Its parameters.

    Returns:
        The value, or a tuple of the values in their order where there are several.

    Raises:
        ConfigError: A value cannot work; with what the parameter may be.

    Example:
        >>> check("05_dbt", days=7, per_day="5_000")
        (7, 5000)
    """
    read = tuple(_read(lesson, name, value) for name, value in given.items())
    return read if len(read) > 1 else read[0]


def _read(lesson: str, name: str, value: object) -> Any:
    parameter = PARAMETERS[lesson][name]
    try:
        return parameter.read(value)
    except (ValueError, KeyError, OverflowError):
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
        command = f"papermill {lesson}.ipynb done.ipynb -p {name} {_example(parameter, value)}"
        cure = f"change it in the cell of the parameters, or: {command}"
        raise ConfigError(f"{name} must be {parameter.what}, not {shown}", cure=cure) from None


def _example(parameter: Parameter, value: object) -> str:
    """A value that would be taken: the name that is nearest to the wrong one, or a small number."""
    if isinstance(parameter, Choice):
        names = list(parameter.names())
        return (difflib.get_close_matches(str(value).lower(), names, n=1) or names)[0]
    if isinstance(parameter, Whole):
        return str(min(parameter.high, max(parameter.low, 10)))
    if isinstance(parameter, OneOf):
        return str(parameter.numbers[-2])
    return "True" if isinstance(parameter, Flag) else '"45 seconds"'


def ledger_without_one_event(settings: Settings) -> Ledger:
    """The ledger as it would be, did the warehouse lack one event that it holds: a proof must be able to fail.

    Nothing is changed anywhere: the event is hidden in the evidence, between the warehouse's answer and the judgement.

    Raises:
        ConfigError: The warehouse holds no event yet.
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    from rtlib.ledger import judge
    from rtlib.pipeline.audit import evidence as places

    evidence = places.gather(settings)
    held = places.held_sequences(settings, list(evidence.producers))
    if not any(held.values()):
        raise ConfigError("RAW.EVENTS holds no event that could be hidden", cure="wait a few seconds, then try again")
    busiest = max(held, key=lambda name: len(held[name]))
    return judge(evidence, held | {busiest: held[busiest] - {min(held[busiest])}})
