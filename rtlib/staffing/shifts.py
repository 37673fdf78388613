"""Shifts: the shifts that a role allows, from its opening hours, shift lengths and breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtlib.domains import Staffing
from rtlib.errors import ConfigError

BREAK_AFTER_HOURS = 5  # a shift of more than this has a break


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift, in intervals counted from midnight.

    Attributes:
        start: First interval.
        length: Number of intervals, the break included.
        break_at: First interval of the break.
        rest: Length of the break, which is unpaid; 0 without a break.
    """

    start: int
    length: int
    break_at: int = 0
    rest: int = 0

    @property
    def paid(self) -> int:
        """Number of paid intervals."""
        return self.length - self.rest

    def works(self, interval: int) -> bool:
        """True if a person on this shift works in that interval."""
        resting = self.break_at <= interval < self.break_at + self.rest
        return self.start <= interval < self.start + self.length and not resting


def shift_menu(role: Staffing, *, interval_minutes: int) -> tuple[Shift, ...]:
    """Every shift that a role allows within a day: all lengths, starting on the hour, with the break near the middle.

    Raises:
        ConfigError: The interval does not divide an hour, or no shift fits into the opening hours.
    """
    if interval_minutes <= 0 or 60 % interval_minutes:
        raise ConfigError(f"an interval of {interval_minutes} minutes", cure="give one that divides an hour, as 30")
    menu = tuple(_allowed(role, 60 // interval_minutes))
    if not menu:
        raise ConfigError(
            f"no shift of {role.shift_hours} hours fits between {role.open_hour} and {role.close_hour} o'clock",
            cure="shorten a shift, or open longer",
        )
    return menu


def _allowed(role: Staffing, per_hour: int) -> Iterator[Shift]:
    rest = max(1, round(role.break_minutes * per_hour / 60)) if role.break_minutes else 0
    for hours in role.shift_hours:
        for start in range(role.open_hour * per_hour, (role.close_hour - hours) * per_hour + 1, per_hour):
            length = hours * per_hour
            if hours <= BREAK_AFTER_HOURS or not rest:
                yield Shift(start, length)
                continue
            middle = start + (length - rest) // 2
            # An hour earlier or later too, so that breaks are staggered.
            yield from (Shift(start, length, middle + offset, rest) for offset in (-per_hour, 0, per_hour))
