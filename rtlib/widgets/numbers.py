"""Numbers: counts and shares in the text of a page."""

from __future__ import annotations

from rtlib import formatting


def count(number: int) -> str:
    """A count, with all its digits as a tooltip."""
    return f'<span title="{formatting.whole(number)}">{formatting.format_number(number)}</span>'


def percent(share: float | None) -> str:
    """A share in per cent."""
    return formatting.NOTHING if share is None else f"{100 * share:.1f} %"
