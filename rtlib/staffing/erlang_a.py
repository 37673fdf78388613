"""Patience: Erlang A, the same line when people give up (the M/M/n+M queue, Palm 1946).

Everybody has an exponential patience. The wait somebody of endless patience would have has a known density; what is
asked for is an integral over it: Zeltyn and Mandelbaum, Call centers with impatient customers, Queueing Systems 51
(2005), where the integral is called J and ``1 / erlang_b(load, n - 1)`` is called epsilon.
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
NEARBY = 2  # where a search goes on from a little less, so many are tried one by one
NODES = 96  # of the Gauss-Legendre rule: the integrand is one smooth hill


def erlang_a(
    load: float, agents: int, *, aht_seconds: float, within_seconds: float, patience_seconds: float
) -> Service:
    """What ``agents`` agents make of a load (in Erlangs) when a contact waits ``patience_seconds`` on average.

    Whoever gives up was not taken in time, however short the wait was. ``asa_seconds`` is the mean wait of all
    contacts, those that give up included.

    Raises:
        ConfigError: The patience is not above 0.
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
    """The fewest agents that take the share ``target`` of all contacts within ``within_seconds``.

    Whoever knows that fewer than ``fewest`` do not says so and saves the search below it.

    Raises:
        ConfigError: The target is not between 0 and 1, the promise is negative, or the patience is not above 0.
    """
    check_target(target, within_seconds)

    @lru_cache
    def told(agents: int) -> Service:
        return erlang_a(
            load,
            agents,
            aht_seconds=aht_seconds,
            within_seconds=within_seconds,
            patience_seconds=patience_seconds,
        )

    for agents in range(fewest, fewest + NEARBY):
        if told(agents).service_level >= target:
            return told(agents)
    # Who gives up makes the line shorter, so Erlang C's number is always enough.
    enough = agents_needed(load, aht_seconds=aht_seconds, target=target, within_seconds=within_seconds).agents
    low = min(fewest + NEARBY, enough)
    return told(bisect_left(range(enough), target, lo=low, key=lambda agents: told(agents).service_level))


def _served(load: float, agents: int, patience: float, within: float, aht_seconds: float) -> Service:
    """The same with the handling time as the unit of time: an agent serves at rate 1, a waiter leaves at 1/patience."""
    # The hill's top, a width beyond which it is flat on either side, and its height as a logarithm.
    top = patience * max(0.0, log(load / agents))
    width = 12 * sqrt(patience / agents) + 60 / agents
    if agents > load:  # then it falls at least as fast as in Erlang C
        width = min(width, 60 / (agents - load))
    low, high = max(0.0, top - width), top + width
    height = _exponent(load, agents, patience)(top)

    def hill(waited: Numbers) -> Numbers:
        values: Numbers = np.exp(_exponent(load, agents, patience)(waited) - height)
        return values

    if (refused := erlang_b(load, agents - 1)) == 0:  # too small a number for the machine: nobody ever waits
        return Service(agents, service_level=1.0, p_wait=0.0, asa_seconds=0.0, occupancy=load / agents)
    # Both are divided by exp(height), which may be too large a number.
    at_once = exp(-height) / refused
    waiting = load * _integral(hill, low, high)
    whole = at_once + waiting
    in_time = load * _integral(lambda waited: hill(waited) * _still_there(waited, patience), low, min(within, high))
    served = load * _integral(lambda waited: hill(waited) * _still_there(waited, patience), low, high)
    abandoned = 1 - (at_once + served) / whole
    return Service(
        agents,
        service_level=(at_once + in_time) / whole,
        p_wait=waiting / whole,
        asa_seconds=abandoned * patience * aht_seconds,  # by Little's law: who waits leaves at rate 1/patience
        occupancy=load * (1 - abandoned) / agents,
        abandoned=abandoned,
    )


def _exponent(load: float, agents: int, patience: float) -> Callable[[Numbers | float], Numbers]:
    """The logarithm of the density of the wait offered, up to a constant."""
    return lambda waited: np.asarray(-load * patience * np.expm1(-np.asarray(waited) / patience) - agents * waited)


def _still_there(waited: Numbers, patience: float) -> Numbers:
    share: Numbers = np.exp(-waited / patience)
    return share


def _integral(function: Callable[[Numbers], Numbers], low: float, high: float) -> float:
    """By the Gauss-Legendre rule; 0 over nothing."""
    if high <= low:
        return 0.0
    nodes, weights = _rule()
    half = (high - low) / 2
    return float(half * (weights @ function(low + half * (nodes + 1))))


@lru_cache(maxsize=1)
def _rule() -> tuple[Numbers, Numbers]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights
