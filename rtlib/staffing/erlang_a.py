"""Erlang A: waiting times when contacts give up after an exponential patience (the M/M/n+M queue, Palm 1946).

The offered wait, which a contact of infinite patience would have, has a known density; all measures are integrals over
it: Zeltyn and Mandelbaum, Call centers with impatient customers, Queueing Systems 51 (2005). There the integral is J
and ``1 / erlang_b(load, n - 1)`` is epsilon.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from math import exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from rtlib.errors import ConfigError
from rtlib.staffing.erlang_c import Service, agents_needed, check_target, erlang_b

Numbers = NDArray[np.float64]
NEARBY = 2  # numbers of agents tried in turn from ``fewest`` on, before the search by bisection
NODES = 96  # of the Gauss-Legendre rule: the integrand has a single smooth peak


def erlang_a(
    load: float, agents: int, *, aht_seconds: float, within_seconds: float, patience_seconds: float
) -> Service:
    """Service of a number of agents when contacts give up after ``patience_seconds`` on average.

    A contact that gives up is not answered in time, however short its wait. ``asa_seconds`` is the mean wait of all
    contacts, those that give up included.

    Example:
        >>> round(erlang_a(10, 12, aht_seconds=180, within_seconds=20, patience_seconds=300).abandoned, 3)
        0.043

    Args:
        load: Offered load in Erlangs.
        agents: Number of agents.
        aht_seconds: Mean handling time of a contact.
        within_seconds: Waiting time that counts as in time.
        patience_seconds: Mean patience of a contact.

    Raises:
        ConfigError: The patience is not a finite number above 0.
    """
    if not 0 < patience_seconds < inf:
        raise ConfigError(f"a patience of {patience_seconds} s", cure="give more than 0, or use Erlang C")
    if load == 0:
        return Service(agents, service_level=1.0, p_wait=0.0, asa_seconds=0.0, occupancy=0.0)
    if agents == 0:
        return Service(0, service_level=0.0, p_wait=1.0, asa_seconds=patience_seconds, occupancy=0.0, abandoned=1.0)
    return _served(load, agents, patience_seconds / aht_seconds, within_seconds / aht_seconds, aht_seconds)


def agents_needed_a(
    load: float, *, aht_seconds: float, target: float, within_seconds: float, patience_seconds: float, fewest: int = 0
) -> Service:
    """The fewest agents that answer the share ``target`` of all contacts within ``within_seconds``.

    Args:
        load: Offered load in Erlangs.
        aht_seconds: Mean handling time of a contact.
        target: Service level, above 0 and below 1.
        within_seconds: Waiting time that counts as in time.
        patience_seconds: Mean patience of a contact.
        fewest: A lower bound that is known already; the search begins there.

    Raises:
        ConfigError: The target is not between 0 and 1, the waiting time is negative, or the patience is not above 0.
    """
    check_target(target, within_seconds)

    @lru_cache
    def service(agents: int) -> Service:
        return erlang_a(
            load,
            agents,
            aht_seconds=aht_seconds,
            within_seconds=within_seconds,
            patience_seconds=patience_seconds,
        )

    for agents in range(fewest, fewest + NEARBY):
        if service(agents).service_level >= target:
            return service(agents)
    # Contacts that give up shorten the queue, so the number of Erlang C is always enough.
    enough = agents_needed(load, aht_seconds=aht_seconds, target=target, within_seconds=within_seconds).agents
    low = min(fewest + NEARBY, enough)
    return service(bisect_left(range(enough), target, lo=low, key=lambda agents: service(agents).service_level))


def _served(load: float, agents: int, patience: float, within: float, aht_seconds: float) -> Service:
    """Erlang A in units of the handling time: an agent serves at rate 1, a waiting contact leaves at 1/patience."""
    # The peak of the integrand, a width beyond which it is negligible, and the logarithm of its height.
    peak = patience * max(0.0, log(load / agents))
    width = 12 * sqrt(patience / agents) + 60 / agents
    if agents > load:  # it falls at least as fast as in Erlang C
        width = min(width, 60 / (agents - load))
    low, high = max(0.0, peak - width), peak + width
    height = _exponent(load, agents, patience)(peak)

    def density(waited: Numbers) -> Numbers:
        values: Numbers = np.exp(_exponent(load, agents, patience)(waited) - height)
        return values

    if (blocked := erlang_b(load, agents - 1)) == 0:  # underflow: nobody ever waits
        return Service(agents, service_level=1.0, p_wait=0.0, asa_seconds=0.0, occupancy=load / agents)
    # Both are divided by exp(height), which may overflow.
    at_once = exp(-height) / blocked
    waiting = load * _integral(density, low, high)
    total = at_once + waiting
    in_time = load * _integral(
        lambda waited: density(waited) * _share_waiting(waited, patience), low, min(within, high)
    )
    served = load * _integral(lambda waited: density(waited) * _share_waiting(waited, patience), low, high)
    abandoned = 1 - (at_once + served) / total
    return Service(
        agents,
        service_level=(at_once + in_time) / total,
        p_wait=waiting / total,
        asa_seconds=abandoned * patience * aht_seconds,  # by Little's law: waiting contacts leave at rate 1/patience
        occupancy=load * (1 - abandoned) / agents,
        abandoned=abandoned,
    )


def _exponent(load: float, agents: int, patience: float) -> Callable[[Numbers | float], Numbers]:
    """Logarithm of the density of the offered wait, up to a constant."""
    return lambda waited: np.asarray(-load * patience * np.expm1(-np.asarray(waited) / patience) - agents * waited)


def _share_waiting(waited: Numbers, patience: float) -> Numbers:
    """The share of contacts with at least this patience."""
    share: Numbers = np.exp(-waited / patience)
    return share


def _integral(function: Callable[[Numbers], Numbers], low: float, high: float) -> float:
    """Integral by the Gauss-Legendre rule; 0 over an empty range."""
    if high <= low:
        return 0.0
    nodes, weights = _rule()
    half = (high - low) / 2
    return float(half * (weights @ function(low + half * (nodes + 1))))


@lru_cache(maxsize=1)
def _rule() -> tuple[Numbers, Numbers]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights
