"""Roster: the cheapest set of shifts that covers what a day needs, found by an integer program (HiGHS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rtlib.domains import Staffing
from rtlib.errors import ConfigError
from rtlib.staffing.inputs import check_needs
from rtlib.staffing.requirement import paid_hour
from rtlib.staffing.shifts import Shift, shift_menu

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GAP = 0.005  # how far from the very best a roster may be, as a share of its cost
SECONDS = 10.0
INFEASIBLE = 2  # what the solver's status says when no set of shifts keeps the rules


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
        ConfigError: The intervals are not those of a day, a need is no number of people, no shift fits, or nothing was
            found in time.
    """
    return hedged_roster(role, [needed], interval_minutes=interval_minutes)


def hedged_roster(role: Staffing, possible: Sequence[Sequence[int]], *, interval_minutes: int) -> Roster:
    """The shifts that cost least on average over several days that are all equally possible.

    A shift serves many intervals, each of which may turn out to need more or fewer. So the price of a gap is weighed
    by how likely it is, interval by interval: the newsvendor's question, asked for whole shifts.

    Args:
        role: Its opening hours, shift lengths, breaks and costs.
        possible: For each of the days, how many are needed in each interval, as in ``roster``. Intervals are looked at
            one by one: how their needs hang together does not matter to the average.
        interval_minutes: How long an interval is; divides an hour.

    Raises:
        ConfigError: The intervals are not those of a day, a need is no number of people, no shift fits, or nothing was
            found in time.
    """
    menu = shift_menu(role, interval_minutes=interval_minutes)
    if not len(possible):
        raise ConfigError("there is no day to plan for", cure="give at least one")
    for needed in possible:
        if len(needed) * interval_minutes != 24 * 60:
            raise ConfigError(
                f"{len(needed)} intervals of {interval_minutes} minutes are no day",
                cure=f"give {24 * 60 // interval_minutes} numbers, one for each interval from midnight",
            )
        check_needs(needed)
    counts = _solve(role, menu, possible, interval_minutes / 60)
    chosen = tuple((one, number) for one, number in zip(menu, counts, strict=True) if number)
    places = range(24 * 60 // interval_minutes)
    staffed = tuple(sum(number for one, number in chosen if one.works(place)) for place in places)
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


def _solve(role: Staffing, menu: Sequence[Shift], possible: Sequence[Sequence[int]], hours: float) -> list[int]:
    """How many people work each shift of the menu; ``hours`` is the length of an interval."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, hstack

    open_at = opening(role, interval_minutes=round(hours * 60))
    covers = csr_array(np.array([[one.works(place) for one in menu] for place in open_at], dtype=float))
    gaps = [
        gap for row, place in enumerate(open_at) for gap in _gaps(row, [day[place] for day in possible], role.least)
    ]
    wanted = np.array([max(role.least, *(day[place] for day in possible)) for place in open_at], dtype=float)
    fills = csr_array(([1.0] * len(gaps), ([one.row for one in gaps], range(len(gaps)))), (len(wanted), len(gaps)))
    # Shifts first (whole people), then the gaps (whatever is left, priced).
    prices = [role.missing_cost * hours * one.likely for one in gaps]
    costs = np.array([one.paid * hours * paid_hour(role) for one in menu] + prices)
    whole = np.array([1] * len(menu) + [0] * len(gaps))
    found = milp(
        costs,
        integrality=whole,
        # A gap has its price, but below the least that must be there nobody may save.
        bounds=Bounds(0, np.array([np.inf] * len(menu) + [float(one.width) for one in gaps])),
        constraints=LinearConstraint(hstack([covers, fills]).tocsr(), wanted, np.inf),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if found.x is None:
        raise _no_roster(role, found.status, found.message)
    return _whole(found.x[: len(menu)])


class _Gap(NamedTuple):
    """So many people (``width``) of an interval (``row``) who will be missing on that share of the days."""

    row: int
    width: int
    likely: float


def _gaps(row: int, needs: Sequence[int], least: int) -> list[_Gap]:
    """The people above ``least`` whom an interval may need, in steps that are each as likely."""
    steps = sorted({least, *(one for one in needs if one > least)})
    return [
        _Gap(row, high - low, sum(one >= high for one in needs) / len(needs))
        for low, high in zip(steps, steps[1:], strict=False)
    ]


def _no_roster(role: Staffing, status: int, message: str) -> ConfigError:
    if status != INFEASIBLE:
        return ConfigError(f"no roster was found: {message}", cure="give fewer shift lengths, or longer intervals")
    return ConfigError(
        f"no roster has {role.least} people at all times between {role.open_hour} and {role.close_hour} o'clock, with "
        f"shifts of {role.shift_hours} hours and breaks of {role.break_minutes} minutes",
        cure="shorten the break (break_minutes), let fewer be there (least), or allow a shorter shift",
    )


def _whole(values: NDArray[np.float64]) -> list[int]:
    return [round(float(one)) for one in values]
