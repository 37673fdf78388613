"""What if: a day's people and their cost when a target, a price or the shrinkage changes; quick enough for a slider."""

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
    """What a day may bring: for each interval (rows) the quantiles of its contacts, at ``levels`` (columns, rising)."""

    contacts: Numbers
    levels: tuple[float, ...]
    interval_minutes: int

    def at(self, level: float) -> Numbers:
        """The contacts of each interval that are not exceeded with probability ``level``."""
        return np.array([np.interp(level, self.levels, one) for one in self.contacts])


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Who is needed and what it costs on average, over all that the forecast holds possible.

    ``needed`` are the people of each interval, ``paid`` their cost, ``missing`` what the hours cost in which demand
    turns out larger than was planned for; both in the role's currency. Shifts are not looked at.
    """

    level: float
    needed: tuple[int, ...]
    paid: float
    missing: float

    @property
    def cost(self) -> float:
        """What the day costs on average."""
        return self.paid + self.missing


def changed(
    role: Staffing,
    *,
    service_level: float | None = None,
    cost_ratio: float | None = None,
    shrinkage: float | None = None,
) -> Staffing:
    """The role with other figures; the one given stays as it is.

    Args:
        role: The people.
        service_level: The share of contacts to be taken in time.
        cost_ratio: What an hour too few costs, as a multiple of an hour too many.
        shrinkage: The share of paid time that goes elsewhere.

    Raises:
        ConfigError: A figure is outside its bounds.
    """
    if service_level is not None:
        check_share("service_level", service_level, low=0, high=1, includes_low=False)
    if shrinkage is not None:
        check_share("shrinkage", shrinkage, low=0, high=1, includes_low=True)
    if cost_ratio is not None:
        check_share("cost_ratio", cost_ratio, low=0, high=float("inf"), includes_low=False)
    told = role if service_level is None else replace(role, service_level=service_level)
    told = told if shrinkage is None else replace(told, shrinkage=shrinkage)
    return told if cost_ratio is None else replace(told, missing_cost=(1 + cost_ratio) * paid_hour(told))


def what_if(role: Staffing, demand: DayDemand, *, level: float | None = None) -> WhatIf:
    """Plan a day for one quantile of its demand, by default the one that the role's costs ask for.

    Raises:
        ConfigError: The level is not between 0 and 1, the demand has not one column for each of its levels, or a count
            in it is not known.
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
    possible = np.array([_people(role, demand, demand.contacts[:, place]) for place in range(len(demand.levels))])
    hours = demand.interval_minutes / 60
    lacking = np.maximum(0, possible - np.array(needed)).sum(axis=1).mean() * hours
    return WhatIf(chosen, needed, sum(needed) * hours * paid_hour(role), float(lacking) * role.missing_cost)


def _people(role: Staffing, demand: DayDemand, contacts: Sequence[float] | Numbers) -> tuple[int, ...]:
    return people_needed(role, [float(one) for one in contacts], interval_minutes=demand.interval_minutes)
