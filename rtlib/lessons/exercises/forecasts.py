"""Exercises of lesson 06: two simple forecasts, an interval from errors, a score, and a fair test."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.relation import Query, Table
from rtlib.lessons.checks.scenario import Scenario
from rtlib.lessons.checks.series import day_error, load
from rtlib.lessons.checks.value import Order, type_of
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable

SETUP = "import numpy as np"
DAYS, ORIGINS = 70, 14
PRELOAD = ("numpy",)


def _numbers(random: Random) -> Numbers:
    return {"_seed": random.randrange(10_000)}


def _score(forecast: Callable[..., Any], numbers: Numbers) -> float:
    return round(day_error(forecast, load(numbers["_seed"], days=DAYS), origins=ORIGINS), 6)


def _score_differs(observed: float, expected: float) -> str:
    return f"its mean absolute error over {ORIGINS} days is {observed:.2f}; at most {expected:.2f} is needed."


# --- 06.1 ---------------------------------------------------------------------------------------------------------

_LAST_WEEK = "def last_week(history):\n    return history[{place}]"
NAIVE = Exercise(
    id="06.1",
    title="the same day of last week",
    kind=Kind.FADED,
    minutes=3,
    text="""
`history` has a row for each day, the newest last, and 24 columns. Complete the line: the forecast of the next day is the
same weekday of last week. `check` runs a backtest over two weeks, in which your function sees the past alone.
""",
    name="last_week",
    starter=_LAST_WEEK.format(place="..."),
    solution=_LAST_WEEK.format(place="-7"),
    check=Scenario(("history",), _score, _score_differs, within=lambda mine, limit: mine <= limit, preload=PRELOAD),
    misconceptions=(
        Misconception(
            "yesterday",
            "That is yesterday. A Saturday says little about a Sunday, and nothing about a Monday.",
            "which weekday the last row of history is.",
            _LAST_WEEK.format(place="-1"),
        ),
        Misconception(
            "off-by-one",
            "That is the weekday before. The last row is *yesterday*, seen from the day to forecast: the same weekday is "
            "seven rows from the end.",
            "the day of the row -1.",
            _LAST_WEEK.format(place="-8"),
        ),
        Misconception(
            "first-week",
            "That row is counted from the beginning: a day at the start of the history.",
            "what a negative place means.",
            _LAST_WEEK.format(place="7"),
        ),
    ),
    hints=(
        "If tomorrow is a Tuesday, the last row is a Monday.",
        "Count back from tomorrow to last Tuesday.",
        "history[-7]",
    ),
    place="A fair test",
    numbers=_numbers,
    setup=SETUP,
)

# --- 06.2 ---------------------------------------------------------------------------------------------------------

_FOUR = "def four_weeks(history):\n    return {what}"
FOUR_WEEKS = Exercise(
    id="06.2",
    title="beat last week",
    kind=Kind.OWN,
    minutes=6,
    text="""
A single day of last week is noisy: it may have been busy by chance. Write a forecast from *several* such days. Your error
in the backtest may be at most that of the mean over the last four weeks.
""",
    name="four_weeks",
    starter="def four_weeks(history):  # shape (days, 24)\n    return ...  # 24 values",
    solution=_FOUR.format(what="history[[-7, -14, -21, -28]].mean(axis=0)"),
    check=Scenario(("history",), _score, _score_differs, within=lambda mine, limit: mine <= limit, preload=PRELOAD),
    misconceptions=(
        Misconception(
            "all-weekdays",
            "You took the mean over all days of four weeks, so a Sunday is forecast like a Friday.",
            "which days are like tomorrow.",
            _FOUR.format(what="history[-28:].mean(axis=0)"),
        ),
        Misconception(
            "sum",
            "You added the days up: the forecast is four times too large.",
            "the level of your forecast.",
            _FOUR.format(what="history[[-7, -14, -21, -28]].sum(axis=0)"),
        ),
        Misconception(
            "one-week",
            "That is last week again, with all its luck.",
            "how many days your forecast uses.",
            _FOUR.format(what="history[-7]"),
        ),
        Misconception(
            "whole-day-mean",
            "You took the mean of the whole day as well, so each hour has the same value.",
            "axis=0: the mean over days, for each hour.",
            _FOUR.format(what="np.full(24, history[[-7, -14, -21, -28]].mean())"),
        ),
    ),
    hints=(
        "Which rows are the same weekday as tomorrow?",
        "history[[-7, -14]] takes two rows; .mean(axis=0) is the mean over rows.",
        "The rows -7, -14, -21 and -28.",
    ),
    place="A fair test",
    numbers=_numbers,
    setup=SETUP,
)

# --- 06.3 ---------------------------------------------------------------------------------------------------------


def _interval(interval: Callable[..., Any], numbers: Numbers) -> tuple[float, float]:
    """The bounds for a forecast of 100, from errors that are more often large above than below."""
    import numpy as np

    errors = np.round(np.random.default_rng(numbers["_seed"]).gamma(1.5, 8.0, 400) - 10, 3)
    given = interval(100.0, errors.copy())
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        raise Unusable(f"your function must return two numbers, not {type_of(given)}") from None
    return round(low, 1), round(high, 1)


_CONFORMAL = "def interval(forecast, errors):\n    {body}"
CONFORMAL = Exercise(
    id="06.3",
    title="an interval from errors",
    kind=Kind.OWN,
    minutes=7,
    text="""
`errors` holds the errors of a model on earlier days, *truth minus forecast*. Return the bounds of an 80 % interval for a
new forecast, in which the middle eighty per cent of these errors would fall. Do not assume that they are normal: here
large errors are more often above than below.
""",
    name="interval",
    starter=_CONFORMAL.format(body="return ...  # (low, high)"),
    solution=_CONFORMAL.format(
        body="low, high = np.quantile(errors, [0.1, 0.9])\n    return forecast + low, forecast + high"
    ),
    check=Scenario(
        ("forecast", "errors"),
        _interval,
        lambda observed, expected: f"for a forecast of 100 your interval is {observed[0]:g} to {observed[1]:g}.",
        within=lambda mine, other: max(abs(mine[0] - other[0]), abs(mine[1] - other[1])) <= 0.5,
        preload=PRELOAD,
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "normal",
            "You assumed a normal distribution. These errors are skewed: your interval is too low on both sides, or too "
            "wide on one.",
            "a histogram of the errors.",
            _CONFORMAL.format(body="half = 1.2816 * errors.std()\n    return forecast - half, forecast + half"),
        ),
        Misconception(
            "ninety",
            "You left five per cent on each side, so your interval holds ninety per cent.",
            "how much is outside of an 80 % interval on each side.",
            _CONFORMAL.format(
                body="low, high = np.quantile(errors, [0.05, 0.95])\n    return forecast + low, forecast + high"
            ),
        ),
        Misconception(
            "sign",
            "You subtracted the errors. They are truth minus forecast, so the truth is forecast *plus* error.",
            "the side with the large errors.",
            _CONFORMAL.format(
                body="low, high = np.quantile(errors, [0.1, 0.9])\n    return forecast - high, forecast - low"
            ),
        ),
        Misconception(
            "one-sided",
            "You left the whole twenty per cent on one side.",
            "the middle eighty per cent.",
            _CONFORMAL.format(
                body="low, high = np.quantile(errors, [0.0, 0.8])\n    return forecast + low, forecast + high"
            ),
        ),
        Misconception(
            "absolute",
            "You took the size of the errors without their sign, so your interval is symmetric, and the errors are not.",
            "the two sides of the interval.",
            _CONFORMAL.format(body="half = np.quantile(abs(errors), 0.8)\n    return forecast - half, forecast + half"),
        ),
    ),
    hints=(
        "If 80 % are inside, how many per cent are outside on each side?",
        "np.quantile(errors, [q1, q2]) returns the errors below which these shares lie.",
        "The quantiles 0.1 and 0.9, each added to the forecast.",
    ),
    place="How certain is it?",
    numbers=_numbers,
    setup=SETUP,
)

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
    numbers=_numbers,
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

EXERCISES = (NAIVE, FOUR_WEEKS, CONFORMAL, WAPE, BACKTEST)
