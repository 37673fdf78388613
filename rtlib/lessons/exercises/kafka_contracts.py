"""Exercises of lesson 01: a group of its own, what a schema change allows, who reads from Kafka."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rtlib.lessons.checks.log import Cluster, Consumer
from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.checks.value import Names, Options
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers
from rtlib.lessons.exercises.kafka import SETUP, orders

# --- 01.4: a group of its own -------------------------------------------------------------------------------------


def _report(read_all: Callable[..., Any], numbers: Numbers) -> tuple[int, bool]:
    """How many values a new application gets, and whether it reads as the kitchen."""
    cluster = Cluster()
    for order in numbers["_orders"]:
        cluster.append("orders", order["site"].encode(), json.dumps(order).encode())
    kitchen = Consumer("orders", cluster=cluster, group_id="kitchen", auto_offset_reset="earliest")
    list(kitchen)
    groups: set[object] = set()

    def consumer(*topics: str, **options: Any) -> Consumer:
        groups.add(options.get("group_id"))
        return Consumer(*topics, cluster=cluster, **options)

    values = read_all(consumer, "orders", {"bootstrap_servers": "127.0.0.1:9092"})
    values = returned(values, kind=(list, tuple), what="a list of values")
    return len({bytes(value) for value in values if isinstance(value, bytes | bytearray)}), "kitchen" in groups


_READ = "def read_all(KafkaConsumer, topic, connection):\n    consumer = KafkaConsumer(topic, **connection, {options}\n        consumer_timeout_ms=3000)\n    {body}"
_VALUES = "return [record.value for record in consumer]"
GROUP = Exercise(
    id="01.4",
    title="a new reader of an old topic",
    kind=Kind.OWN,
    minutes=6,
    text="""
The group `kitchen` has read the topic to its end. A new application, `report`, needs *every* order that is in the topic,
and may not disturb the kitchen. Return the list of all values.
""",
    name="read_all",
    starter="def read_all(KafkaConsumer, topic, connection):\n    consumer = KafkaConsumer(topic, **connection, group_id=..., "
    "consumer_timeout_ms=3000)\n    return [record.value for record in consumer]",
    solution=_READ.format(options='group_id="report", auto_offset_reset="earliest", ', body=_VALUES),
    check=Scenario(
        ("KafkaConsumer", "topic", "connection"),
        _report,
        lambda observed, expected: (
            "your consumer is a member of the kitchen."
            if observed[1]
            else f"your function returns {observed[0]} of {expected[0]} orders."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "same-group",
            "You read as the group kitchen, which has read everything: a group gets each record once. And from now on "
            "the two applications share the partitions between them.",
            "what identifies the progress of a reader.",
            _READ.format(options='group_id="kitchen", auto_offset_reset="earliest", ', body=_VALUES),
            lambda outcome, _: outcome[1] and not outcome[0],
        ),
        Misconception(
            "latest",
            "A group without a committed offset begins at the end of the topic, unless you say otherwise. So it gets the "
            "orders of the future, and none of those that are there.",
            "auto_offset_reset.",
            _READ.format(options='group_id="report", ', body=_VALUES),
        ),
        Misconception(
            "moves-kitchen",
            "You moved the committed offsets of the kitchen. It will cook all these orders again.",
            "whose offsets your consumer commits.",
            _READ.format(
                options='group_id="kitchen", ',
                body=f"consumer.seek_to_beginning()\n    consumer.commit()\n    {_VALUES}",
            ),
            lambda outcome, _: outcome[1] and bool(outcome[0]),
        ),
    ),
    hints=(
        "Progress belongs to a group. Which group has no progress yet?",
        "Where does a group without a committed offset begin? There is an option for it.",
        'group_id="report", auto_offset_reset="earliest"',
    ),
    place="Reading does not remove anything",
    numbers=orders,
    setup=SETUP,
)

# --- 01.5: compatibility ------------------------------------------------------------------------------------------

CHANGES = ("optional field added", "required field added", "optional field removed")
COMPATIBILITY = Exercise(
    id="01.5",
    title="backward, forward, full",
    kind=Kind.OWN,
    minutes=6,
    text="""
*Backward* means: a reader with the new schema can read old records. *Forward*: a reader with the old schema can read new
records. *Full*: both. The schema is closed, as above, so a reader refuses a field that its schema does not have. Which of
them holds for each change? The values are `"backward"`, `"forward"`, `"full"` and `"none"`.
""",
    name="holds",
    starter='holds = {"optional field added": ..., "required field added": ..., "optional field removed": ...}',
    solution='holds = {"optional field added": "backward", "required field added": "none", '
    '"optional field removed": "forward"}',
    check=Options(CHANGES, ("backward", "forward", "full", "none")),
    misconceptions=(
        Misconception(
            "optional-is-full",
            "An optional field harms no reader with the new schema. But the schema is closed: an old reader refuses the "
            "new records that have it.",
            "a record with the new field, read with the old schema.",
            'holds = {"optional field added": "full", "required field added": "none", "optional field removed": "forward"}',
            lambda values, _: values[0] == "full",
        ),
        Misconception(
            "swapped",
            "You swapped the two: backward looks from the new schema back at old records.",
            "which side has the new schema.",
            'holds = {"optional field added": "forward", "required field added": "none", '
            '"optional field removed": "backward"}',
            lambda values, _: values[0] == "forward" or values[2] == "backward",
        ),
        Misconception(
            "required-is-backward",
            "Old records lack the required field, so a reader with the new schema refuses them.",
            "an old record, read with the new schema.",
            'holds = {"optional field added": "backward", "required field added": "backward", '
            '"optional field removed": "forward"}',
            lambda values, _: values[1] in ("backward", "full"),
        ),
        Misconception(
            "required-is-forward",
            "In an open schema an old reader would ignore the new field. This schema is closed, so it refuses it.",
            "additionalProperties.",
            'holds = {"optional field added": "backward", "required field added": "forward", '
            '"optional field removed": "forward"}',
            lambda values, _: values[1] == "forward",
        ),
    ),
    hints=(
        "For each change write down an old record and a new one, and read each with the other schema.",
        "A closed schema refuses unknown fields, and a required field may not be missing.",
        "A field added and a field removed are mirror images of one another.",
    ),
    place="Changing the contract",
    setup=SETUP,
)

# --- 01.6: the graph ----------------------------------------------------------------------------------------------

PARTS = ("simulator", "registry", "broker", "events", "rejected", "kpis", "archive", "loader", "speed", "dwh", "dbt",
         "forecast", "staffing", "dashboard", "explain", "powerbi", "alerts")  # fmt: skip
READERS = Exercise(
    id="01.6",
    title="who reads from Kafka?",
    kind=Kind.GRAPH,
    minutes=4,
    text="""
Look at the graph of lesson 00, and mark the parts that are *consumers* of a topic themselves: if Kafka stops, they get no
more records. Parts that read a table which such a part fills do not count. Answer with a set of these names:
simulator, registry, kpis, archive, loader, speed, dwh, dbt, forecast, staffing, dashboard, alerts.
""",
    name="consumers",
    starter='consumers = {...}  # for example {"dbt", "dwh"}',
    solution='consumers = {"kpis", "archive", "loader", "alerts"}',
    check=Names("parts", PARTS),
    misconceptions=(
        Misconception(
            "producer",
            "The simulator writes to Kafka; it reads no topic.",
            "the direction of the arrows.",
            'consumers = {"simulator", "kpis", "archive", "loader", "alerts"}',
            lambda names, _: "simulator" in names,
        ),
        Misconception(
            "tables",
            "You marked parts that read tables. They notice that Kafka has stopped, because their tables grow old, but they "
            "have never heard of a topic.",
            "which of the parts would need a bootstrap server.",
            'consumers = {"kpis", "archive", "loader", "alerts", "speed", "dwh", "dashboard"}',
            lambda names, _: bool(
                names & {"speed", "dwh", "dbt", "forecast", "staffing", "dashboard", "explain", "powerbi"}
            ),
        ),
        Misconception(
            "events-only",
            "You marked the readers of the events topic. The KPIs are a topic too, and it has readers of its own.",
            "what comes after the KPI query.",
            'consumers = {"kpis", "archive"}',
            lambda names, _: names == frozenset({"kpis", "archive"}),
        ),
    ),
    hints=(
        "There are two topics with readers: the events and the KPIs.",
        "Two queries of Spark read the events.",
        "The KPI topic is read by the part that fills the speed layer, and by the part that notifies people.",
    ),
    place="The live topic",
)

EXERCISES = (
    GROUP,
    COMPATIBILITY,
    READERS,
)
