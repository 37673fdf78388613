"""The boss exercise of lesson 10: the causes behind a report that is old."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable
from rtlib.lessons.exercises.bi import SETUP

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

EXERCISES = (BOSS,)
