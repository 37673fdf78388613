"""Inputs: numbers as others hand them to staffing, refused with their place where they cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite, isnan
from numbers import Real

from rtlib.errors import ConfigError

MOST_PEOPLE = 1_000_000  # in one interval; see ``waiting.MOST``
SHOWN = 60  # characters of a wrong value in a message


def known_contacts(contacts: Sequence[float]) -> list[float]:
    """Contacts as floats; less than nothing is taken for 0.

    Raises:
        ConfigError: One is no number, NaN or infinite; with its place.
    """
    for place, one in enumerate(contacts):
        if not _is_number(one):
            raise ConfigError(f"interval {place} has {_shown(one)} contacts", cure="give a number for each interval")
        if isnan(one):
            raise ConfigError(
                f"interval {place} has contacts that are not known (NaN): the forecast knew too few errors for its "
                "quantiles",
                cure="give it more history: rtlib backfill",
            )
        if not isfinite(one):
            raise ConfigError(f"interval {place} has {one} contacts", cure="give a finite number for each interval")
    return [max(0.0, float(one)) for one in contacts]


def check_needs(needed: Sequence[int]) -> None:
    """Refuse what is no number of people.

    Raises:
        ConfigError: One is no whole number from 0 to a million; with its place.
    """
    for place, one in enumerate(needed):
        if not _is_number(one) or not 0 <= one <= MOST_PEOPLE or one != int(one):
            raise ConfigError(
                f"interval {place} needs {_shown(one)} people",
                cure=f"give whole numbers from 0 to {MOST_PEOPLE:,}, as people_needed returns them",
            )


def check_share(name: str, value: float, *, low: float, high: float, includes_low: bool) -> None:
    """Refuse a figure of a role that is outside its bounds, which are ``low`` and, not included, ``high``.

    Raises:
        ConfigError: It is no number, or outside.
    """
    inside = _is_number(value) and (low <= value if includes_low else low < value) and value < high
    if not inside:
        words = "from" if includes_low else "above"
        until = "" if high == float("inf") else f" to below {high:g}"
        raise ConfigError(f"{name} is {_shown(value)}", cure=f"give a number {words} {low:g}{until}")


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
