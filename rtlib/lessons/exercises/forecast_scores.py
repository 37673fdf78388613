"""Exercises of lesson 06 on scores: WAPE by site, and a fair test."""

from __future__ import annotations

from random import Random

from rtlib.lessons.checks.relation import Query, Table
from rtlib.lessons.checks.value import Order
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers
from rtlib.lessons.exercises.forecasts import drawn_load

# --- 06.4 ---------------------------------------------------------------------------------------------------------


def _forecast_table(numbers: Numbers) -> dict[str, Table]:
    random = Random(numbers["_seed"])
    rows = [("oakland", truth, truth + random.choice((-4, 5))) for truth in (40, 60, 80, 20)]
    rows += [("fremont", truth, truth + random.choice((-1, 2))) for truth in (0, 2, 3, 5)]
    return {"scored": Table("site varchar, events int, forecast int", tuple(rows))}


_WAPE = "wape_sql = '''\nselect site, {score} as wape from scored group by site\n'''"
WAPE = Exercise(
    id="06.4",
    title="a score in SQL",
    kind=Kind.JOINED,
    minutes=6,
    text="""
Lesson 05 and this one together: `scored` has for each site and half-hour the real `events` and the `forecast`. Return for
each site its WAPE: the sum of all absolute errors as a share of all events. In some half-hours there is no event.
""",
    name="wape_sql",
    starter=_WAPE.format(score="___"),
    solution=_WAPE.format(score="sum(abs(events - forecast)) / sum(events)"),
    check=Query(tables=_forecast_table),
    misconceptions=(
        Misconception(
            "mape",
            "You took the mean of the errors in per cent (MAPE). A half-hour with two events then counts as much as one "
            "with eighty, and one without events cannot be counted at all.",
            "where the division is: before or after the sum.",
            _WAPE.format(score="avg(abs(events - forecast) / nullif(events, 0))"),
        ),
        Misconception(
            "cancels",
            "Your errors cancel one another: four too many and four too few make a perfect score. That is the bias.",
            "abs, and where it is.",
            _WAPE.format(score="abs(sum(events - forecast)) / sum(events)"),
        ),
        Misconception(
            "mae",
            "You divided by the number of half-hours. That is the mean error in events, which cannot be compared between "
            "a large site and a small one.",
            "the denominator.",
            _WAPE.format(score="avg(abs(events - forecast))"),
        ),
    ),
    hints=(
        "Two sums and a division.",
        "The absolute value belongs to each error, not to their sum.",
        "sum(abs(…)) / sum(events)",
    ),
    place="A fair test",
    numbers=drawn_load,
)

# --- 06.5 ---------------------------------------------------------------------------------------------------------

STEPS = {
    "A": "forecast the next day",
    "B": "fit the model on all days up to an evening",
    "C": "compare with what happened, and keep the error",
    "D": "move the evening forward by a day, and begin again",
    "E": "fit the model on all days that there are",
    "F": "take the mean of the errors",
}
BACKTEST = Exercise(
    id="06.5",
    title="a fair test in order",
    kind=Kind.ORDER,
    minutes=3,
    text="Put the steps of a backtest in order. One of them does not belong to it.\n\n"
    + "\n".join(f"- **{letter}** {step}" for letter, step in STEPS.items())
    + "\n\nAnswer with the letters.",
    name="backtest",
    starter='backtest = "___"  # for example "ABC"',
    solution='backtest = "BACDF"',
    check=Order(tuple(STEPS), needless=("E",)),
    misconceptions=(
        Misconception(
            "leak",
            "A model that was fitted on all days has seen the answers. Its score says nothing about tomorrow.",
            "step E.",
            'backtest = "EACDF"',
            lambda letters, _: "E" in letters,
        ),
        Misconception(
            "mean-too-early",
            "You take the mean before the test has moved on: it is the error of a single day.",
            "steps D and F.",
            'backtest = "BACFD"',
            lambda letters, _: 0 <= letters.find("F") < letters.find("D"),
        ),
        Misconception(
            "compare-first",
            "There is nothing to compare before there is a forecast.",
            "steps A and C.",
            'backtest = "BCADF"',
            lambda letters, _: 0 <= letters.find("C") < letters.find("A"),
        ),
    ),
    hints=(
        "What may the model know on that evening?",
        "Fit, forecast, compare; then again.",
        "It begins with B and ends with F.",
    ),
    place="A fair test",
)

EXERCISES = (WAPE, BACKTEST)
