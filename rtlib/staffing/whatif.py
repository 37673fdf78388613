"""What if: people and cost of a day for another target, price or shrinkage; fast enough for a slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rtlib.domains import Staffing
from rtlib.errors import ConfigError
from rtlib.staffing.inputs import check_share
from rtlib.staffing.requirement import critical_fractile, newsvendor_costs, paid_hour, people_needed

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DayDemand:
    """The uncertain demand of a day.

    Attributes:
        contacts: Quantiles of the contacts, one row for each interval and one column for each level.
        levels: Levels of the quantiles, rising.
        interval_minutes: Length of an interval.
    """

    contacts: Numbers
    levels: tuple[float, ...]
    interval_minutes: int

    def at(self, level: float) -> Numbers:
        """The quantile ``level`` of the contacts of each interval."""
        return np.array([np.interp(level, self.levels, row) for row in self.contacts])


@dataclass(frozen=True, slots=True)
class WhatIf:
    """People and average cost of a day over the distribution of its demand, without regard to shifts.

    Attributes:
        level: The quantile that is planned for.
        needed: People in each interval.
        paid: Their wages, in the currency of the role.
        missing: Expected cost of the hours in which demand exceeds the plan, in the same currency.
    """

    level: float
    needed: tuple[int, ...]
    paid: float
    missing: float

    @property
    def cost(self) -> float:
        """Average cost of the day."""
        return self.paid + self.missing


def changed(
    role: Staffing,
    *,
    service_level: float | None = None,
    cost_ratio: float | None = None,
    shrinkage: float | None = None,
) -> Staffing:
    """A copy of the role with other figures.

    Args:
        role: The role.
        service_level: Share of contacts to answer in time.
        cost_ratio: Cost of an hour too few as a multiple of an hour too many.
        shrinkage: Share of paid time not spent on contacts.

    Raises:
        ConfigError: A figure is out of bounds.
    """
    if service_level is not None:
        check_share("service_level", service_level, low=0, high=1, includes_low=False)
    if shrinkage is not None:
        check_share("shrinkage", shrinkage, low=0, high=1, includes_low=True)
    if cost_ratio is not None:
        check_share("cost_ratio", cost_ratio, low=0, high=float("inf"), includes_low=False)
    copy = role if service_level is None else replace(role, service_level=service_level)
    copy = copy if shrinkage is None else replace(copy, shrinkage=shrinkage)
    return copy if cost_ratio is None else replace(copy, missing_cost=(1 + cost_ratio) * paid_hour(copy))


def what_if(role: Staffing, demand: DayDemand, *, level: float | None = None) -> WhatIf:
    """Plan a day for a quantile of its demand, by default the best for the costs of the role.

    Example:
        >>> what_if(role, demand, level=0.9).cost  # doctest: +SKIP
        1043.2

    Raises:
        ConfigError: The level is not between 0 and 1, the demand does not have a column for each of its levels, or a
            count is not known.
    """
    if level is not None:
        check_share("level", level, low=0, high=1, includes_low=False)
    if demand.contacts.ndim != 2 or demand.contacts.shape[1] != len(demand.levels):
        raise ConfigError(
            f"the demand has the shape {demand.contacts.shape} for {len(demand.levels)} levels",
            cure="give one row for each interval and one column for each level",
        )
    under, over = newsvendor_costs(role)
    chosen = critical_fractile(under=under, over=over) if level is None else level
    needed = _people(role, demand, demand.at(chosen))
    possible = np.array([_people(role, demand, demand.contacts[:, column]) for column in range(len(demand.levels))])
    hours = demand.interval_minutes / 60
    missing = np.maximum(0, possible - np.array(needed)).sum(axis=1).mean() * hours
    return WhatIf(chosen, needed, sum(needed) * hours * paid_hour(role), float(missing) * role.missing_cost)


def _people(role: Staffing, demand: DayDemand, contacts: Sequence[float] | Numbers) -> tuple[int, ...]:
    return people_needed(role, [float(count) for count in contacts], interval_minutes=demand.interval_minutes)
