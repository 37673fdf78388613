"""Exercises of lesson 07: load, agents, and the quantile to plan for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.checks.value import Number
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable

SETUP = "import math\nimport numpy as np"

# --- 07.1 ---------------------------------------------------------------------------------------------------------


def _load_numbers(random: Random) -> Numbers:
    return {"calls": random.choice((120, 150, 180, 210)), "aht": random.choice((160, 200, 240)), "minutes": 30}


_LOAD = 'calls, aht, minutes = given("07.1")\nerlangs = {formula}'
LOAD = Exercise(
    id="07.1",
    title="from calls to Erlangs",
    kind=Kind.FADED,
    minutes=3,
    text="""
`calls` customers call within `minutes` minutes, and each call takes `aht` *seconds*. Complete the formula of the offered
load in Erlangs: how many people would be busy without a pause?
""",
    name="erlangs",
    starter='calls, aht, minutes = given("07.1")\nprint(calls, "calls of", aht, "seconds in", minutes, "minutes")\nerlangs = ...',
    solution=_LOAD.format(formula="calls * aht / (minutes * 60)"),
    check=Number("Erlangs", tolerance=0.01),
    misconceptions=(
        Misconception(
            "units",
            "You divided seconds of work by minutes of time.",
            "the units of numerator and denominator.",
            _LOAD.format(formula="calls * aht / minutes"),
        ),
        Misconception(
            "per-hour",
            "You spread the calls over an hour. They come within half of it.",
            "the length of the interval.",
            _LOAD.format(formula="calls * aht / 3600"),
        ),
        Misconception(
            "upside-down",
            "You computed how many calls a person can take in the interval, or its inverse.",
            "an Erlang is work divided by time.",
            _LOAD.format(formula="minutes * 60 / aht"),
        ),
    ),
    hints=(
        "Add up the seconds of work of all calls. How many seconds has a person in the interval?",
        "An Erlang is the work of a person who is never idle.",
        "calls * aht seconds of work, in minutes * 60 seconds.",
    ),
    place="From contacts to people",
    numbers=_load_numbers,
    setup=SETUP,
)

# --- 07.2 ---------------------------------------------------------------------------------------------------------


@cache
def _service(load_erlangs: float) -> tuple[float, ...]:
    """The service level (within 20 s, calls of 180 s) of 0, 1, 2, ... agents, by Erlang's formula."""
    from math import exp

    levels, blocked = [], 1.0
    for agents in range(200):
        if agents:
            blocked = load_erlangs * blocked / (agents + load_erlangs * blocked)
        if agents <= load_erlangs:
            levels.append(0.0)
            continue
        waits = blocked / (1 - load_erlangs / agents * (1 - blocked))
        levels.append(1 - waits * exp(-(agents - load_erlangs) * 20 / 180))
    return tuple(levels)


def _needed(agents_for: Callable[..., Any], numbers: Numbers) -> tuple[int, ...]:
    needed = []
    for erlangs in numbers["_loads"]:
        given = agents_for(erlangs, lambda agents, erlangs=erlangs: _level(erlangs, agents), 0.8)
        needed.append(int(returned(given, kind=(int, float), what="a number of agents")))
    return tuple(needed)


def _level(erlangs: float, agents: Any) -> float:
    if isinstance(agents, bool) or not isinstance(agents, int) or not 0 <= agents < 200:
        raise Unusable(f"service_level takes a whole number of agents from 0 to 199, not {str(agents)[:20]}")
    level: float = _service(erlangs)[agents]
    return level


_AGENTS = "def agents_for(load, service_level, target):\n    {body}"
_LOOP = "agents = {start}\n    while service_level(agents) {sign} target:\n        agents += 1\n    return agents{more}"
AGENTS = Exercise(
    id="07.2",
    title="the smallest team",
    kind=Kind.OWN,
    minutes=7,
    text="""
`service_level(agents)` returns the share of calls that this number of agents answers within twenty seconds. Return the smallest
number of agents that reaches the target.
""",
    name="agents_for",
    starter=_AGENTS.format(body="return ..."),
    solution=_AGENTS.format(body=_LOOP.format(start="math.ceil(load)", sign="<", more="")),
    check=Scenario(
        ("load", "service_level", "target"),
        _needed,
        lambda observed, expected: (
            f"for one of the loads it returns {max(observed)}, which is not the smallest that is enough."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "load-only",
            "You planned as many agents as there are Erlangs. Calls come in clusters, and the idle time of a quiet minute "
            "cannot be recovered: the queue grows without end.",
            "the service level of that team.",
            _AGENTS.format(body="return math.ceil(load)"),
        ),
        Misconception(
            "fixed-share",
            "You added a fixed share to the load. A small team needs a larger reserve than a large one, because peaks and "
            "pauses balance out in a large one.",
            "your reserve for the smallest and for the largest load.",
            _AGENTS.format(body="return math.ceil(1.25 * load)"),
        ),
        Misconception(
            "one-too-many",
            "You stop an agent too late: the number before reaches the target already.",
            "the last round of your loop.",
            _AGENTS.format(body=_LOOP.format(start="math.ceil(load)", sign="<", more=" + 1")),
        ),
        Misconception(
            "one-too-few",
            "You return the last number that does *not* reach the target.",
            "the last round of your loop.",
            _AGENTS.format(body=_LOOP.format(start="math.ceil(load)", sign="<", more=" - 1")),
        ),
    ),
    hints=(
        "Try one number after the other, beginning with the smallest that could be enough.",
        "With as many agents as Erlangs or fewer the queue grows without end.",
        "A loop: while service_level(agents) < target, take an agent more.",
    ),
    place="From contacts to people",
    numbers=lambda random: {"_loads": (2.5, 10.0, float(random.randrange(35, 60)))},
    setup=SETUP,
)

# --- 07.3 ---------------------------------------------------------------------------------------------------------

_QUANTILE = "def quantile(too_few, too_many):\n    return {formula}"
QUANTILE = Exercise(
    id="07.3",
    title="for which quantile?",
    kind=Kind.OWN,
    minutes=4,
    text="""
An hour in which a person is missing costs `too_few`; an hour in which a person is idle costs `too_many`. Return the
quantile of the forecast to plan for, from 0 to 1.
""",
    name="quantile",
    starter=_QUANTILE.format(formula="..."),
    solution=_QUANTILE.format(formula="too_few / (too_few + too_many)"),
    check=Scenario(
        ("too_few", "too_many"),
        lambda quantile, numbers: tuple(
            round(float(returned(quantile(*costs), kind=(int, float), what="a number")), 6)
            for costs in numbers["_costs"]
        ),
        lambda observed, expected: "for equal costs it must be 0.5, and the dearer the missing hour, the higher.",
    ),
    misconceptions=(
        Misconception(
            "swapped",
            "You plan *lower* when a missing person is dear.",
            "which of the two costs should make you plan higher.",
            _QUANTILE.format(formula="too_many / (too_few + too_many)"),
        ),
        Misconception(
            "ratio",
            "The ratio of the costs is no probability: it can be larger than 1.",
            "what you return when both cost the same.",
            _QUANTILE.format(formula="too_few / too_many"),
        ),
        Misconception(
            "median",
            "You plan for the median, whatever the costs. It is right only if both cost the same.",
            "the two costs.",
            _QUANTILE.format(formula="0.5"),
        ),
    ),
    hints=(
        "One more person pays off while P(needed) × too_few > P(idle) × too_many.",
        "P(idle) is 1 − P(needed); solve for the probability at which the two are equal.",
        "too_few / (too_few + too_many)",
    ),
    place="For which quantile?",
    numbers=lambda random: {"_costs": ((30.0, 30.0), (float(random.randrange(40, 90)), 25.0), (10.0, 45.0))},
    setup=SETUP,
)

EXERCISES = (
    LOAD,
    AGENTS,
    QUANTILE,
)
