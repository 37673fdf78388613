"""Exercises of lesson 03: the newest record of a key, a MERGE that can be repeated, what a load costs."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from rtlib.lessons.checks.relation import Change, Query, Table
from rtlib.lessons.checks.value import Number
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers

COLUMNS = "site varchar, window_start timestamp, events int, emitted_at int"
NOON = datetime(2026, 1, 5, 12)


def _kpi_numbers(random: Random) -> Numbers:
    return {"_more": random.randrange(2, 6), "_start": NOON + timedelta(minutes=random.randrange(0, 300))}


def _window(numbers: Numbers, minute: int) -> datetime:
    start: datetime = numbers["_start"]
    return start + timedelta(minutes=minute)


# --- 03.1: the newest of each key ---------------------------------------------------------------------------------


def _records(numbers: Numbers) -> dict[str, Table]:
    more = numbers["_more"]
    rows = [("oakland", 0, 5, 1), ("oakland", 0, 8 + more, 3), ("oakland", 0, 7 + more, 9), ("oakland", 1, more, 8),
            ("fremont", 0, 2, 2), ("fremont", 0, 4 + more, 5), ("fremont", 1, 1, 7)]  # fmt: skip
    return {"kpis": Table(COLUMNS, tuple((site, _window(numbers, at), *rest) for site, at, *rest in rows))}


_NEWEST = """newest = '''
select site, window_start, events from kpis
qualify row_number() over (partition by {by} order by {order}) = 1
'''"""
NEWEST = Exercise(
    id="03.1",
    title="the record that counts",
    kind=Kind.FADED,
    minutes=4,
    text="""
The table `kpis` holds records of the KPI topic, with the columns site, window_start, events and emitted_at. Several
records have the same key, and a later one may *lower* a number that was counted twice. Complete the query, so that it
returns the record that counts for each key.
""",
    name="newest",
    starter=_NEWEST.format(by="___", order="___"),
    solution=_NEWEST.format(by="site, window_start", order="emitted_at desc"),
    check=Query(tables=_records),
    misconceptions=(
        Misconception(
            "site-only",
            "Your key is the site alone, so a single window of each site is left. The key of a KPI is its site *and* its window.",
            "partition by.",
            _NEWEST.format(by="site", order="emitted_at desc"),
        ),
        Misconception(
            "oldest",
            "You take the first record of each key, which is the oldest value.",
            "the direction of the order.",
            _NEWEST.format(by="site, window_start", order="emitted_at"),
        ),
        Misconception(
            "largest",
            "You take the largest number. Counts usually grow, but a correction can lower them: the newest record counts.",
            "the records of oakland's first window, in the order of emitted_at.",
            _NEWEST.format(by="site, window_start", order="events desc"),
        ),
        Misconception(
            "window-only",
            "Your key is the window alone, so a single site of each window is left.",
            "partition by.",
            _NEWEST.format(by="window_start", order="emitted_at desc"),
        ),
    ),
    hints=(
        "Two questions: which columns name a number, and which column says what is newest?",
        "partition by takes the columns of the key; order by … desc puts the largest value first.",
        "partition by site, window_start order by emitted_at desc",
    ),
    place="Many records for one number",
    numbers=_kpi_numbers,
)

# --- 03.2: merge --------------------------------------------------------------------------------------------------


def _stored(numbers: Numbers) -> dict[str, Table]:
    more = numbers["_more"]
    stored = (("oakland", _window(numbers, 0), 8 + more, 5), ("oakland", _window(numbers, 1), 3, 6))
    arrived = (
        ("oakland", _window(numbers, 0), 7, 4),  # older than what is stored
        ("oakland", _window(numbers, 1), 4 + more, 8),
        ("fremont", _window(numbers, 0), more, 7),
    )
    return {"stored": Table(COLUMNS, stored), "arrived": Table(COLUMNS, arrived)}


_MERGE = """merge_sql = '''
merge into stored t using arrived s on {on}
{matched}
{missing}
'''"""
_KEY = "t.site = s.site and t.window_start = s.window_start"
_UPDATE = "then update set events = s.events, emitted_at = s.emitted_at"
_INSERT = ("when not matched then insert (site, window_start, events, emitted_at)\n  "
           "values (s.site, s.window_start, s.events, s.emitted_at)")  # fmt: skip
MERGE = Exercise(
    id="03.2",
    title="a load that may run twice",
    kind=Kind.OWN,
    minutes=8,
    text="""
Write a MERGE that loads `arrived` into `stored` (both have site, window_start, events and emitted_at). A newer value
replaces an older one, an older one never replaces a newer one, and to run the statement again changes nothing. `check`
runs it twice.
""",
    name="merge_sql",
    starter='merge_sql = """\nmerge into stored t using arrived s on ___\n"""',
    solution=_MERGE.format(on=_KEY, matched=f"when matched and s.emitted_at > t.emitted_at {_UPDATE}", missing=_INSERT),
    check=Change(tables=_stored, watched="select site, window_start, events, emitted_at from stored"),
    misconceptions=(
        Misconception(
            "always-update",
            "Your statement replaces a value whenever a record arrives, also by an older one that was delayed on its way.",
            "a condition in when matched.",
            _MERGE.format(on=_KEY, matched=f"when matched {_UPDATE}", missing=_INSERT),
        ),
        Misconception(
            "insert-only",
            "You insert what arrives, so a key has several rows, and more of them with each repetition.",
            "the number of rows after the second run.",
            "merge_sql = 'insert into stored select * from arrived'",
        ),
        Misconception(
            "update-only",
            "Your statement has nothing for a key that is not stored yet: a new window never appears.",
            "when not matched.",
            _MERGE.format(on=_KEY, matched=f"when matched and s.emitted_at > t.emitted_at {_UPDATE}", missing=""),
        ),
        Misconception(
            "never-updates",
            "A key that is stored is left as it is, so the first value of a window stays for good.",
            "when matched.",
            _MERGE.format(on=_KEY, matched="", missing=_INSERT),
        ),
    ),
    hints=(
        "Three parts: on which columns two rows are the same key; what to do if there is such a row; and if there is none.",
        "when matched and <the new one is newer> then update set …; when not matched then insert (…) values (…)",
        "on t.site = s.site and t.window_start = s.window_start, and the condition s.emitted_at > t.emitted_at",
    ),
    place="Merge, and merge again",
    numbers=_kpi_numbers,
)

# --- 03.3: compare two layers -------------------------------------------------------------------------------------


def _layers(numbers: Numbers) -> dict[str, Table]:
    more = numbers["_more"]
    counts = (("oakland", 0, 3 + more), ("oakland", 1, 2), ("fremont", 0, 4), ("fremont", 2, more))
    speed = tuple((site, _window(numbers, at), events) for site, at, events in counts)
    truth = (("oakland", 0, 3 + more), ("oakland", 1, 3), ("fremont", 0, 4), ("richmond", 1, 1))
    raw = tuple(
        (f"{site}-{at}-{number}", site, _window(numbers, at) + timedelta(seconds=7 * number))
        for site, at, events in truth
        for number in range(events)
    )
    return {
        "speed": Table("site varchar, window_start timestamp, events int", speed),
        "raw": Table("event_id varchar, site varchar, occurred_at timestamp", (*raw, raw[0])),
    }


_COMPARE = """different = '''
with counted as (
    select site, date_trunc('minute', occurred_at) as window_start, {count} as events
    from raw group by 1, 2)
select site, window_start, s.events as speed_events, c.events as raw_events
from speed s {join} counted c using (site, window_start) where {where}
'''"""
_DISTINCT, _UNEQUAL = "count(distinct event_id)", "s.events is distinct from c.events"
COMPARE = Exercise(
    id="03.3",
    title="where two layers differ",
    kind=Kind.JOINED,
    minutes=10,
    text="""
Lesson 02 and this one together: `speed` holds the counts of the stream (site, window_start, events), `raw` the events
(event_id, site, occurred_at), in which an event can be twice. Return the windows of a minute in which the two do *not*
agree, with the columns site, window_start, speed_events and raw_events. A window that one of them lacks differs as well;
its count is NULL there.
""",
    name="different",
    starter=_COMPARE.format(count="___", join="___", where="___"),
    solution=_COMPARE.format(count=_DISTINCT, join="full join", where=_UNEQUAL),
    check=Query(tables=_layers),
    misconceptions=(
        Misconception(
            "missing-windows",
            "A window that is missing on a side, the worst difference of all, is not in your result. Either your join drops "
            "it, or a comparison with its NULL does, which is neither true nor false.",
            "the kind of join, and is distinct from, which treats NULL as a value.",
            _COMPARE.format(count=_DISTINCT, join="join", where=_UNEQUAL),
        ),
        Misconception(
            "left-join",
            "Your join keeps the windows of the speed layer. Those that only raw has are missing.",
            "windows of a site that the stream has never seen.",
            _COMPARE.format(count=_DISTINCT, join="left join", where=_UNEQUAL),
        ),
        Misconception(
            "all-windows",
            "Your result has all windows, also those that agree.",
            "the condition.",
            _COMPARE.format(count=_DISTINCT, join="full join", where="true"),
        ),
        Misconception(
            "duplicates",
            "You counted rows. An event that is in raw twice is one event.",
            "what the count counts.",
            _COMPARE.format(count="count(*)", join="full join", where=_UNEQUAL),
        ),
    ),
    hints=(
        "Count the events of each site and minute in raw, and join the counts with speed.",
        "Both sides can lack a window. And NULL = 3 is not false, but NULL.",
        "count(distinct event_id), full join, is distinct from",
    ),
    place="Kill the loader",
    numbers=_kpi_numbers,
)

# --- 03.4: what it costs ------------------------------------------------------------------------------------------


def _cost_numbers(random: Random) -> Numbers:
    return {"statements": random.choice((30, 40, 50)), "gap": random.choice((10, 15, 20)), "idle": 60}


_BILL = 'statements, gap, idle = given("03.4")\nbilled = {formula}'
BILL = Exercise(
    id="03.4",
    title="what single rows cost",
    kind=Kind.OWN,
    minutes=5,
    text="""
Snowflake does not bill statements. It bills each second in which a warehouse *runs*, at least 60 seconds for each start;
here it suspends itself after `idle` seconds without a statement. A program inserts a row every `gap` seconds,
`statements` rows in all, and each takes 0.1 s. How many seconds are billed, from the first statement to the suspension?
(The same rows in a single COPY of 2 s: 62.)
""",
    name="billed",
    starter='statements, gap, idle = given("03.4")\nprint(statements, gap, idle)\nbilled = ...',
    solution=_BILL.format(formula="(statements - 1) * gap + 0.1 + idle"),
    check=Number("seconds", tolerance=25),
    misconceptions=(
        Misconception(
            "per-statement",
            "You billed each statement with the minimum of 60 seconds. The minimum is for a start of the warehouse, and it "
            "runs through all of them.",
            "how often the warehouse starts.",
            _BILL.format(formula="statements * 60"),
        ),
        Misconception(
            "work-only",
            "You billed the work. A warehouse is paid for while it runs, whether it works or waits for the next statement.",
            "what the warehouse does between two statements.",
            _BILL.format(formula="statements * 0.1"),
        ),
        Misconception(
            "no-idle",
            "You stopped at the last statement. The warehouse runs on until it has been idle for long enough.",
            "the end of the bill.",
            _BILL.format(formula="(statements - 1) * gap"),
        ),
    ),
    hints=(
        "When does the warehouse start, and when is it suspended?",
        "Is a gap long enough for it to be suspended in between?",
        "From the first to the last statement there are statements - 1 gaps; then it waits for idle seconds.",
    ),
    place="Single rows or a file",
    numbers=_cost_numbers,
)

EXERCISES = (NEWEST, MERGE, COMPARE, BILL)
