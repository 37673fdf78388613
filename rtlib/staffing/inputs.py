"""Inputs: validation of the numbers passed to staffing; an error names the interval."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite, isnan
from numbers import Real

from rtlib.errors import ConfigError

MOST_PEOPLE = 1_000_000  # in one interval; see ``erlang_c.MOST``
SHOWN = 60  # characters of a value in an error message


def known_contacts(contacts: Sequence[float]) -> list[float]:
    """Contacts as floats; negative numbers become 0.

    Raises:
        ConfigError: A value is not a number, NaN or infinite; with its interval.
    """
    for interval, count in enumerate(contacts):
        if not _is_number(count):
            raise ConfigError(
                f"interval {interval} has {_shown(count)} contacts", cure="give a number for each interval"
            )
        if isnan(count):
            raise ConfigError(
                f"the contacts of interval {interval} are not known (NaN): the forecast had too few past errors "
                "for its quantiles",
                cure="give it more history: rtlib backfill && rtlib dbt build",
            )
        if not isfinite(count):
            raise ConfigError(
                f"interval {interval} has {count} contacts", cure="give a finite number for each interval"
            )
    return [max(0.0, float(count)) for count in contacts]


def check_needs(needed: Sequence[int]) -> None:
    """Refuse a need that is not a number of people.

    Raises:
        ConfigError: A value is not a whole number from 0 to a million; with its interval.
    """
    for interval, people in enumerate(needed):
        if not _is_number(people) or not 0 <= people <= MOST_PEOPLE or people != int(people):
            raise ConfigError(
                f"interval {interval} needs {_shown(people)} people",
                cure=f"give whole numbers from 0 to {MOST_PEOPLE:,}, as people_needed returns them",
            )


def check_share(name: str, value: float, *, low: float, high: float, includes_low: bool) -> None:
    """Refuse a value outside its bounds ``low`` and ``high``; ``high`` itself is excluded.

    Raises:
        ConfigError: The value is not a number, or out of bounds.
    """
    inside = _is_number(value) and (low <= value if includes_low else low < value) and value < high
    if not inside:
        lower = f"from {low:g}" if includes_low else f"above {low:g}"
        upper = "" if high == float("inf") else f" to below {high:g}"
        raise ConfigError(f"{name} is {_shown(value)}", cure=f"give a number {lower}{upper}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
