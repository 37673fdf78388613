"""Exercises of lesson 02 without a stream: which events are dropped, and the order of a query's steps."""

from __future__ import annotations

from random import Random

from rtlib.lessons.checks.stream import time_of
from rtlib.lessons.checks.value import Names, Order
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers
from rtlib.lessons.exercises.spark_streams import SETUP, whole_minute

# --- 02.2: which events are dropped -------------------------------------------------------------------------------


def _dropped_numbers(random: Random) -> Numbers:
    start, delay = whole_minute(random), random.choice((20, 25, 30))
    seconds = (10, 75, 70 - delay, 150, 125, 110, 20, 230, 195)
    return {"delay": delay, "times": [time_of(start + second) for second in seconds]}


_DROPPED = """
seconds, times = given("02.2")
too_late, newest = set(), pd.Timestamp("00:00:00")
for text in times:
    time = pd.Timestamp(text)
    if {condition}:
        too_late.add(text)
    newest = {newest}
"""
_CLOSED = 'time.floor("min") + pd.Timedelta("1min") <= newest - pd.Timedelta(seconds=seconds)'
WATERMARK = Exercise(
    id="02.2",
    title="which events are dropped?",
    kind=Kind.OWN,
    minutes=6,
    text="""
`given` returns numbers that are drawn for you: a delay in seconds, and the event times of one site in the order in
which they arrive, each in a batch of its own. They are counted in windows of one minute, with a watermark of that
delay. Which of these events are dropped? Answer with a set of their times; work it out by hand or by a loop.
""",
    name="too_late",
    starter='seconds, times = given("02.2")\nprint(seconds, "seconds;", *times)\ntoo_late = ...  # such as {times[0]}',
    solution=_DROPPED.format(condition=_CLOSED, newest="max(newest, time)").strip(),
    check=Names("times"),
    misconceptions=(
        Misconception(
            "event-not-window",
            "You compared the time of the event with the watermark. What counts is the end of its window: an event "
            "behind the watermark is still counted while its window is open.",
            "the event behind the watermark whose window ends after it.",
            _DROPPED.format(condition="time < newest - pd.Timedelta(seconds=seconds)", newest="max(newest, time)"),
        ),
        Misconception(
            "late-is-dropped",
            "You dropped each event that is older than one before it. Late events are what the delay is for.",
            "what the watermark subtracts from the newest event time.",
            _DROPPED.format(condition="time < newest", newest="max(newest, time)"),
        ),
        Misconception(
            "previous-event",
            "You derived the watermark from the previous event. It follows the *newest* event time so far, and never "
            "goes back.",
            "where the watermark is after a late event.",
            _DROPPED.format(condition=_CLOSED, newest="time"),
        ),
        Misconception(
            "no-delay",
            "You closed a window as soon as the newest event passed its end, without the delay.",
            "the watermark is the newest event time *minus the delay*.",
            _DROPPED.format(condition=_CLOSED.replace("seconds=seconds", "seconds=0"), newest="max(newest, time)"),
        ),
    ),
    hints=(
        "Keep a note of the newest event time so far. The watermark is that time minus the delay.",
        "For each event: when does its window end? It is dropped if that end is at or before the watermark.",
        "Start with the fourth event: after it, every window that ends at or before its time minus the delay is closed.",
    ),
    place="Counting in windows",
    numbers=_dropped_numbers,
    setup=SETUP,
)

# --- 02.6: a Parsons problem --------------------------------------------------------------------------------------

STEPS = {
    "A": "count by site and window",
    "B": "read the topic with `readStream`",
    "C": "drop duplicates within the watermark",
    "D": "parse the JSON in `value`",
    "E": "`writeStream` in update mode, with a checkpoint, and `start`",
    "F": "`withWatermark` on the event time",
    "G": "`collect` the events into a list",
}


ORDER = Exercise(
    id="02.6",
    title="a streaming query in order",
    kind=Kind.ORDER,
    minutes=4,
    text="Put the steps of a streaming query in order. One of them does not belong to it.\n\n"
    + "\n".join(f"- **{letter}** {step}" for letter, step in STEPS.items())
    + "\n\nAnswer with the letters.",
    name="steps",
    starter='steps = "___"  # for example "ABC"',
    solution='steps = "BDFCAE"',
    check=Order(tuple(STEPS), needless=("G",)),
    misconceptions=(
        Misconception(
            "collect",
            "collect waits for all rows, and a stream has no end. Spark refuses it.",
            "step G.",
            'steps = "BDFCGAE"',
            lambda letters, _: "G" in letters,
        ),
        Misconception(
            "count-then-distinct",
            "You drop duplicates after the counts. By then an event that came twice has been counted twice.",
            "steps A and C.",
            'steps = "BDFACE"',
            lambda letters, _: 0 <= letters.find("A") < letters.find("C"),
        ),
        Misconception(
            "watermark-late",
            "The watermark must be defined before the steps that use it: both the removal of duplicates and the counts "
            "keep state until it has passed.",
            "step F.",
            'steps = "BDCFAE"',
            lambda letters, _: 0 <= min(letters.find("A"), letters.find("C")) < letters.find("F"),
        ),
        Misconception(
            "watermark-before-parsing",
            "The event time is inside the JSON, so there is no such column before it has been parsed. Kafka's own "
            "timestamp would be the time of arrival.",
            "steps D and F.",
            'steps = "BFDCAE"',
            lambda letters, _: 0 <= letters.find("F") < letters.find("D"),
        ),
    ),
    hints=(
        "It begins with reading and ends with writing.",
        "The event time is in the JSON; the watermark is on the event time; two steps keep state until the watermark.",
        "B, D, F, then the duplicates, then the counts.",
    ),
    place="Counting in windows",
)

EXERCISES = (WATERMARK, ORDER)
