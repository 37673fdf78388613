"""Roster: the cheapest set of shifts for a day, by an integer program (HiGHS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rtlib.domains import Staffing
from rtlib.errors import ConfigError
from rtlib.staffing.inputs import check_needs
from rtlib.staffing.requirement import paid_hour
from rtlib.staffing.shifts import Shift, clock_of_day, opening, shift_menu

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GAP = 0.005  # relative gap to the optimal cost at which the solver stops
SECONDS = 10.0
INFEASIBLE = 2  # the solver's status if no set of shifts satisfies the rules


@dataclass(frozen=True, slots=True)
class Roster:
    """The shifts of a day.

    Attributes:
        shifts: Shifts with the number of people on each.
        staffed: People present in each interval of the day.
        opens: Intervals of the opening hours.
        interval_minutes: Length of an interval.
        wages: Cost of the shifts, with the paid time that shrinkage takes.
        currency: Currency of the role.
    """

    shifts: tuple[tuple[Shift, int], ...]
    staffed: tuple[int, ...]
    opens: range
    interval_minutes: int
    wages: float
    currency: str

    def missing_hours(self, needed: Sequence[int]) -> float:
        """Person-hours uncovered within the opening hours if the intervals of the day need ``needed`` people."""
        missing = sum(max(0, needed[slot] - self.staffed[slot]) for slot in self.opens)
        return missing * self.interval_minutes / 60

    def cost(self, needed: Sequence[int], *, missing_cost: float) -> float:
        """Wages plus the cost of the missing hours if the intervals need ``needed`` people."""
        return self.wages + missing_cost * self.missing_hours(needed)


def roster(
    role: Staffing, needed: Sequence[int], *, interval_minutes: int, clock: Sequence[int] | None = None
) -> Roster:
    """The cheapest shifts for one day: wages, and ``missing_cost`` for every uncovered hour.

    Hours may stay uncovered, because a whole shift for a single busy half-hour can cost more than the gap. This is the
    set-covering model of Dantzig (Operations Research 2, 1954) with a price on uncovered hours.

    Example:
        >>> from rtlib.domains import load_domain
        >>> role = load_domain("curbside").staffing
        >>> max(roster(role, [2] * 48, interval_minutes=30).staffed) >= 2
        True

    Args:
        role: Opening hours, shift lengths, breaks and costs.
        needed: People needed in each interval from midnight to midnight; needs outside the opening hours are ignored.
        interval_minutes: Length of an interval; divides an hour.
        clock: What the clock shows at the begin of each interval, as in ``shift_menu``; by default a day of 24 hours.

    Raises:
        ConfigError: The intervals do not make a day, a need is not a number of people, no shift fits, or the solver
            found no roster in time.
    """
    return hedged_roster(role, [needed], interval_minutes=interval_minutes, clock=clock)


def hedged_roster(
    role: Staffing, possible: Sequence[Sequence[int]], *, interval_minutes: int, clock: Sequence[int] | None = None
) -> Roster:
    """The shifts with the lowest average cost over several equally likely days.

    A shift covers many intervals, each with an uncertain need. So the price of a gap is weighted by its probability in
    each interval: the newsvendor model for whole shifts.

    Args:
        role: Opening hours, shift lengths, breaks and costs.
        possible: People needed in each interval, as in ``roster``, for each of the days. The average cost depends on
            each interval alone, so correlations between intervals do not matter.
        interval_minutes: Length of an interval; divides an hour.
        clock: What the clock shows at the begin of each interval, as in ``shift_menu``; by default a day of 24 hours.

    Raises:
        ConfigError: The intervals do not make a day, a need is not a number of people, no shift fits, or the solver
            found no roster in time.
    """
    menu = shift_menu(role, interval_minutes=interval_minutes, clock=clock)
    intervals = len(clock_of_day(interval_minutes) if clock is None else clock)
    if not len(possible):
        raise ConfigError("there is no day to plan for", cure="give at least one day")
    for needed in possible:
        if len(needed) != intervals:
            raise ConfigError(
                f"{len(needed)} intervals of {interval_minutes} minutes do not make a day",
                cure=f"give {intervals} numbers, one for each interval from midnight",
            )
        check_needs(needed)
    opens = opening(role, interval_minutes=interval_minutes, clock=clock)
    counts = _solve(role, menu, possible, opens, interval_minutes / 60)
    chosen = tuple((shift, people) for shift, people in zip(menu, counts, strict=True) if people)
    staffed = tuple(sum(people for shift, people in chosen if shift.works(slot)) for slot in range(intervals))
    paid = sum(shift.paid * people for shift, people in chosen)
    return Roster(
        shifts=chosen,
        staffed=staffed,
        opens=opens,
        interval_minutes=interval_minutes,
        wages=paid * interval_minutes / 60 * paid_hour(role),
        currency=role.currency,
    )


def _solve(
    role: Staffing, menu: Sequence[Shift], possible: Sequence[Sequence[int]], opens: range, hours: float
) -> list[int]:
    """The number of people on each shift of the menu, for the opening hours; ``hours`` is the length of an interval."""
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, hstack

    covers = csr_array(np.array([[shift.works(slot) for shift in menu] for slot in opens], dtype=float))
    gaps = [gap for row, slot in enumerate(opens) for gap in _gaps(row, [day[slot] for day in possible], role.least)]
    most = np.array([max(role.least, *(day[slot] for day in possible)) for slot in opens], dtype=float)
    fills = csr_array(([1.0] * len(gaps), ([gap.row for gap in gaps], range(len(gaps)))), (len(most), len(gaps)))
    # The variables are the people on each shift (integers), then the size of each gap (continuous, with a price).
    prices = [role.missing_cost * hours * gap.probability for gap in gaps]
    costs = np.array([shift.paid * hours * paid_hour(role) for shift in menu] + prices)
    solution = milp(
        costs,
        integrality=np.array([1] * len(menu) + [0] * len(gaps)),
        # No gap reaches below ``least``: that many people are mandatory.
        bounds=Bounds(0, np.array([np.inf] * len(menu) + [float(gap.width) for gap in gaps])),
        constraints=LinearConstraint(hstack([covers, fills]).tocsr(), most, np.inf),
        options={"mip_rel_gap": GAP, "time_limit": SECONDS},
    )
    if solution.x is None:
        raise _no_roster(role, solution.status, solution.message)
    return _whole(solution.x[: len(menu)])


class _Gap(NamedTuple):
    """People (``width``) of an interval (``row``) who are needed on a share of the days (``probability``)."""

    row: int
    width: int
    probability: float


def _gaps(row: int, needs: Sequence[int], least: int) -> list[_Gap]:
    """The possible need of an interval above ``least``, in steps of equal probability."""
    steps = sorted({least, *(need for need in needs if need > least)})
    return [
        _Gap(row, high - low, sum(need >= high for need in needs) / len(needs))
        for low, high in zip(steps, steps[1:], strict=False)
    ]


def _no_roster(role: Staffing, status: int, message: str) -> ConfigError:
    if status != INFEASIBLE:
        return ConfigError(f"no roster was found: {message}", cure="give fewer shift lengths, or longer intervals")
    return ConfigError(
        f"no roster has {role.least} people at all times between {role.open_hour} and {role.close_hour} o'clock, with "
        f"shifts of {role.shift_hours} hours and breaks of {role.break_minutes} minutes",
        cure="shorten the break (break_minutes), lower the minimum (least), or allow a shorter shift",
    )


def _whole(values: NDArray[np.float64]) -> list[int]:
    return [round(float(value)) for value in values]
