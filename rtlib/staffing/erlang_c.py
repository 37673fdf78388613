"""Erlang C: waiting times when nobody gives up (the M/M/n queue).

Contacts arrive at random (Poisson), take an exponential handling time, and wait in one queue for any of ``n`` agents.
Source: A. K. Erlang (1917), as in L. Kleinrock, Queueing Systems, volume 1 (1975), chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from math import exp, inf, isfinite

from rtlib.errors import ConfigError

MOST = 1_000_000  # Erlangs; the recursion takes a step for each agent


@dataclass(frozen=True, slots=True)
class Service:
    """How well a number of agents serves a load.

    Attributes:
        agents: Number of agents.
        service_level: Share of all contacts that are answered in time.
        p_wait: Share of contacts that wait at all.
        asa_seconds: Mean wait (average speed of answer).
        occupancy: Share of the agents' time that contacts take.
        abandoned: Share of contacts that give up.
    """

    agents: int
    service_level: float
    p_wait: float
    asa_seconds: float
    occupancy: float
    abandoned: float = 0.0


def offered_load(contacts: float, *, interval_minutes: float, aht_seconds: float) -> float:
    """The offered load in Erlangs: the number of agents that the contacts of an interval keep busy without a pause.

    Example:
        >>> offered_load(100, interval_minutes=30, aht_seconds=180)
        10.0

    Raises:
        ConfigError: A number is negative or not finite, the interval or the handling time is 0, or the load exceeds
            ``MOST``.
    """
    if not all(isfinite(number) for number in (contacts, interval_minutes, aht_seconds)):
        raise ConfigError(
            f"not a finite number among {contacts}, {interval_minutes} and {aht_seconds}", cure="give finite numbers"
        )
    if contacts < 0:
        raise ConfigError(f"{contacts} contacts in an interval", cure="give 0 or more")
    if interval_minutes <= 0 or aht_seconds <= 0:
        raise ConfigError(
            f"an interval of {interval_minutes} minutes and a handling time of {aht_seconds} s", cure="give more than 0"
        )
    load = contacts * aht_seconds / (interval_minutes * 60)
    if load > MOST:
        raise ConfigError(f"a load of {load:,.0f} Erlangs", cure=f"give at most {MOST:,}")
    return load


def erlang_b(load: float, agents: int) -> float:
    """Erlang B: the share of contacts that find all agents busy when there is no queue."""
    return next(islice(_blocked(load), agents, None))


def p_wait(load: float, agents: int) -> float:
    """Erlang C: the probability that a contact has to wait; 1 if the load is at least the number of agents.

    Example:
        >>> round(p_wait(10, 14), 4)
        0.1741
    """
    return _p_wait(load, agents, erlang_b(load, agents))


def erlang_c(load: float, agents: int, *, aht_seconds: float, within_seconds: float) -> Service:
    """Service of a number of agents when nobody gives up.

    If the load is at least the number of agents, the service level is 0 and the wait infinite.

    Example:
        >>> round(erlang_c(10, 14, aht_seconds=180, within_seconds=20).service_level, 4)
        0.8884

    Args:
        load: Offered load in Erlangs.
        agents: Number of agents.
        aht_seconds: Mean handling time of a contact.
        within_seconds: Waiting time that counts as in time.
    """
    return _service(load, agents, p_wait(load, agents), aht_seconds, within_seconds)


def agents_needed(load: float, *, aht_seconds: float, target: float, within_seconds: float) -> Service:
    """The fewest agents that answer the share ``target`` of the contacts within ``within_seconds``.

    A load of 0 needs no agents.

    Example:
        >>> agents_needed(10, aht_seconds=180, target=0.8, within_seconds=20).agents
        14

    Args:
        load: Offered load in Erlangs.
        aht_seconds: Mean handling time of a contact.
        target: Service level, above 0 and below 1.
        within_seconds: Waiting time that counts as in time.

    Raises:
        ConfigError: The target is not between 0 and 1, or the waiting time is negative.
    """
    check_target(target, within_seconds)
    for agents, blocked in enumerate(_blocked(load)):
        if agents > load or load == 0:
            service = _service(load, agents, _p_wait(load, agents, blocked), aht_seconds, within_seconds)
            if service.service_level >= target:
                return service
    raise AssertionError("the recursion is infinite")


def check_target(target: float, within_seconds: float) -> None:
    """Refuse a target that no number of agents reaches, or that any number reaches."""
    if not 0 < target < 1:
        raise ConfigError(f"a service level of {target}", cure="give a share between 0 and 1, as 0.8")
    if not 0 <= within_seconds < inf:
        raise ConfigError(f"a waiting time of {within_seconds} s", cure="give 0 or more")


def _blocked(load: float) -> Iterator[float]:
    """Erlang B for 0, 1, 2 … agents, by its recursion, which does not overflow as factorials do."""
    blocked = 1.0
    yield blocked
    for agents in count(1):
        blocked = load * blocked / (agents + load * blocked)
        yield blocked


def _p_wait(load: float, agents: int, blocked: float) -> float:
    if load == 0:
        return 0.0
    return 1.0 if agents <= load else agents * blocked / (agents - load * (1 - blocked))


def _service(load: float, agents: int, waits: float, aht_seconds: float, within_seconds: float) -> Service:
    if load == 0:
        return Service(agents, service_level=1.0, p_wait=0.0, asa_seconds=0.0, occupancy=0.0)
    spare = agents - load
    if spare <= 0:
        return Service(agents, service_level=0.0, p_wait=1.0, asa_seconds=inf, occupancy=1.0)
    in_time = 1 - waits * exp(-spare * within_seconds / aht_seconds)
    return Service(agents, in_time, waits, waits * aht_seconds / spare, load / agents)
