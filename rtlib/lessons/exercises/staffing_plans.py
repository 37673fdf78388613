"""Exercises of lesson 07: plans that are scored by their cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtlib.lessons.checks.scenario import Scenario
from rtlib.lessons.checks.series import SLOTS, as_day, load
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable
from rtlib.lessons.exercises.staffing import SETUP

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

# --- 07.5: boss ---------------------------------------------------------------------------------------------------

LENGTH, TARGET, BUDGET = 8, 0.95, 1.05  # hours, share of the need, of the solution's paid hours


def _rostered(shifts: Callable[..., Any], numbers: Numbers) -> tuple[float, float]:
    """The share of the need that is covered, and the paid hours."""
    import numpy as np

    need = np.ceil(load(numbers["_seed"], days=14)[-7 + numbers["_weekday"]] / 8)
    starts = as_day(shifts(need.copy(), LENGTH, TARGET))
    if (starts < 0).any() or (starts != np.round(starts)).any():
        raise Unusable("people are whole numbers: each of the 24 values must be 0, 1, 2, ...")
    if starts[SLOTS - LENGTH + 1 :].any():
        raise Unusable(f"a shift of {LENGTH} hours must end by midnight, so none begins after {SLOTS - LENGTH}:00")
    present = np.array([starts[max(0, hour - LENGTH + 1) : hour + 1].sum() for hour in range(SLOTS)])
    return round(float(np.minimum(present, need).sum() / need.sum()), 4), float(starts.sum() * LENGTH)


_SHIFTS = "def shifts(need, length, target):\n    starts = np.zeros(24)\n    {body}\n    return starts"
_GREEDY = """missing = need.copy()
    while missing.clip(0).sum() > {until}:
        gains = [missing[hour:hour + length].clip(0, 1).sum() for hour in range(25 - length)]
        hour = int(np.argmax(gains))
        starts[hour] += 1
        missing[hour:hour + length] -= 1"""
SHIFTS = Exercise(
    id="07.5",
    title="boss: the service level within the budget",
    kind=Kind.BOSS,
    minutes=15,
    text=f"""
`need` has the people that are needed in each of {SLOTS} hours. People work shifts of `length` hours, which end by midnight.
Return how many people *begin* in each hour, such that at least the share `target` of all needed hours is covered. Paid
hours are dear: you may pay five per cent more than a plan that always adds the shift which covers most of what is missing.
""",
    name="shifts",
    starter="def shifts(need, length, target):\n    return ...  # 24 whole numbers",
    solution=_SHIFTS.format(body=_GREEDY.format(until="(1 - target) * need.sum()")),
    check=Scenario(
        ("need", "length", "target"),
        _rostered,
        lambda observed, expected: (
            f"your shifts cover {observed[0]:.0%} of the need with {observed[1]:,.0f} paid hours; "
            f"{TARGET:.0%} and at most {BUDGET * expected[1]:,.0f} hours are the limits."
        ),
        within=lambda mine, best: mine[0] >= TARGET and mine[1] <= BUDGET * best[1],
        preload=("numpy",),
    ),
    misconceptions=(
        Misconception(
            "need-as-starts",
            "You let as many people begin in each hour as are needed in it. Those of the hours before are still there: you pay "
            "each hour several times.",
            "how many people are present at noon.",
            _SHIFTS.format(body="starts[:17] = need[:17]"),
        ),
        Misconception(
            "peak-all-day",
            "You staffed the whole day for its peak.",
            "the need at six in the morning.",
            _SHIFTS.format(body="starts[0] = starts[8] = starts[16] = need.max()"),
        ),
        Misconception(
            "every-hour",
            "You cover each needed hour, also those for which a whole shift is paid to cover a single one. The target allows "
            "you to leave some of them.",
            "what the last shift costs that you add, and what it covers.",
            _SHIFTS.format(body=_GREEDY.format(until="0")),
        ),
        Misconception(
            "mean",
            "You staffed the whole day for its mean, so people are missing in every busy hour.",
            "the share that is covered at noon.",
            _SHIFTS.format(body="starts[0] = starts[8] = starts[16] = np.ceil(need.mean())"),
        ),
    ),
    hints=(
        "Begin with no shift. Which single shift would cover most of what is missing?",
        "Add it, subtract it from what is missing, and look again, until little enough is missing.",
        "missing[hour:hour + length].clip(0, 1).sum() is what a shift that begins in this hour would cover.",
    ),
    place="Shifts",
    numbers=lambda random: {"_seed": random.randrange(10_000), "_weekday": random.randrange(5)},
    setup=SETUP,
)

EXERCISES = (
    PLAN,
    SHIFTS,
)
