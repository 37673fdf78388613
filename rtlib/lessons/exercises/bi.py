"""Exercises of lesson 10: a measure, a renamed column, what a refresh costs, and where a sick pipeline is sick."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.checks.value import Number
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable

SETUP = "import pandas as pd"

# --- 10.1: a measure ----------------------------------------------------------------------------------------------


def _measured(measure: Callable[..., Any], numbers: Numbers) -> tuple[float, ...]:
    import pandas as pd

    rows = pd.DataFrame({"site": ["north", "south", "south"], "wait": [4.0, 8.0, numbers["_wait"]],
                         "customers": [100, 300, numbers["_more"]]})  # fmt: skip
    selections = (rows, rows[rows.site == "south"])
    kinds: Any = (int, float)
    return tuple(round(float(returned(measure(part.copy()), kind=kinds, what="a number")), 6) for part in selections)


_MEASURE = "def measure(rows):\n    return {formula}"
MEASURE = Exercise(
    id="10.1",
    title="a measure for any selection",
    kind=Kind.FADED,
    minutes=4,
    text="""
`rows` are those that the reader has selected, with `wait` (the mean wait of a site and hour) and `customers`. Complete the
measure: the mean wait of a *customer* in the selection.
""",
    name="measure",
    starter=_MEASURE.format(formula="(rows.wait * ...).sum() / ..."),
    solution=_MEASURE.format(formula="(rows.wait * rows.customers).sum() / rows.customers.sum()"),
    check=Scenario(
        ("rows",),
        _measured,
        lambda observed, expected: f"for all rows it is {observed[0]:g} instead of {expected[0]:g}.",
        preload=("pandas",),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "average",
            "That is the mean of the rows: a quiet hour counts as much as a busy one.",
            "how many customers a row stands for.",
            _MEASURE.format(formula="rows.wait.mean()"),
        ),
        Misconception(
            "by-rows",
            "You divided by the number of rows, so the result grows with the number of customers.",
            "the denominator.",
            _MEASURE.format(formula="(rows.wait * rows.customers).sum() / len(rows)"),
        ),
        Misconception(
            "sum",
            "The sum of means is no wait that anybody had.",
            "the unit of your result.",
            _MEASURE.format(formula="rows.wait.sum()"),
        ),
    ),
    hints=(
        "The minutes that all customers waited, divided by the number of customers.",
        "A row stands for wait × customers minutes.",
        "(rows.wait * rows.customers).sum() / rows.customers.sum()",
    ),
    place="A project of text files",
    numbers=lambda random: {"_wait": float(random.randrange(10, 16)), "_more": random.randrange(20, 60)},
    setup=SETUP,
)

# --- 10.2: broken visuals -----------------------------------------------------------------------------------------


def _broken(broken: Callable[..., Any], numbers: Numbers) -> frozenset[str]:
    tables = {"hourly": {"hour", "site", "wait"}, "daily": {"day", "site", "customers"}}
    visuals = {
        "wait by hour": ("hourly", ["hour", "wait"]),
        "customers by day": ("daily", ["day", "customers"]),
        "wait by day": ("daily", ["day", "wait"]),  # the column is in another table
        "wait by site": ("hourly", ["site", "waiting"]),
        "forecast": ("weekly", ["week"]),  # no such table
        f"page {numbers['_page']}": ("hourly", ["site"]),
    }
    given = broken(dict(visuals), {name: set(columns) for name, columns in tables.items()})
    given = returned(given, kind=(set, list, tuple, frozenset), what="a set of names")
    if not all(isinstance(name, str) for name in given):
        raise Unusable("your function must return a set of names of visuals")
    return frozenset(given)


_BROKEN = (
    "def broken(visuals, tables):\n    return {{name for name, (table, columns) in visuals.items() if {condition}}}"
)
RENAMED = Exercise(
    id="10.2",
    title="which visuals are broken?",
    kind=Kind.OWN,
    minutes=7,
    text="""
`visuals` has for each visual its table and its columns: `{"wait by hour": ("hourly", ["hour", "wait"])}`; `tables` has the
columns of each table as a set. Return the names of the visuals that would show an error, because a column or a table does
not exist.
""",
    name="broken",
    starter="def broken(visuals, tables):\n    return ...",
    solution=_BROKEN.format(condition="not set(columns) <= tables.get(table, set())"),
    check=Scenario(
        ("visuals", "tables"),
        _broken,
        lambda observed, expected: (
            f"of {len(expected)} broken visuals you name {len(observed & expected)}, and "
            f"{len(observed - expected)} that work."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "any-table",
            "You looked whether any table has the column. A visual reads its own table: a column of the same name elsewhere "
            "does not help it.",
            "wait by day.",
            _BROKEN.format(condition="not set(columns) <= set().union(*tables.values())"),
        ),
        Misconception(
            "all-missing",
            "A visual breaks if *one* of its columns is missing, not only if all are.",
            "wait by site.",
            _BROKEN.format(condition="not set(columns) & tables.get(table, set())"),
        ),
        Misconception(
            "tables-missing",
            "You skipped the visuals whose table does not exist at all.",
            "forecast.",
            _BROKEN.format(condition="table in tables and not set(columns) <= tables[table]"),
        ),
        Misconception(
            "names-missing-table",
            "Your function fails at a table that does not exist. That is what it should find.",
            "tables[table] for a table that is not there.",
            _BROKEN.format(condition="not set(columns) <= tables[table]"),
            raises="KeyError: 'weekly'",
        ),
    ),
    hints=(
        "For each visual: are all of its columns in its own table?",
        "set(columns) <= other says whether all of them are in the other set.",
        "tables.get(table, set()) is empty for a table that does not exist.",
    ),
    place="When a column is renamed",
    numbers=lambda random: {"_page": random.randrange(1, 9)},
    setup=SETUP,
)

# --- 10.3: refresh ------------------------------------------------------------------------------------------------


def _wall(random: Random) -> Numbers:
    return {"hours": random.choice((10, 12, 14)), "refresh": random.choice((5, 10)), "visuals": random.choice((6, 8))}


_COST = 'hours, refresh, visuals = given("10.3")\nbilled_hours = {formula}'
REFRESH = Exercise(
    id="10.3",
    title="a report on the wall",
    kind=Kind.JOINED,
    minutes=5,
    text="""
Lesson 03 and this one together: a report with `visuals` visuals hangs on a wall for `hours` hours a day, and sends a query
for each visual every `refresh` seconds, each of which takes 0.2 s. The warehouse is billed while it runs, and suspends
itself after 60 seconds without a query. How many hours a day are billed? (Within a tenth of an hour.)
""",
    name="billed_hours",
    starter='hours, refresh, visuals = given("10.3")\nprint(hours, refresh, visuals)\nbilled_hours = ...',
    solution=_COST.format(formula="hours + 60 / 3600"),
    check=Number("hours", tolerance=0.1),
    misconceptions=(
        Misconception(
            "work-only",
            "You added up the seconds of the queries. The warehouse is paid for while it waits for the next of them as well.",
            "whether it is ever idle for 60 seconds.",
            _COST.format(formula="hours * 3600 / refresh * visuals * 0.2 / 3600"),
        ),
        Misconception(
            "per-query",
            "You billed each query with a minute. The minimum is for a start, and the warehouse starts once a day.",
            "how often it starts.",
            _COST.format(formula="hours * 3600 / refresh * visuals * 60 / 3600"),
        ),
        Misconception(
            "whole-day",
            "At night the report is off, and the warehouse suspends itself.",
            "what happens a minute after the last query.",
            _COST.format(formula="24"),
        ),
    ),
    hints=(
        "Is there a pause of 60 seconds while the report is on?",
        "From the first query to the last, the warehouse never suspends itself.",
        "All the hours, and a minute.",
    ),
    place="DirectQuery or import",
    numbers=_wall,
    setup=SETUP,
)

# --- 10.4: boss ---------------------------------------------------------------------------------------------------

UPSTREAM = {
    "simulator": (), "events": ("simulator",), "kpis": ("events",), "archive": ("events",), "loader": ("kpis",),
    "speed": ("loader",), "dwh": ("archive",), "dbt": ("dwh",), "report": ("dbt",), "dashboard": ("speed",),
}  # fmt: skip


def _sick(random: Random) -> Numbers:
    """Two parts have failed; what is downstream of them is old as well."""
    roots = (random.choice(("kpis", "loader")), random.choice(("archive", "dwh")))
    sick = set(roots)
    for node, upstream in UPSTREAM.items():  # in the order of the flow
        if sick & set(upstream):
            sick.add(node)
    return {"_sick": frozenset(sick), "_roots": frozenset(roots)}


def _found(root_causes: Callable[..., Any], numbers: Numbers) -> frozenset[str]:
    sick: frozenset[str] = numbers["_sick"]
    nodes = {
        name: {"upstream": list(upstream), "fresh": name not in sick, "age": 1 + 100 * (name in sick) + place}
        for place, (name, upstream) in enumerate(UPSTREAM.items())
    }
    given = returned(root_causes(nodes), kind=(set, list, tuple, frozenset), what="a set of names")
    if not set(given) <= set(UPSTREAM):
        raise Unusable("your function must return a set of names of nodes")
    return frozenset(given)


_CAUSES = "def root_causes(nodes):\n    {body}"
_OLD = "{name for name, node in nodes.items() if not node['fresh']"
BOSS = Exercise(
    id="10.4",
    title="boss: where is it sick?",
    kind=Kind.BOSS,
    minutes=12,
    text="""
The report is old, and so is the dashboard. `nodes` is the graph: `{"speed": {"upstream": ["loader"], "fresh": False,
"age": 106}, …}`, with the age of the numbers in seconds. Return the set of the parts where the trouble *begins*: those that
have to be repaired so that all others recover by themselves. There can be more than one.
""",
    name="root_causes",
    starter=_CAUSES.format(body="return ..."),
    solution=_CAUSES.format(
        body=f"old = {_OLD}}}\n    return {{name for name in old if not old & set(nodes[name]['upstream'])}}"
    ),
    check=Scenario(
        ("nodes",),
        _found,
        lambda observed, expected: (
            f"of {len(expected)} causes you name {len(observed & expected)}, and "
            f"{len(observed - expected)} parts that are none."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "all-old",
            "You named all parts that are old. Most of them do their job, and wait for new data: to restart them changes "
            "nothing.",
            "an old part whose upstream part is old as well.",
            _CAUSES.format(body=f"return {_OLD}}}"),
        ),
        Misconception(
            "symptoms",
            "You named the ends of the chain, where the trouble is *seen*. It begins at the other end.",
            "the direction of upstream.",
            _CAUSES.format(
                body=f"old = {_OLD}}}\n    needed = {{up for name in old for up in nodes[name]['upstream']}}\n"
                "    return old - needed"
            ),
        ),
        Misconception(
            "oldest",
            "You named the oldest part alone. The age says how long a number has been waiting, not why; and two branches can "
            "be sick at once.",
            "the second branch of the graph.",
            _CAUSES.format(body="return {max(nodes, key=lambda name: nodes[name]['age'])}"),
        ),
        Misconception(
            "last-healthy",
            "You named the last healthy parts. The trouble begins right after them.",
            "whether the parts that you name are fresh.",
            _CAUSES.format(
                body=f"old = {_OLD}}}\n    return {{up for name in old for up in nodes[name]['upstream'] "
                "if nodes[up]['fresh']}}".replace("}}", "}")
            ),
        ),
    ),
    hints=(
        "Which old part has only fresh parts before it?",
        "First the set of all old parts; then those of them whose upstream parts are all fresh.",
        "not old & set(node['upstream'])",
    ),
    place="When a column is renamed",
    numbers=_sick,
    setup=SETUP,
)

EXERCISES = (MEASURE, RENAMED, REFRESH, BOSS)
