"""Roster: the cheapest set of shifts that covers what a day needs, found by an integer program (HiGHS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtlib.domains import Staffing
from rtlib.errors import ConfigError
from rtlib.staffing.requirement import paid_hour
from rtlib.staffing.shifts import Shift, shift_menu

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GAP = 0.005  # how far from the very best a roster may be, as a share of its cost
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Roster:
    """A day's shifts, each with how many people work it, and who is there in each interval.

    ``opens`` are the intervals in which the role is there; ``wages`` is what the shifts cost, with the paid time that
    shrinkage takes; ``currency`` is the role's.
    """

    shifts: tuple[tuple[Shift, int], ...]
    staffed: tuple[int, ...]
    opens: range
    interval_minutes: int
    wages: float
    currency: str

    def missing_hours(self, needed: Sequence[int]) -> float:
        """How many hours of work are not there when each interval of the day needs ``needed``, while it is open."""
        lacking = sum(max(0, needed[place] - self.staffed[place]) for place in self.opens)
        return lacking * self.interval_minutes / 60

    def cost(self, needed: Sequence[int], *, missing_cost: float) -> float:
        """Wages, and what the missing hours cost when ``needed`` turns out to be what the intervals need."""
        return self.wages + missing_cost * self.missing_hours(needed)


def roster(role: Staffing, needed: Sequence[int], *, interval_minutes: int) -> Roster:
    """The shifts for one day that cost least: wages, and ``missing_cost`` for every hour that stays uncovered.

    A gap may stay open, because a whole shift for a single busy half-hour can cost more than the gap. This is the
    set-covering model of Dantzig (Operations Research 2, 1954) with a price on what is not covered.

    Args:
        role: Its opening hours, shift lengths, breaks and costs.
        needed: How many are needed in each interval, from midnight to midnight; outside the opening hours it is not
            looked at.
        interval_minutes: How long an interval is; divides an hour.

    Raises:
        ConfigError: The intervals are not those of a day, no shift fits, or nothing was found in time.
    """
    menu = shift_menu(role, interval_minutes=interval_minutes)
    if len(needed) * interval_minutes != 24 * 60:
        raise ConfigError(
            f"{len(needed)} intervals of {interval_minutes} minutes are no day",
            cure=f"give {24 * 60 // interval_minutes} numbers, one for each interval from midnight",
        )
    counts = _solve(role, menu, needed, interval_minutes / 60)
    chosen = tuple((one, number) for one, number in zip(menu, counts, strict=True) if number)
    staffed = tuple(sum(number for one, number in chosen if one.works(place)) for place in range(len(needed)))
    paid = sum(one.paid * number for one, number in chosen)
    return Roster(
        shifts=chosen,
        staffed=staffed,
        opens=opening(role, interval_minutes=interval_minutes),
        interval_minutes=interval_minutes,
        wages=paid * interval_minutes / 60 * paid_hour(role),
        currency=role.currency,
    )


def opening(role: Staffing, *, interval_minutes: int) -> range:
    """The intervals of a day in which the role is there, counted from midnight."""
    per_hour = 60 // interval_minutes
    return range(role.open_hour * per_hour, role.close_hour * per_hour)


def _solve(role: Staffing, menu: Sequence[Shift], needed: Sequence[int], hours: float) -> list[int]:
    """How many people work each shift of the menu; ``hours`` is the length of an interval."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack

    open_at = opening(role, interval_minutes=round(hours * 60))
    covers = csr_array(np.array([[one.works(place) for one in menu] for place in open_at], dtype=float))
    wanted = np.array([max(needed[place], role.least) for place in open_at], dtype=float)
    # Shifts first (whole people), then the gaps (whatever is left, priced).
    costs = np.array([one.paid * hours * paid_hour(role) for one in menu] + [role.missing_cost * hours] * len(wanted))
    whole = np.array([1] * len(menu) + [0] * len(wanted))
    found = milp(
        costs,
        integrality=whole,
        # A gap has its price, but below the least that must be there nobody may save.
        bounds=Bounds(0, np.concatenate([np.full(len(menu), np.inf), wanted - role.least])),
        constraints=LinearConstraint(hstack([covers, eye_array(len(wanted))]).tocsr(), wanted, np.inf),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if found.x is None:
        raise ConfigError(f"no roster was found: {found.message}", cure="give fewer shift lengths, or longer intervals")
    return _whole(found.x[: len(menu)])


def _whole(values: NDArray[np.float64]) -> list[int]:
    return [round(float(one)) for one in values]
