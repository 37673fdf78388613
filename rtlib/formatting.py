"""Formatting: numbers, units, times, ages and lists as text, the same on the graph, in the panel and in prose."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NOTHING = "–"  # instead of a number that was not measured
POWER_FROM = 100_000_000  # larger numbers are written as a power of ten
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def format_number(value: float | None, *, longest: float = POWER_FROM) -> str:
    """A number with about three significant digits; ``–`` when nothing was measured.

    The text has at most 14 characters, so that it fits its box; ``whole`` gives all digits.

    Args:
        value: The number; None, NaN and infinity count as not measured.
        longest: Numbers from here on are written as a power of ten.

    >>> format_number(12345), format_number(51.25), format_number(3.14159), format_number(0.0042)
    ('12,345', '51.2', '3.14', '0.0042')
    >>> format_number(9e99), format_number(None)
    ('9 × 10⁹⁹', '–')
    """
    value = finite(value)
    if value is None:
        return NOTHING
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.1:
        return f"{value:.2g}" if size >= 0.0001 else "0"
    if size >= longest or (size >= 99.95 and round(size) >= longest):
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')} × 10{str(int(power)).translate(SUPERSCRIPTS)}"
    digits = 0 if size >= 99.95 or value.is_integer() else 1 if size >= 9.995 else 2
    return f"{value:,.{digits}f}"


def whole(value: float | None) -> str:
    """A number with all its digits, for a tooltip; empty when nothing was measured.

    >>> whole(1234567890), whole(3.14159), whole(None)
    ('1,234,567,890', '3.14159', '')
    """
    if value is None or finite(value) is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


def finite(value: float | None) -> float | None:
    """The number as a float; None for NaN, infinity, and numbers too large for a float."""
    try:
        number = None if value is None else float(value)
    except OverflowError:
        return None
    return number if number is not None and math.isfinite(number) else None


def format_quantity(value: float | None, unit: str) -> str:
    """A number with its unit: ``51.2 records/s``, ``1 record``, ``4%``."""
    number = format_number(value)
    if number == NOTHING or not unit:
        return number
    if unit == "%":
        return number + unit
    singular = number == "1" and unit.isalpha() and len(unit) > 3 and unit.endswith("s")
    return f"{number} {unit[:-1] if singular else unit}"


def local_time(moment: datetime, zone: str, *, form: str = "%H:%M") -> str:
    """A moment by the clocks of a time zone, with the place: ``16:30 in Los Angeles``, or ``23:30 UTC``.

    Args:
        moment: The moment; without a time zone it is in UTC, as in the warehouse.
        zone: IANA name of the time zone.
        form: The format of date and time.

    >>> local_time(datetime(2026, 5, 1, 23, 30), "Asia/Kolkata", form="%d %b %H:%M")
    '02 May 05:00 in Kolkata'
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return f"{aware.astimezone(ZoneInfo(zone)):{form}} {'UTC' if zone == 'UTC' else f'in {place_of(zone)}'}"


def place_of(zone: str) -> str:
    """The place in the name of a time zone: ``Los Angeles`` of ``America/Los_Angeles``."""
    return zone.rpartition("/")[2].replace("_", " ")


def duration(seconds: float) -> str:
    """A duration as a whole number and a unit: ``2 s``, ``3 min``, ``5 h``, ``2 d``."""
    whole = max(0, int(seconds))
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def ago(seconds: float) -> str:
    """A time in the past: ``just now``, ``2 s ago``."""
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def join_words(words: list[str] | tuple[str, ...]) -> str:
    """Join words as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
