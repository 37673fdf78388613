"""Holidays: the public holidays of each country, from the package ``holidays``, like the seeds of dbt."""

from __future__ import annotations

from datetime import date
from functools import cache


def is_holiday(country: str, day: date) -> bool:
    """Whether the whole country (ISO 3166) has a holiday on that day.

    Example:
        >>> is_holiday("DE", date(2026, 12, 25))
        True
    """
    return day in _holidays(country, day.year)


@cache
def _holidays(country: str, year: int) -> frozenset[date]:
    from holidays import country_holidays

    return frozenset(country_holidays(country, years=year))
