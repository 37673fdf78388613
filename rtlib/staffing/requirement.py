"""Requirement: the number of people an interval needs, and the quantile of the forecast to plan for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from rtlib.domains import Staffing
from rtlib.errors import ConfigError
from rtlib.staffing.erlang_a import agents_needed_a, erlang_a
from rtlib.staffing.erlang_c import Service, agents_needed, erlang_c, offered_load
from rtlib.staffing.inputs import known_contacts


def critical_fractile(*, under: float, over: float) -> float:
    """The quantile of demand to plan for, by the newsvendor model (Arrow, Harris and Marschak 1951).

    Another person pays off as long as the probability that they are missing, times ``under``, exceeds the probability
    that they are idle, times ``over``.

    Args:
        under: Cost of an hour with a person too few.
        over: Cost of an hour with a person too many.

    Example:
        >>> critical_fractile(under=30, over=10)
        0.75

    Raises:
        ConfigError: A cost is not above 0.
    """
    if under <= 0 or over <= 0:
        raise ConfigError(f"costs of {under} (too few) and {over} (too many)", cure="give more than 0 for both")
    return under / (under + over)


def paid_hour(role: Staffing) -> float:
    """Cost of an hour on contacts: the wage, plus the paid time that shrinkage takes (leave, training, illness)."""
    return role.hourly_cost / (1 - role.shrinkage)


def newsvendor_costs(role: Staffing) -> tuple[float, float]:
    """Cost of an hour with a person too few, and with a person too many.

    A missing person is not paid, so an hour too few costs ``missing_cost`` less the wage that is saved.
    """
    return role.missing_cost - paid_hour(role), paid_hour(role)


def rostered(agents: float, shrinkage: float) -> int:
    """The number of people on shift so that ``agents`` are available, given a share of paid time lost to shrinkage.

    Raises:
        ConfigError: The shrinkage is below 0 or not below 1.
    """
    if not 0 <= shrinkage < 1:
        raise ConfigError(f"a shrinkage of {shrinkage}", cure="give a share from 0 to below 1, as 0.25")
    return ceil(round(agents / (1 - shrinkage), 9))  # rounded: 3 / 0.75 is 4, not a little more


def service_of(role: Staffing, contacts: float, agents: int, *, interval_minutes: float) -> Service:
    """Service of a number of people for the contacts of an interval: Erlang A if the role has a patience, else C."""
    load = offered_load(contacts, interval_minutes=interval_minutes, aht_seconds=role.aht_seconds)
    if role.patience_seconds:
        return erlang_a(
            load,
            agents,
            aht_seconds=role.aht_seconds,
            within_seconds=role.within_seconds,
            patience_seconds=role.patience_seconds,
        )
    return erlang_c(load, agents, aht_seconds=role.aht_seconds, within_seconds=role.within_seconds)


def people_needed(role: Staffing, contacts: Sequence[float], *, interval_minutes: float) -> tuple[int, ...]:
    """The number of people that reach the service target in each interval; at least ``role.least``.

    Shrinkage is part of the cost of an hour (``paid_hour``), not of this number: people on leave are on no shift.

    Args:
        role: Handling time and service target.
        contacts: Contacts of each interval; fractions are allowed, negative numbers count as 0.
        interval_minutes: Length of an interval.

    Raises:
        ConfigError: A count is not a number, NaN or infinite, or a load is too large.
    """
    counts = known_contacts(contacts)
    target = ServiceTarget(
        role.aht_seconds, role.service_level, role.within_seconds, role.patience_seconds, interval_minutes
    )
    cache = _cache(target)
    rounded = [round(count, 2) for count in counts]
    agents = {count: cache.agents(count) for count in sorted(set(rounded))}
    return tuple(max(role.least, agents[count]) for count in rounded)


class ServiceTarget(NamedTuple):
    """Everything that determines the agents for a number of contacts; prices and shrinkage do not."""

    aht_seconds: float
    target: float
    within_seconds: float
    patience_seconds: float
    interval_minutes: float


class _AgentsCache:
    """The agents for a service target by rising number of contacts; a slider needs thousands of them.

    More contacts never need fewer people. So a number of contacts between two with the same need is not searched, and
    every other search begins at the need below.
    """

    def __init__(self, target: ServiceTarget) -> None:
        self._target = target
        self._contacts: list[float] = []
        self._agents: list[int] = []

    def agents(self, contacts: float) -> int:
        """The fewest agents that reach the target for this number of contacts."""
        index = bisect_left(self._contacts, contacts)
        below = self._agents[index - 1] if index else 0
        above = self._agents[index] if index < len(self._agents) else None
        if above is not None and (above == below or self._contacts[index] == contacts):
            return above
        agents = _agents(self._target, contacts, below)
        self._contacts.insert(index, contacts)
        self._agents.insert(index, agents)
        return agents


@lru_cache(maxsize=64)
def _cache(target: ServiceTarget) -> _AgentsCache:
    return _AgentsCache(target)


def _agents(service: ServiceTarget, contacts: float, fewest: int) -> int:
    """The fewest agents that reach the target, at least ``fewest``."""
    aht, target, within, patience, minutes = service
    load = offered_load(contacts, interval_minutes=minutes, aht_seconds=aht)
    if not patience:
        return agents_needed(load, aht_seconds=aht, target=target, within_seconds=within).agents
    return agents_needed_a(
        load, aht_seconds=aht, target=target, within_seconds=within, patience_seconds=patience, fewest=fewest
    ).agents
