"""Exercises of lesson 02 that run on scripted streams: windows, a watermark, duplicates, output modes."""

from __future__ import annotations

from random import Random

from rtlib.lessons.checks.stream import BEFORE, Script, Stream, StreamRun, counted, time_of
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers

SETUP = "from pyspark.sql import functions as F\nimport pandas as pd"
MINUTE = 60


def whole_minute(random: Random) -> int:
    """A whole minute of the day, as a second."""
    return random.randrange(8, 20) * 3600 + random.randrange(0, 50) * MINUTE


# --- 02.1: windows ------------------------------------------------------------------------------------------------


def window_numbers(random: Random) -> Numbers:
    """Draw the first minute of the script, and how many events of another site it has."""
    return {"_start": whole_minute(random), "_more": random.randrange(1, 4)}


def window_script(numbers: Numbers) -> Script:
    """Events of two sites in three steps; the second brings an event of a minute that has passed."""

    def at(second: int) -> str:
        return time_of(numbers["_start"] + second)

    more = tuple((f"m{number}", "fremont", at(61 + number)) for number in range(numbers["_more"]))
    first = (("a", "oakland", at(5)), ("b", "oakland", at(40)), ("c", "oakland", at(70)), ("d", "fremont", at(20)))
    return (first + more, (("e", "oakland", at(50)),), (("f", "oakland", at(130)),))


def counts(run: StreamRun) -> dict[tuple[str, str], int]:
    """The newest count of each window and site."""
    return run.newest(by=("window", "site"))


def counts_differ(run: StreamRun, script: Script, *, delay: int | None, distinct: bool = False) -> str:
    """How the counts differ from those of the script, in a sentence; empty if they do not."""
    expected = counted(script, window=MINUTE, delay=delay, distinct=distinct)
    if not {"window", "site", "count"} <= set(run.columns):
        return f"the result has the columns {', '.join(run.columns)}; it needs window, site and count."
    for (window, site), count in sorted(expected.items()):
        mine = counts(run).get((window, site), 0)
        if mine != count:
            return f"the window {window} of {site} ends with {mine} instead of {count}."
    return "there are windows that no event belongs to." if counts(run) != expected else ""


PROCESSING_TIME = Misconception(
    "processing-time",
    "Your windows are of the time at which Spark runs, not of the time at which the events happened. Run it again "
    "tomorrow, and the same events are in other windows.",
    "the first argument of F.window: which column says when an event happened?",
    'def per_minute(events):\n    window = F.window(F.current_timestamp(), "1 minute")\n'
    '    return events.groupBy(window, "site").count()',
    lambda outcome, _: outcome[0].other_days,
)
WINDOWS = Exercise(
    id="02.1",
    title="a window of event time",
    kind=Kind.FADED,
    minutes=3,
    text="""
Complete the line: count the events of each site in windows of one minute, by the time at which they *happened*. Each
event belongs to exactly one window. `check` runs your function on a stream that it feeds step by step, on the Spark of
this notebook, and looks at the result after each step.
""",
    name="per_minute",
    starter="def per_minute(events):  # columns: event_id, site, at\n    window = F.window(..., ...)\n"
    '    return events.groupBy(window, "site").count()',
    solution='def per_minute(events):  # columns: event_id, site, at\n    window = F.window("at", "1 minute")\n'
    '    return events.groupBy(window, "site").count()',
    check=Stream(
        script=window_script,
        right=lambda run, numbers: not counts_differ(run, window_script(numbers), delay=None),
        differs=lambda run, numbers: counts_differ(run, window_script(numbers), delay=None),
    ),
    misconceptions=(
        PROCESSING_TIME,
        Misconception(
            "sliding",
            "Your windows overlap, so an event is counted in more than one of them: they slide. Windows that tumble "
            "follow one another without a gap.",
            "the third argument of F.window, the slide: without it a window begins where the one before ends.",
            'def per_minute(events):\n    window = F.window("at", "1 minute", "30 seconds")\n'
            '    return events.groupBy(window, "site").count()',
            lambda outcome, _: any(not window.endswith(":00") for window, *_ in outcome[0].newest()),
        ),
        Misconception(
            "length",
            "Your windows are not a minute long, so events of several minutes are in the same count.",
            "the second argument of F.window, which is the length of a window.",
            'def per_minute(events):\n    window = F.window("at", "10 minutes")\n'
            '    return events.groupBy(window, "site").count()',
            lambda outcome, _: outcome[0].window_seconds not in (0, MINUTE),
        ),
    ),
    hints=(
        "F.window takes a column and a length. The lesson's own query has such a line.",
        'The column is the event time, `at`; the length is a text such as "30 seconds".',
        'F.window("at", "1 minute")',
    ),
    place="Counting in windows",
    numbers=window_numbers,
    setup=SETUP,
)

# --- 02.3: a watermark --------------------------------------------------------------------------------------------


def _late_numbers(random: Random) -> Numbers:
    delay = random.choice((20, 25, 35, 40, 50))
    return {"delay": f"{delay} seconds", "_seconds": delay, "_start": whole_minute(random)}


def _late_script(numbers: Numbers) -> Script:
    def at(second: int) -> str:
        return time_of(numbers["_start"] + second)

    return (
        (("a", "oakland", at(10)), ("b", "oakland", at(70)), ("c", "fremont", at(15))),
        (("d", "oakland", at(50)), ("e", "oakland", at(180))),
        (("f", "oakland", at(20)), ("g", "oakland", at(175))),
    )


def _watermark(numbers: Numbers) -> str:
    return time_of(numbers["_start"] + 180 - numbers["_seconds"])


def _late_differs(run: StreamRun, numbers: Numbers) -> str:
    if run.last.watermark != _watermark(numbers):
        return f"the watermark ends at {run.last.watermark or 'nothing'} instead of {_watermark(numbers)}."
    return counts_differ(run, _late_script(numbers), delay=numbers["_seconds"])


_LATE = 'allowed = given("02.3")\n\ndef until_late(events):\n    return '
LATE_COUNTS = Exercise(
    id="02.3",
    title="a promise about late events",
    kind=Kind.OWN,
    minutes=6,
    text="""
Now the whole function: counts by site and minute again, but an event that is later than your `allowed` may be dropped, so
that Spark can delete old windows. `check` feeds late events, and looks at the watermark and at what was dropped.
""",
    name="until_late",
    starter='allowed = given("02.3")  # such as "30 seconds"\n\ndef until_late(events):  # columns: event_id, site, at\n'
    "    return ...  # columns: window, site, count",
    solution=_LATE + 'events.withWatermark("at", allowed).groupBy(F.window("at", "1 minute"), "site").count()',
    check=Stream(
        script=_late_script, right=lambda run, numbers: not _late_differs(run, numbers), differs=_late_differs
    ),
    misconceptions=(
        Misconception(
            "processing-time",
            PROCESSING_TIME.reason,
            PROCESSING_TIME.look_at,
            _LATE + 'events.withWatermark("at", allowed).groupBy(F.window(F.current_timestamp(), "1 minute"), '
            '"site").count()',
            PROCESSING_TIME.when,
        ),
        Misconception(
            "no-watermark",
            "Your query has no watermark: it never drops an event, and keeps every window for as long as it runs. Its "
            "state grows without bound.",
            "withWatermark, which makes the promise that an event is at most so late.",
            _LATE + 'events.groupBy(F.window("at", "1 minute"), "site").count()',
            lambda outcome, _: not outcome[0].last.watermark,
        ),
        Misconception(
            "after-aggregation",
            "Your watermark comes after the aggregation, so it is a promise about the counts and not about the events. "
            "The aggregation knows nothing of it, and keeps every window.",
            "the order of withWatermark and groupBy.",
            _LATE + 'events.groupBy(F.window("at", "1 minute"), "site").count().withWatermark("window", allowed)',
            lambda outcome, _: outcome[0].last.watermark == BEFORE,
            raises="name `at` cannot be resolved",
        ),
        Misconception(
            "other-delay",
            "Your watermark has another delay than yours is, so it drops too much or keeps too much.",
            "the second argument of withWatermark.",
            _LATE + 'events.withWatermark("at", "10 minutes").groupBy(F.window("at", "1 minute"), "site").count()',
            lambda outcome, numbers: outcome[0].last.watermark not in ("", BEFORE, _watermark(numbers)),
        ),
    ),
    hints=(
        "Two steps: first the promise, on the events; then the counts.",
        "events.withWatermark(column, allowed) returns the events with the promise; groupBy comes after it.",
        'events.withWatermark("at", allowed).groupBy(F.window("at", "1 minute"), "site").count()',
    ),
    place="Counting in windows",
    numbers=_late_numbers,
    setup=SETUP,
)

EXERCISES = (WINDOWS, LATE_COUNTS)
