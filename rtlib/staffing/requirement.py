"""Requirement: how many people an interval needs, and for which quantile of the forecast one plans."""

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
    """The quantile of demand to plan for: the newsvendor's answer (Arrow, Harris and Marschak 1951).

    One more person is worth it while the chance that they are missing, times what that costs, exceeds the chance that
    they are idle, times what that costs.

    Args:
        under: What an hour costs for each person too few.
        over: What an hour costs for each person too many.

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
    """What an hour on contacts costs: the wage, and that of the time that goes elsewhere (leave, training, illness)."""
    return role.hourly_cost / (1 - role.shrinkage)


def newsvendor_costs(role: Staffing) -> tuple[float, float]:
    """What an hour costs for each person too few and too many.

    Somebody who is missing is not paid: ``missing_cost``, less the pay that was saved, is what too few costs.
    """
    return role.missing_cost - paid_hour(role), paid_hour(role)


def rostered(agents: float, shrinkage: float) -> int:
    """How many must be on shift so that ``agents`` are there, when a share of paid time goes elsewhere.

    Raises:
        ConfigError: The shrinkage is not at least 0 and below 1.
    """
    if not 0 <= shrinkage < 1:
        raise ConfigError(f"a shrinkage of {shrinkage}", cure="give a share from 0 to below 1, as 0.25")
    return ceil(round(agents / (1 - shrinkage), 9))  # rounded: 3 / 0.75 is 4, not a little more


def service_of(role: Staffing, contacts: float, agents: int, *, interval_minutes: float) -> Service:
    """What ``agents`` people of this role make of an interval's contacts: Erlang A where people give up, else C."""
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
    """How many must be there in each interval to keep the promise; never fewer than ``least``.

    Shrinkage is not in it, but in what an hour costs (``paid_hour``): who is on leave stands on no shift.

    Args:
        role: The people, their handling time and their targets.
        contacts: What each interval is expected to bring; fractions are welcome, less than nothing is taken for 0.
        interval_minutes: How long an interval is.

    Raises:
        ConfigError: A count is no number, NaN or infinite, or a load is beyond all call centres.
    """
    counts = known_contacts(contacts)
    promise = ServiceTarget(
        role.aht_seconds, role.service_level, role.within_seconds, role.patience_seconds, interval_minutes
    )
    known = _known(promise)
    asked = [round(one, 2) for one in counts]
    found = {one: known.agents(one) for one in sorted(set(asked))}
    return tuple(max(role.least, found[one]) for one in asked)


class ServiceTarget(NamedTuple):
    """All that decides how many agents a number of contacts needs: neither a price nor the shrinkage does."""

    aht_seconds: float
    target: float
    within_seconds: float
    patience_seconds: float
    interval_minutes: float


class _Known:
    """The answers to one promise so far, by rising contacts; filled in place, because a slider asks by the thousand.

    More contacts never need fewer people: what lies between two that need the same needs no search, and every other
    search goes on from the answer below.
    """

    def __init__(self, promise: ServiceTarget) -> None:
        self._promise = promise
        self._contacts: list[float] = []
        self._agents: list[int] = []

    def agents(self, contacts: float) -> int:
        """How many agents keep the promise for so many contacts."""
        place = bisect_left(self._contacts, contacts)
        below = self._agents[place - 1] if place else 0
        above = self._agents[place] if place < len(self._agents) else None
        if above is not None and (above == below or self._contacts[place] == contacts):
            return above
        found = _agents(self._promise, contacts, below)
        self._contacts.insert(place, contacts)
        self._agents.insert(place, found)
        return found


@lru_cache(maxsize=64)
def _known(promise: ServiceTarget) -> _Known:
    return _Known(promise)


def _agents(promise: ServiceTarget, contacts: float, fewest: int) -> int:
    """How many agents keep the promise, when it is known that fewer than ``fewest`` do not."""
    aht, target, within, patience, minutes = promise
    load = offered_load(contacts, interval_minutes=minutes, aht_seconds=aht)
    if not patience:
        return agents_needed(load, aht_seconds=aht, target=target, within_seconds=within).agents
    return agents_needed_a(
        load, aht_seconds=aht, target=target, within_seconds=within, patience_seconds=patience, fewest=fewest
    ).agents
