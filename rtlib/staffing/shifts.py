"""Shifts: which ones a role may be given, from its opening hours, shift lengths and breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtlib.domains import Staffing
from rtlib.errors import ConfigError

BREAK_AFTER_HOURS = 5  # a shift of more than this has a break


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift of a day: where it lies and where its break is, in intervals counted from midnight.

    The break takes one stretch of ``rest`` intervals from ``break_at`` on, unpaid; ``rest`` is 0 without one.
    """

    start: int
    length: int
    break_at: int = 0
    rest: int = 0

    @property
    def paid(self) -> int:
        """How many intervals are paid."""
        return self.length - self.rest

    def works(self, interval: int) -> bool:
        """True when somebody on this shift is there in that interval."""
        resting = self.break_at <= interval < self.break_at + self.rest
        return self.start <= interval < self.start + self.length and not resting


def shift_menu(role: Staffing, *, interval_minutes: int) -> tuple[Shift, ...]:
    """Every shift the role's rules allow within one day: all lengths, starting on the hour, breaks about the middle.

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
            # An hour either side, so that not all leave at once.
            yield from (Shift(start, length, middle + shift, rest) for shift in (-per_hour, 0, per_hour))
