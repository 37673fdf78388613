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


def _window_numbers(random: Random) -> Numbers:
    return {"_start": whole_minute(random), "_more": random.randrange(1, 4)}


def _window_script(numbers: Numbers) -> Script:
    def at(second: int) -> str:
        return time_of(numbers["_start"] + second)

    more = tuple((f"m{number}", "fremont", at(61 + number)) for number in range(numbers["_more"]))
    first = (("a", "oakland", at(5)), ("b", "oakland", at(40)), ("c", "oakland", at(70)), ("d", "fremont", at(20)))
    return (first + more, (("e", "oakland", at(50)),), (("f", "oakland", at(130)),))


def _counts(run: StreamRun) -> dict[tuple[str, str], int]:
    return run.newest(by=("window", "site"))


def _counts_differ(run: StreamRun, script: Script, *, delay: int | None, distinct: bool = False) -> str:
    expected = counted(script, window=MINUTE, delay=delay, distinct=distinct)
    if not {"window", "site", "count"} <= set(run.columns):
        return f"the result has the columns {', '.join(run.columns)}; it needs window, site and count."
    for (window, site), count in sorted(expected.items()):
        mine = _counts(run).get((window, site), 0)
        if mine != count:
            return f"the window {window} of {site} ends with {mine} instead of {count}."
    return "there are windows that no event belongs to." if _counts(run) != expected else ""


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
        script=_window_script,
        right=lambda run, numbers: not _counts_differ(run, _window_script(numbers), delay=None),
        differs=lambda run, numbers: _counts_differ(run, _window_script(numbers), delay=None),
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
    numbers=_window_numbers,
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
    return _counts_differ(run, _late_script(numbers), delay=numbers["_seconds"])


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

# --- 02.4: duplicates ---------------------------------------------------------------------------------------------

EVENTS = 4  # different ones in the script


def _duplicate_numbers(random: Random) -> Numbers:
    return {"_start": whole_minute(random), "_again": random.randrange(1, 4)}


def _duplicate_script(numbers: Numbers) -> Script:
    def at(second: int) -> str:
        return time_of(numbers["_start"] + second)

    first = ("a", "oakland", at(10))
    return (
        (first, ("b", "oakland", at(10)), *(first,) * numbers["_again"]),
        (first, ("c", "oakland", at(70))),
        (("d", "oakland", at(240)),),
    )


def _kept_keys(run: StreamRun) -> int:
    """The largest number of keys that the removal of duplicates keeps at the end."""
    return max((rows for name, rows in run.last.state.items() if name.startswith("dedupe")), default=0)


def _duplicates_differ(run: StreamRun, numbers: Numbers) -> str:
    return _counts_differ(run, _duplicate_script(numbers), delay=30, distinct=True)


_ONCE = "def once(events):\n    "
_COUNT = 'groupBy(F.window("at", "1 minute"), "site").count()'
DUPLICATES = Exercise(
    id="02.4",
    title="each event once",
    kind=Kind.OWN,
    minutes=8,
    text="""
At least once delivery: an event may arrive again, with the same `event_id` and the same time, up to 30 seconds late.
Count each event once, by site and minute. The query must be able to run for years, so it may not remember every
`event_id` that it has ever seen.
""",
    name="once",
    starter="def once(events):  # columns: event_id, site, at\n    return ...  # columns: window, site, count",
    solution=_ONCE + 'events = events.withWatermark("at", "30 seconds")\n'
    f'    return events.dropDuplicatesWithinWatermark(["event_id"]).{_COUNT}',
    check=Stream(
        script=_duplicate_script,
        right=lambda run, numbers: not _duplicates_differ(run, numbers) and 0 < _kept_keys(run) < EVENTS,
        differs=lambda run, numbers: _duplicates_differ(run, numbers) or "the counts are right, but not within bounds.",
    ),
    misconceptions=(
        Misconception(
            "duplicates-kept",
            "Your query counts an event as often as it arrives. A count by minute cannot see that two rows are the same "
            "event.",
            "dropDuplicatesWithinWatermark, before the counts.",
            _ONCE + f'return events.withWatermark("at", "30 seconds").{_COUNT}',
            lambda outcome, numbers: (
                _counts(outcome[0]) == counted(_duplicate_script(numbers), window=MINUTE, delay=30)
            ),
        ),
        Misconception(
            "without-bound",
            "Your counts are right, but the query keeps the event_id of every event that there ever was: nothing tells "
            "it when a duplicate can no longer come. After some weeks it runs out of memory.",
            "the rows of state at the end. A watermark bounds them only if the removal of duplicates uses it.",
            _ONCE + f'return events.withWatermark("at", "30 seconds").dropDuplicates(["event_id"]).{_COUNT}',
            lambda outcome, numbers: not _duplicates_differ(outcome[0], numbers) and _kept_keys(outcome[0]) >= EVENTS,
        ),
        Misconception(
            "same-time",
            "Two different events of the same second count as one in your query. Only the event_id says which event it "
            "is.",
            "the columns by which you drop duplicates.",
            _ONCE + f'events = events.withWatermark("at", "30 seconds")\n'
            f'    return events.dropDuplicatesWithinWatermark(["site", "at"]).{_COUNT}',
            lambda outcome, _: (
                min(_counts(outcome[0]).values(), default=0) == 1 and max(_counts(outcome[0]).values()) == 1
            ),
        ),
        Misconception(
            "after-counting",
            "You drop duplicates of the counts, and not of the events: by then the event has been counted twice.",
            "the order of the two steps.",
            _ONCE + f'return events.withWatermark("at", "30 seconds").{_COUNT}.dropDuplicates()',
            lambda outcome, _: False,
            raises="correctness",
        ),
        Misconception(
            "no-watermark",
            "dropDuplicatesWithinWatermark needs a watermark before it: it defines for how long an event_id is kept.",
            "the first step of your function.",
            _ONCE + f'return events.dropDuplicatesWithinWatermark(["event_id"]).{_COUNT}',
            lambda outcome, _: False,
            raises="dropDuplicatesWithinWatermark is not supported",
        ),
    ),
    hints=(
        "Three steps: a promise about late events, the removal of duplicates, the counts.",
        "dropDuplicates keeps its keys without end, unless the event time is one of them. There is a second method, "
        "whose name says until when it keeps them.",
        'events.withWatermark("at", "30 seconds").dropDuplicatesWithinWatermark(["event_id"]), then the counts.',
    ),
    place="Counting in windows",
    numbers=_duplicate_numbers,
    setup=SETUP,
)

# --- 02.5: upserts to a topic -------------------------------------------------------------------------------------


def _upsert_script(numbers: Numbers) -> Script:
    return _window_script({**numbers, "_more": 1})[:2]


def _upserts_differ(run: StreamRun, numbers: Numbers) -> str:
    if not {"key", "value"} <= set(run.columns):
        return f"the result has the columns {', '.join(run.columns)}; a record for Kafka needs key and value."
    rows = [[row for row in step.rows if isinstance(row["key"], str)] for step in run.steps]
    keys = {row["key"] for row in rows[-1]}
    if len(rows[-1]) < len(run.last.rows):
        return "some keys are not texts, or are null."
    if len(keys) != 4:
        return f"there are {len(keys)} keys for 4 windows of sites."
    return "" if len(rows[0]) == 4 and len(rows[-1]) == 5 else f"{len(rows[-1])} records are written instead of 5."


_RECORD = """def upserts(events):
    counts = events.withWatermark("at", "30 seconds").groupBy(F.window("at", "1 minute"), "site").count()
    key = {key}
    records = counts.select(key.cast("string").alias("key"), F.to_json(F.struct("window", "site", "count")).alias("value"))
    return records.writeStream.outputMode("{mode}")"""
_KEY = 'F.concat_ws("|", F.col("window.start"), "site")'
UPSERTS = Exercise(
    id="02.5",
    title="counts as upserts in a topic",
    kind=Kind.JOINED,
    minutes=10,
    text="""
Lesson 01 and this one together: the counts go to a *compacted* topic, in which Kafka keeps the newest record of each
key. Return a writer of records with a text `key` and a JSON `value`, such that whenever a count changes, exactly its new
value is written, and the newest record of each key is the count of a site and minute. `check` chooses the sink.
""",
    name="upserts",
    starter='def upserts(events):\n    counts = events.withWatermark("at", "30 seconds").groupBy('
    'F.window("at", "1 minute"), "site").count()\n    key = ...\n    value = F.to_json(F.struct("window", "site", '
    '"count"))\n    records = counts.select(key.alias("key"), value.alias("value"))\n'
    "    return records.writeStream.outputMode(...)",
    solution='def upserts(events):\n    counts = events.withWatermark("at", "30 seconds").groupBy('
    f'F.window("at", "1 minute"), "site").count()\n    key = {_KEY}\n    value = F.to_json(F.struct("window", "site", '
    '"count"))\n    records = counts.select(key.alias("key"), value.alias("value"))\n'
    '    return records.writeStream.outputMode("update")',
    check=Stream(
        script=_upsert_script,
        right=lambda run, numbers: not _upserts_differ(run, numbers),
        differs=_upserts_differ,
        writes=True,
    ),
    misconceptions=(
        Misconception(
            "key-lost",
            "Your records have no key. Kafka can then neither keep the records of a count in order nor compact them.",
            "lesson 01: what the key of a record decides.",
            _RECORD.format(key="F.lit(None)", mode="update"),
            lambda outcome, _: (
                "key" not in outcome[0].columns or any(row["key"] is None for row in outcome[0].last.rows)
            ),
        ),
        Misconception(
            "complete",
            "Complete mode writes the whole result again in each batch: every count that there ever was, although one "
            "has changed. And it keeps all windows, whatever the watermark.",
            "the three output modes, and how many records the second step writes.",
            _RECORD.format(key=_KEY, mode="complete"),
            lambda outcome, _: (
                len(outcome[0].steps[0].rows) > 0
                and len(outcome[0].last.rows) == len({row["key"] for row in outcome[0].last.rows})
            ),
        ),
        Misconception(
            "append",
            "Append mode writes a count once, when its window is closed. Until the watermark has passed, nobody sees it.",
            "what is written in the first step.",
            _RECORD.format(key=_KEY, mode="append"),
            lambda outcome, _: not outcome[0].steps[0].rows,
        ),
        Misconception(
            "site-as-key",
            "Your key has no window, so each minute replaces the one before: compaction keeps the last minute of a site "
            "only.",
            "which rows must be able to exist beside one another.",
            _RECORD.format(key='F.col("site")', mode="update"),
            lambda outcome, _: {row["key"] for row in outcome[0].last.rows} <= {"oakland", "fremont"},
        ),
        Misconception(
            "window-as-key",
            "Your key has no site, so the sites replace one another.",
            "which rows must be able to exist beside one another.",
            _RECORD.format(key='F.col("window.start")', mode="update"),
            lambda outcome, _: len({row["key"] for row in outcome[0].last.rows}) == 2,
        ),
    ),
    hints=(
        "Which two columns name a count? Both must be in the key.",
        'F.concat_ws("|", …) joins columns to a text; the start of a window is F.col("window.start"). For the mode, ask '
        "which rows should be written when a single count changes.",
        f'key = {_KEY}, and outputMode("update").',
    ),
    place="Counting in windows",
    numbers=_window_numbers,
    setup=SETUP,
)

EXERCISES = (WINDOWS, LATE_COUNTS, DUPLICATES, UPSERTS)
