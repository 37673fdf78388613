"""Exercises of lesson 05: a mean from rollups, a data test, an incremental model, reconciliation."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from rtlib.lessons.checks.model import Built, DataTest, Model
from rtlib.lessons.checks.relation import Query, Table
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers

NOON = datetime(2026, 1, 5, 12)


def _numbers(random: Random) -> Numbers:
    return {"_more": random.randrange(2, 6), "_day": NOON + timedelta(days=random.randrange(0, 20))}


# --- 05.1: a mean from rollups ------------------------------------------------------------------------------------


def _rollups(numbers: Numbers) -> dict[str, Table]:
    day, more = numbers["_day"], numbers["_more"]
    rows = (("oakland", day, 10, 40.0 + more), ("oakland", day + timedelta(minutes=30), 2, 30.0),
            ("oakland", day + timedelta(minutes=60), 0, None), ("fremont", day, 4, 20.0 + more),
            ("fremont", day + timedelta(minutes=30), 6, 12.0))  # fmt: skip
    return {"rollups": Table("site varchar, interval_start timestamp, values_counted int, value_sum double", rows)}


_MEAN = "mean_sql = '''\nselect site, {mean} as mean_value from rollups group by site\n'''"
MEAN = Exercise(
    id="05.1",
    title="a mean from rollups",
    kind=Kind.FADED,
    minutes=4,
    text="""
`rollups` has a row for each site and half-hour, with `values_counted` and `value_sum`. Complete the query, so that it
returns for each site the mean over all *values*. In a half-hour without a value the sum is NULL.
""",
    name="mean_sql",
    starter=_MEAN.format(mean="___"),
    solution=_MEAN.format(mean="sum(value_sum) / sum(values_counted)"),
    check=Query(tables=_rollups),
    misconceptions=(
        Misconception(
            "mean-of-means",
            "Your mean is that of the half-hours: a quiet one with two values counts as much as a busy one with ten.",
            "what each value should weigh.",
            _MEAN.format(mean="avg(value_sum / nullif(values_counted, 0))"),
        ),
        Misconception(
            "mean-of-sums",
            "You divided by the number of half-hours. That is the mean sum of a half-hour, not of a value.",
            "the denominator.",
            _MEAN.format(mean="avg(value_sum)"),
        ),
        Misconception(
            "rows",
            "You divided by the number of rows. A row of a rollup stands for many values.",
            "the denominator, and the grain of the table.",
            _MEAN.format(mean="sum(value_sum) / count(*)"),
        ),
    ),
    hints=(
        "Sums add up, and counts add up. Means do not.",
        "First add up over the half-hours, then divide.",
        "sum(value_sum) / sum(values_counted)",
    ),
    place="A model is a SELECT",
    numbers=_numbers,
)

# --- 05.2: a data test --------------------------------------------------------------------------------------------


def _events(numbers: Numbers) -> tuple[dict[str, Table], ...]:
    columns = "event_id varchar, kind varchar, loaded_at timestamp"
    good = [(f"event-{number}", "arrived" if number % 2 else "served", numbers["_day"]) for number in range(6)]
    bad = [
        ("event-7", "order_lost", numbers["_day"]),
        ("event-8", None, numbers["_day"]),
        ("event-9", "Served", numbers["_day"]),
    ]
    return {"stg_events": Table(columns, tuple(good))}, {"stg_events": Table(columns, (*good, *bad))}


_TEST = "kind_test = '''\nselect {what} from {{{{ ref('stg_events') }}}} where {where}\n'''"
KIND_TEST = Exercise(
    id="05.2",
    title="a test that finds bad rows",
    kind=Kind.OWN,
    minutes=6,
    text="""
Write a dbt test for the model `stg_events` (event_id, kind, loaded_at): the kind of an event is `arrived` or `served`, in
lower case, and never missing. A test is a SELECT of the rows that must not exist; let it return their `event_id`. `check`
builds it on a good table and on a bad one.
""",
    name="kind_test",
    starter=_TEST.format(what="event_id", where="___"),
    solution=_TEST.format(what="event_id", where="kind is null or kind not in ('arrived', 'served')"),
    check=DataTest(states=_events),
    misconceptions=(
        Misconception(
            "null-passes",
            "NULL not in (…) is NULL, not true, so an event without a kind passes your test.",
            "the event whose kind is missing.",
            _TEST.format(what="event_id", where="kind not in ('arrived', 'served')"),
        ),
        Misconception(
            "good-rows",
            "You selected the rows that are right. A test passes when it returns nothing, so yours fails on good data.",
            "what the result of a test means.",
            _TEST.format(what="event_id", where="kind in ('arrived', 'served')"),
        ),
        Misconception(
            "counts",
            "A count always returns a row, also when it is 0. dbt counts the rows of your test, so it always fails.",
            "the number of rows that your SELECT returns for a good table.",
            _TEST.format(what="count(*)", where="kind is null or kind not in ('arrived', 'served')"),
        ),
        Misconception(
            "any-case",
            "You compared without regard to case, so `Served` passes, and a report then has two bars for one kind.",
            "the spelling of the kinds.",
            _TEST.format(what="event_id", where="kind is null or lower(kind) not in ('arrived', 'served')"),
        ),
    ),
    hints=(
        "The condition describes what is *wrong*.",
        "A comparison with NULL is never true; kind is null needs a condition of its own.",
        "kind is null or kind not in ('arrived', 'served')",
    ),
    place="A bad row",
    numbers=_numbers,
)

# --- 05.3: an incremental model -----------------------------------------------------------------------------------


def _deliveries(numbers: Numbers) -> tuple[dict[str, Table], ...]:
    """Three loads: a day of events; new ones and a late one of the first hour; nothing new."""
    day: datetime = numbers["_day"]
    first = [
        (f"a{number}", "oakland", day + timedelta(minutes=13 * number), day + timedelta(hours=3))
        for number in range(12)
    ]
    later = [(f"b{number}", "oakland", day + timedelta(hours=3, minutes=5 * number), day + timedelta(hours=4))
             for number in range(numbers["_more"])]  # fmt: skip
    late = [("late", "oakland", day + timedelta(minutes=7), day + timedelta(hours=4))]
    columns = "event_id varchar, site varchar, occurred_at timestamp, loaded_at timestamp"
    return tuple(
        {"stg_events": Table(columns, tuple(rows))} for rows in (first, first + later + late, first + later + late)
    )


_HOURS = """hours_sql = '''
select site, date_trunc('hour', occurred_at) as hour_start, count(*) as events, max(loaded_at) as loaded_at
from {{{{ ref('stg_events') }}}}
{where} group by 1, 2
'''"""
_NEW = "loaded_at > (select max(loaded_at) from {{ this }})"
_CHANGED = (
    "{% if is_incremental() %}\nwhere (site, date_trunc('hour', occurred_at)) in (\n"
    "    select site, date_trunc('hour', occurred_at) from {{ ref('stg_events') }}\n    where "
    + _NEW
    + ")\n{% endif %}"
)
HOURS = Exercise(
    id="05.3",
    title="count again only what is new",
    kind=Kind.OWN,
    minutes=12,
    text="""
The model counts the events of each site and hour, and is merged by these two. Complete it: the first build counts
everything; a later one counts again the *whole* hours that received an event since the last build, and touches no other.
An event can arrive hours late; `loaded_at` says when it arrived. `check` builds the model three times.
""",
    name="hours_sql",
    starter=_HOURS.format(where="{% if is_incremental() %}\nwhere ___\n{% endif %}"),
    solution=_HOURS.format(where=_CHANGED),
    check=Model(states=_deliveries, key=("site", "hour_start"), touched=True),
    misconceptions=(
        Misconception(
            "only-new-rows",
            "You counted the new rows alone, and the merge put that count in place of the whole hour's: the first hour now "
            "has a single event, the late one.",
            "the count of the hour that received the late event.",
            _HOURS.format(where="{% if is_incremental() %}\nwhere " + _NEW + "\n{% endif %}"),
        ),
        Misconception(
            "event-time",
            "You selected events that are newer than the newest hour. A late event is older than that, so it is never "
            "counted.",
            "the hour of the late event after the second build.",
            _HOURS.format(
                where="{% if is_incremental() %}\nwhere date_trunc('hour', occurred_at) >= (select max(hour_start) from "
                "{{ this }})\n{% endif %}"
            ),
        ),
        Misconception(
            "everything",
            "Your numbers are right, but each build counts everything again. That is a full build under another name.",
            "the number of rows that the third build touches.",
            _HOURS.format(where=""),
            lambda built, _: isinstance(built, Built) and built.touched[-1] == len(built.table.rows),
        ),
    ),
    hints=(
        "Two steps: which hours have received an event since the last build? And: count all events of these hours.",
        "What arrived since then has a loaded_at beyond the largest that the model holds: {{ this }}.",
        "where (site, hour) in (select site, hour from the new events)",
    ),
    place="Build again, only what is new",
    numbers=_numbers,
)

# --- 05.4: reconciliation -----------------------------------------------------------------------------------------


def _windows(numbers: Numbers) -> dict[str, Table]:
    day, more = numbers["_day"], numbers["_more"]
    rows = tuple((day + timedelta(minutes=number), 10 + number, 10 + number + extra, dropped)
                 for number, (extra, dropped) in enumerate(((0, 0), (more, more), (more, 0), (1, 3), (-1, 0))))  # fmt: skip
    return {"windows": Table("window_start timestamp, speed_events int, batch_events int, dropped_late int", rows)}


_EXPLAIN = "explained_sql = '''\nselect window_start, case {cases} end as explanation from windows\n'''"
_CASES = "when speed_events = batch_events then 'equal'\n    {late}\n    else 'unexplained'"
EXPLAIN = Exercise(
    id="05.4",
    title="late, or unexplained?",
    kind=Kind.JOINED,
    minutes=8,
    text="""
Lesson 02 and this one together: `windows` has for each minute the count of the stream (`speed_events`), the count of all
events (`batch_events`), and how many events the watermark dropped (`dropped_late`). Return `window_start` and
`explanation`: `equal`; `late` if exactly the dropped events explain the difference; otherwise `unexplained`.
""",
    name="explained_sql",
    starter=_EXPLAIN.format(cases="___"),
    solution=_EXPLAIN.format(
        cases=_CASES.format(late="when batch_events - speed_events = dropped_late then 'late'"),
    ),
    check=Query(tables=_windows),
    misconceptions=(
        Misconception(
            "any-drop",
            "You call each difference late in which the stream dropped something. One dropped event does not explain a "
            "difference of three.",
            "the window that dropped 3 events and differs by 1.",
            _EXPLAIN.format(cases=_CASES.format(late="when dropped_late > 0 then 'late'")),
        ),
        Misconception(
            "any-difference",
            "You call each difference late, so a lost event would never be noticed.",
            "the windows in which nothing was dropped.",
            _EXPLAIN.format(cases="when speed_events = batch_events then 'equal' else 'late'"),
        ),
        Misconception(
            "wrong-direction",
            "The stream has *fewer* events than there are, because it drops late ones. You expected more.",
            "the sign of the difference.",
            _EXPLAIN.format(cases=_CASES.format(late="when speed_events - batch_events = dropped_late then 'late'")),
        ),
        Misconception(
            "absolute",
            "You ignored the sign. A window in which the stream counts more events than there are has another cause, such "
            "as a duplicate.",
            "the window in which speed_events is larger.",
            _EXPLAIN.format(
                cases=_CASES.format(
                    late="when abs(batch_events - speed_events) <= greatest(dropped_late, 1) then 'late'"
                )
            ),
            lambda relation, _: relation.rows[-1][-1:] == ("late",) and relation.rows[2][-1:] == ("unexplained",),
        ),
    ),
    hints=(
        "Dropped events are in batch_events and not in speed_events.",
        "A case with three branches; the second compares the difference with what was dropped.",
        "when batch_events - speed_events = dropped_late then 'late'",
    ),
    place="Two answers to one question",
    numbers=_numbers,
)

EXERCISES = (MEAN, KIND_TEST, HOURS, EXPLAIN)
