"""Exercises of lesson 08: hysteresis, a duration, a sender that waits, and an outbox."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable

RAISE, CLEAR = 20, 15

# --- 08.1: hysteresis ---------------------------------------------------------------------------------------------


def _values(random: Random) -> Numbers:
    """Two hours: a rise, values around the threshold, a fall."""
    rise = [10, 14, 18]
    around = [random.choice((17, 19, 21, 23)) for _ in range(12)]
    return {"_values": [*rise, 21, 17, 22, *around, 16, 21, 14, 12, 18, 14, 10]}


def _states(is_bad: Callable[..., Any], numbers: Numbers) -> tuple[bool, ...]:
    states, bad = [], False
    for value in numbers["_values"]:
        bad = bool(returned(is_bad(bad, value), kind=(bool, int), what="True or False"))
        states.append(bad)
    return tuple(states)


def _changes(states: tuple[bool, ...]) -> int:
    return sum(before != after for before, after in zip((False, *states), states, strict=False))


_BAD = "def is_bad(was_bad, value):\n    limit = {limit}\n    return value >= limit"
HYSTERESIS = Exercise(
    id="08.1",
    title="two thresholds",
    kind=Kind.FADED,
    minutes=4,
    text=f"""
An alert begins when the value reaches {RAISE}, and ends when it falls below {CLEAR}. In between it stays what it was.
Complete the line.
""",
    name="is_bad",
    starter=_BAD.format(limit="... if was_bad else ..."),
    solution=_BAD.format(limit=f"{CLEAR} if was_bad else {RAISE}"),
    check=Scenario(
        ("was_bad", "value"),
        _states,
        lambda observed, expected: (
            f"the alert changes {_changes(observed)} times in two hours, where {_changes(expected)} are expected."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "bare-threshold",
            "You use a single threshold, so each crossing is a message, and the channel is soon muted.",
            "what was_bad is for.",
            _BAD.format(limit=str(RAISE)),
        ),
        Misconception(
            "low-threshold",
            "You use the better threshold for the beginning as well, so the alert begins too early.",
            "the value at which an alert begins.",
            _BAD.format(limit=str(CLEAR)),
        ),
        Misconception(
            "swapped",
            "You swapped the two: your alert begins easily and ends at once, which makes more messages than one threshold.",
            "which limit holds while the alert is on.",
            _BAD.format(limit=f"{RAISE} if was_bad else {CLEAR}"),
        ),
    ),
    hints=(
        "Which of the two limits matters while the alert is on?",
        "To end, the value must be better than to begin.",
        f"{CLEAR} if was_bad else {RAISE}",
    ),
    place="A threshold is not a rule",
    numbers=_values,
)

# --- 08.2: for ----------------------------------------------------------------------------------------------------


def _minutes(random: Random) -> Numbers:
    short, long = random.randrange(1, 3), random.randrange(4, 7)
    values = [10, *[25] * short, 12, *[25] * 2, 11, *[26] * long, 9, *[30] * 3, 8]
    return {"_values": values}


def _raised(raised_at: Callable[..., Any], numbers: Numbers) -> tuple[int, ...]:
    given = returned(raised_at(list(numbers["_values"]), RAISE), kind=(list, tuple), what="a list of minutes")
    if not all(isinstance(minute, int) for minute in given):
        raise Unusable("your function must return a list of whole numbers")
    return tuple(given)


_FOR = "def raised_at(values, threshold):\n    minutes, bad = [], 0\n    for minute, value in enumerate(values):\n        {count}\n        if {condition}:\n            minutes.append(minute)\n    return minutes"
_COUNT = "bad = bad + 1 if value >= threshold else 0"
LASTING = Exercise(
    id="08.2",
    title="bad for three minutes",
    kind=Kind.OWN,
    minutes=7,
    text="""
`values` has a value for each minute. An alert is raised in the minute in which the value has been at or above the threshold
for the third minute *in a row*, and once for each such period. Return the list of these minutes (the places in `values`).
""",
    name="raised_at",
    starter="def raised_at(values, threshold):\n    return ...",
    solution=_FOR.format(count=_COUNT, condition="bad == 3"),
    check=Scenario(
        ("values", "threshold"),
        _raised,
        lambda observed, expected: (
            f"it raises {len(observed)} alerts, where {len(expected)} are expected, or in other minutes."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "not-in-a-row",
            "You add up bad minutes and never begin again. Three bad minutes in two hours are no lasting problem.",
            "what happens to your count in a good minute.",
            _FOR.format(count="bad += value >= threshold", condition="bad == 3"),
        ),
        Misconception(
            "each-minute",
            "You raise an alert in each minute from the third on. A single problem then sends a message a minute.",
            "a period of five bad minutes.",
            _FOR.format(count=_COUNT, condition="bad >= 3"),
        ),
        Misconception(
            "at-once",
            "You raise the alert in the first bad minute, so a single bad value sends a message.",
            "the duration.",
            _FOR.format(count=_COUNT, condition="bad == 1"),
        ),
        Misconception(
            "a-minute-late",
            "You wait for a fourth bad minute.",
            "your count in the third bad minute.",
            _FOR.format(count=_COUNT, condition="bad == 4"),
        ),
    ),
    hints=(
        "Keep a count of bad minutes. When does it begin again?",
        "The alert is raised when the count reaches three, and not while it is larger.",
        "bad = bad + 1 if value >= threshold else 0, and if bad == 3.",
    ),
    place="A threshold is not a rule",
    numbers=_minutes,
)

EXERCISES = (HYSTERESIS, LASTING)
