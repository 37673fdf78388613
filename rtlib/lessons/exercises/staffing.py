"""Exercises of lesson 07: load, agents, the quantile to plan for, a plan scored by its cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.checks.series import SLOTS, as_day, load
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

# --- 07.4 ---------------------------------------------------------------------------------------------------------

TOO_FEW, TOO_MANY = 60.0, 20.0


def _plan_cost(plan: Callable[..., Any], numbers: Numbers) -> float:
    """The cost of a plan for a day, over a year of such days."""
    import numpy as np

    days = load(numbers["_seed"], days=7 * 60)[numbers["_weekday"] :: 7] / 10
    known, later = days[::2], days[1::2]
    people = as_day(plan(known.copy(), TOO_FEW, TOO_MANY))
    if (people < 0).any():
        raise Unusable("a plan cannot have fewer than no people")
    missing, idle = np.maximum(later - people, 0), np.maximum(people - later, 0)
    return round(float((TOO_FEW * missing + TOO_MANY * idle).sum()) / len(later), 3)


_PLAN = "def plan(days, too_few, too_many):\n    return {what}"
_SHARE = "too_few / (too_few + too_many)"
PLAN = Exercise(
    id="07.4",
    title="a plan that is scored by its cost",
    kind=Kind.JOINED,
    minutes=8,
    text=f"""
Lesson 06 and this one together: `days` holds thirty days like the one to plan for, with the people that were needed in
each of {SLOTS} hours. Return how many people to plan for each hour. `check` applies your plan to thirty other days; it may
cost at most two per cent more than the plan for the right quantile.
""",
    name="plan",
    starter=f"def plan(days, too_few, too_many):  # days has the shape (30, {SLOTS})\n    return ...  # {SLOTS} values",
    solution=_PLAN.format(what=f"np.quantile(days, {_SHARE}, axis=0)"),
    check=Scenario(
        ("days", "too_few", "too_many"),
        _plan_cost,
        lambda observed, expected: f"your plan costs {observed:,.0f} a day; {1.02 * expected:,.0f} is the limit.",
        within=lambda mine, best: mine <= 1.02 * best,
        preload=("numpy",),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "mean",
            "You planned for the mean, so on about every second day people are missing, and a missing hour costs three "
            "times as much as an idle one.",
            "the quantile that the two costs ask for.",
            _PLAN.format(what="days.mean(axis=0)"),
        ),
        Misconception(
            "worst-case",
            "You planned for the busiest day that there was. Nobody is ever missing, and almost everybody is idle.",
            "what the last person whom you add costs, and how often that person is needed.",
            _PLAN.format(what="days.max(axis=0)"),
        ),
        Misconception(
            "wrong-side",
            "You planned for the low quantile: people are missing on three days of four.",
            "which of the two costs is in the numerator.",
            _PLAN.format(what="np.quantile(days, too_many / (too_few + too_many), axis=0)"),
        ),
        Misconception(
            "flat",
            "You planned the same number for all hours, although noon needs five times as many as midnight.",
            "axis=0.",
            _PLAN.format(what=f"np.full({SLOTS}, np.quantile(days, {_SHARE}))"),
        ),
    ),
    hints=(
        "The exercise before says for which quantile to plan.",
        "np.quantile(days, q, axis=0) is the quantile of each hour over the days.",
        "q = too_few / (too_few + too_many)",
    ),
    place="For which quantile?",
    numbers=lambda random: {"_seed": random.randrange(10_000), "_weekday": random.randrange(5)},
    setup=SETUP,
)

EXERCISES = (LOAD, AGENTS, QUANTILE, PLAN)
