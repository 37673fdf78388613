"""Wording: how numbers, units and ages are written, the same on the graph, in the panel and in prose."""

from __future__ import annotations

import math

NOTHING = "–"


LONGEST = 100_000_000  # from here on a number is written as a power of ten
POWERS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def format_number(value: float | None, *, longest: float = LONGEST) -> str:
    """Write a number with as many digits as a person wants to read; ``–`` when nothing was measured.

    It has at most 14 characters, so that it fits its box; ``whole`` has all digits.

    Args:
        value: The number; what is not finite was not measured.
        longest: From here on it is written as a power of ten.

    >>> number(12345), number(51.25), number(3.14159), number(0.0042), number(9e99), number(None)
    ('12,345', '51.2', '3.14', '0.0042', '9 × 10⁹⁹', '–')
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
        return f"{mantissa.rstrip('0').rstrip('.')} × 10{str(int(power)).translate(POWERS)}"
    digits = 0 if size >= 99.95 or value.is_integer() else 1 if size >= 9.995 else 2
    return f"{value:,.{digits}f}"


def whole(value: float | None) -> str:
    """Write a number with all its digits, for a tooltip; empty when nothing was measured.

    >>> whole(1234567890), whole(3.14159), whole(None)
    ('1,234,567,890', '3.14159', '')
    """
    if value is None or finite(value) is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


def finite(value: float | None) -> float | None:
    """The number as a float; None when it is none, is infinite, or is too large for a float."""
    try:
        shown = None if value is None else float(value)
    except OverflowError:
        return None
    return shown if shown is not None and math.isfinite(shown) else None


def format_quantity(value: float | None, unit: str) -> str:
    """Write a number with its unit: ``51.2 records/s``, ``1 record``, ``4%``."""
    written = format_number(value)
    if written == NOTHING or not unit:
        return written
    if unit == "%":
        return written + unit
    one = written == "1" and unit.isalpha() and len(unit) > 3 and unit.endswith("s")
    return f"{written} {unit[:-1] if one else unit}"


def duration(seconds: float) -> str:
    """Write an age as one number and one unit: ``2 s``, ``3 min``, ``5 h``, ``2 d``."""
    whole = max(0, int(seconds))
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def ago(seconds: float) -> str:
    """Write how long ago something was: ``just now``, ``2 s ago``."""
    return "just now" if seconds < 1 else f"{duration(seconds)} ago"


def join_words(words: list[str] | tuple[str, ...]) -> str:
    """Join words as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
