"""Exercises of lesson 04: a ledger in SQL, and why two numbers differ."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rtlib.lessons.checks.relation import Query, Table
from rtlib.lessons.checks.value import Plain, type_of
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable
from rtlib.lessons.exercises.break_it import SETUP, fault_numbers

# --- 04.3: a ledger in SQL ----------------------------------------------------------------------------------------


def _ledger(numbers: Numbers) -> dict[str, Table]:
    sent = [(producer, number) for producer in ("p1", "p2") for number in range(4 + numbers["_count"])]
    lost, doubled = ("p1", numbers["_fails_at"]), ("p2", 3)
    raw = [pair for pair in sent if pair != lost] + [doubled]
    columns = "producer_id varchar, sequence int"
    return {"sent": Table(columns, tuple(sent)), "raw": Table(columns, tuple(raw))}


_LEDGER = """ledger_sql = '''
select s.producer_id, s.sequence, {count} as copies
from sent s {join} raw r on {on}
group by 1, 2 having {having}
'''"""
_BOTH = "r.producer_id = s.producer_id and r.sequence = s.sequence"
LEDGER = Exercise(
    id="04.3",
    title="a ledger in SQL",
    kind=Kind.JOINED,
    minutes=8,
    text="""
Lesson 03 and this one together: `sent` has what the producers sent, `raw` what arrived (both producer_id and sequence).
Return the events that are not in `raw` exactly once, with the number of their `copies`: 0 if an event is lost, 2 if it is
doubled. Here one of each kind is hidden, so that both tables have the same number of rows.
""",
    name="ledger_sql",
    starter=_LEDGER.format(count="___", join="___", on="___", having="___"),
    solution=_LEDGER.format(count="count(r.sequence)", join="left join", on=_BOTH, having="count(r.sequence) <> 1"),
    check=Query(tables=_ledger),
    misconceptions=(
        Misconception(
            "lost-not-seen",
            "The lost event is not in your result. Either your join drops it, or your count counts the row that a left join "
            "makes for it: count(*) is 1 there.",
            "what a left join returns for an event without a partner, and what count(*) makes of it.",
            _LEDGER.format(count="count(*)", join="left join", on=_BOTH, having="count(*) <> 1"),
        ),
        Misconception(
            "only-lost",
            "You look for lost events alone. A doubled event makes a number wrong as well.",
            "the condition after having.",
            _LEDGER.format(count="count(r.sequence)", join="left join", on=_BOTH, having="count(r.sequence) = 0"),
        ),
        Misconception(
            "sequence-only",
            "Each producer counts from 0, so a sequence alone names no event: the event of another producer stands in for the "
            "lost one.",
            "the condition of the join.",
            _LEDGER.format(
                count="count(r.sequence)",
                join="left join",
                on="r.sequence = s.sequence",
                having="count(r.sequence) <> 1",
            ),
        ),
    ),
    hints=(
        "Begin with what was sent: each of these events must be in the result of the join, also if nothing arrived.",
        "count(column) counts the rows in which the column is not NULL.",
        "left join on both columns, count(r.sequence) <> 1",
    ),
    place="The ledger",
    numbers=fault_numbers,
)

# --- 04.4: boss ---------------------------------------------------------------------------------------------------

CAUSES = ("lost", "late", "rejected", "doubled")


def _runs(random: Random) -> Numbers:
    """Four runs, each with another fault; in each the two layers differ, or less is stored than was sent."""
    faults = list(CAUSES)
    random.shuffle(faults)
    runs = {}
    for name, fault in zip("ABCD", faults, strict=True):
        sent, hit = random.randrange(900, 1_100), random.randrange(3, 9)
        run = {
            "sent": sent,
            "in_topic": sent,
            "rejected": 0,
            "archived": sent,
            "distinct": sent,
            "speed": sent,
            "dropped_late": 0,
        }
        changes = {
            "lost": {"archived": sent - hit, "distinct": sent - hit},
            "late": {"speed": sent - hit, "dropped_late": hit},
            "rejected": {"rejected": hit, "archived": sent - hit, "distinct": sent - hit, "speed": sent - hit},
            "doubled": {"archived": sent + hit, "in_topic": sent + hit},
        }
        runs[name] = {**run, **changes[fault]}
    return {"runs": runs, "_causes": dict(zip("ABCD", faults, strict=True))}


class _Causes(Plain):
    """A cause for each run."""

    def observe(self, answer: Any, numbers: Numbers) -> tuple[str, ...]:
        """The causes in the order of the runs."""
        if not isinstance(answer, dict) or set(answer) != set("ABCD"):
            raise Unusable(f"the answer must be a dictionary with the keys A, B, C and D, not {type_of(answer)}")
        wrong = [cause for cause in answer.values() if cause not in CAUSES]
        if wrong:
            raise Unusable(f"a cause must be one of {', '.join(CAUSES)}, not {str(wrong[0])[:30]}")
        return tuple(answer[name] for name in "ABCD")

    def accepts(self, observed: Any, expected: Any) -> bool:
        """All four."""
        return bool(observed == expected)

    def difference(self, observed: Any, expected: Any) -> str:
        """How many are right."""
        right = sum(mine == other for mine, other in zip(observed, expected, strict=True))
        return f"{right} of the 4 causes are right."


_CAUSE = """runs = given("04.4")

def cause(run):
    if run["archived"] > run["distinct"]:
        return {doubled}
    return {rejected} if run["rejected"] else {rest}

causes = {{name: cause(run) for name, run in runs.items()}}"""
_REST = '"late" if run["dropped_late"] else "lost"'


def _says(cause: str, truth: str) -> Callable[[Any, Numbers], bool]:
    """Whether an answer gives this cause for the run of another."""
    return lambda causes, numbers: any(
        mine == cause and numbers["_causes"][name] == truth for name, mine in zip("ABCD", causes, strict=True)
    )


BOSS = Exercise(
    id="04.4",
    title="boss: why do the numbers differ?",
    kind=Kind.BOSS,
    minutes=12,
    text="""
Four runs of the pipeline, each with another fault. For each you have the counts of the ledger: what was sent, what is in
the topic, what was rejected by its schema, the rows in the archive and the distinct events among them, the count of the
speed layer, and what its watermark dropped. Name the cause of each: `"lost"`, `"late"`, `"rejected"` or `"doubled"`.
""",
    name="causes",
    starter='runs = given("04.4")\nprint(*runs.items(), sep="\\n")\ncauses = {"A": ..., "B": ..., "C": ..., "D": ...}',
    solution=_CAUSE.format(rejected='"rejected"', doubled='"doubled"', rest=_REST),
    check=_Causes(),
    misconceptions=(
        Misconception(
            "late-is-lost",
            "You call late events lost. The archive has every event of that run: only the speed layer lacks some, because "
            "its windows were closed. A report that is made from the archive is right.",
            "the run in which archived equals sent.",
            _CAUSE.format(rejected='"rejected"', doubled='"doubled"', rest='"lost"'),
            _says("lost", "late"),
        ),
        Misconception(
            "rejected-is-lost",
            "You call rejected records lost. They are in the rejected topic with the reason, and can be repaired and sent "
            "again. Lost is what is nowhere.",
            "the sum of archived and rejected.",
            _CAUSE.format(rejected='"lost"', doubled='"doubled"', rest=_REST),
            _says("lost", "rejected"),
        ),
        Misconception(
            "lost-is-late",
            "You call lost events late. Nothing was dropped in that run, and the archive, which waits for every event, lacks "
            "them.",
            "dropped_late and archived.",
            _CAUSE.format(rejected='"rejected"', doubled='"doubled"', rest='"late"'),
            _says("late", "lost"),
        ),
        Misconception(
            "more-is-fine",
            "More rows than events are no reserve: some events were stored twice, and each sum over them is too large.",
            "archived beside distinct.",
            _CAUSE.format(rejected='"rejected"', doubled='"late"', rest=_REST),
            _says("late", "doubled"),
        ),
    ),
    hints=(
        "For each run, find the first step at which a count differs from the one before.",
        "archived + rejected = sent says that nothing is missing. archived > distinct says that something is double.",
        "The run with dropped_late has all its events in the archive.",
    ),
    place="The ledger",
    numbers=_runs,
    setup=SETUP,
)

EXERCISES = (
    LEDGER,
    BOSS,
)
