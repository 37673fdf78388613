"""Shifts: the shifts that a role allows, from its opening hours, shift lengths and breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rtlib.domains import Staffing
from rtlib.errors import ConfigError

DAY_MINUTES = 24 * 60
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


def clock_of_day(interval_minutes: int) -> tuple[int, ...]:
    """The clock of a day of 24 hours: what it shows at the begin of each interval, in minutes after midnight."""
    return tuple(range(0, DAY_MINUTES, interval_minutes))


def opening(role: Staffing, *, interval_minutes: int, clock: Sequence[int] | None = None) -> range:
    """The intervals of the opening hours, counted from midnight; ``clock`` as in ``shift_menu``."""
    day = clock_of_day(interval_minutes) if clock is None else clock
    return range(_interval_at(day, role.open_hour * 60), _interval_at(day, role.close_hour * 60))


def shift_menu(role: Staffing, *, interval_minutes: int, clock: Sequence[int] | None = None) -> tuple[Shift, ...]:
    """Every shift that a role allows within a day: all lengths, starting on the hour, with the break near the middle.

    A shift begins and ends by the clock. On the day on which the clock changes, a shift over the change therefore lasts
    an hour less or more, and is paid for the hours that it lasts. If it begins or ends in a repeated hour, it does so
    when the clock shows that hour for the first time.

    Args:
        role: Opening hours, shift lengths and breaks.
        interval_minutes: Length of an interval; divides an hour.
        clock: What the clock shows at the begin of each interval of the day, in minutes after midnight; 46 or 50
            half-hours on the day of a change. By default a day of 24 hours.

    Raises:
        ConfigError: The interval does not divide an hour, or no shift fits into the opening hours.
    """
    if interval_minutes <= 0 or 60 % interval_minutes:
        raise ConfigError(f"an interval of {interval_minutes} minutes", cure="give one that divides an hour, as 30")
    menu = tuple(_allowed(role, 60 // interval_minutes, clock_of_day(interval_minutes) if clock is None else clock))
    if not menu:
        raise ConfigError(
            f"no shift of {role.shift_hours} hours fits between {role.open_hour} and {role.close_hour} o'clock",
            cure="shorten a shift, or open longer",
        )
    return menu


def _allowed(role: Staffing, per_hour: int, clock: Sequence[int]) -> Iterator[Shift]:
    rest = max(1, round(role.break_minutes * per_hour / 60)) if role.break_minutes else 0
    for hours in role.shift_hours:
        for hour in range(role.open_hour, role.close_hour - hours + 1):
            start = _interval_at(clock, hour * 60)
            length = _interval_at(clock, (hour + hours) * 60) - start
            if length <= BREAK_AFTER_HOURS * per_hour or not rest:
                if length:  # none is left of an hour that the clock skips
                    yield Shift(start, length)
                continue
            middle = start + (length - rest) // 2
            # An hour earlier or later too, so that breaks are staggered.
            yield from (Shift(start, length, middle + offset, rest) for offset in (-per_hour, 0, per_hour))


def _interval_at(clock: Sequence[int], minutes: int) -> int:
    """The first interval at which the clock shows this time or a later one."""
    return next((interval for interval, shown in enumerate(clock) if shown >= minutes), len(clock))
