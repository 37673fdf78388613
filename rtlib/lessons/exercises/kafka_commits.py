"""Exercises of lesson 01 on work and commit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rtlib.lessons.checks.log import Cluster, Consumer, Crash
from rtlib.lessons.checks.scenario import Scenario
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers
from rtlib.lessons.exercises.kafka import SETUP, orders

# --- 01.3: work and commit ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Charges:
    """How often each order was charged, and how many again in a last run without new orders."""

    times: tuple[int, ...]
    again: int


def _charged(charge_all: Callable[..., Any], numbers: Numbers) -> _Charges:
    """A first consumer crashes within its work, a second goes on, a third finds nothing new."""
    cluster = Cluster()
    for order in numbers["_orders"]:
        cluster.append("orders", order["site"].encode(), json.dumps(order).encode())
    charged: Counter[int] = Counter()
    left = [numbers["_crash"], 10**6, 10**6]
    for number in range(3):
        before = sum(charged.values())

        def charge(value: bytes, number: int = number) -> None:
            left[number] -= 1
            if left[number] < 0:
                raise Crash
            charged[json.loads(value)["number"]] += 1

        options = {"group_id": "billing", "auto_offset_reset": "earliest", "enable_auto_commit": False}
        with suppress(Crash):
            charge_all(Consumer("orders", cluster=cluster, **options), charge)
    return _Charges(tuple(charged[order["number"]] for order in numbers["_orders"]), sum(charged.values()) - before)


def _charges_differ(observed: _Charges, _: _Charges) -> str:
    if 0 in observed.times:
        return f"{observed.times.count(0)} orders are never charged."
    return (
        f"a run without new orders charges {observed.again} again."
        if observed.again
        else "an order is charged too often."
    )


_CHARGE = "def charge_all(consumer, charge):\n    for record in consumer:\n        "
OFFSETS = Exercise(
    id="01.3",
    title="charge each order at least once",
    kind=Kind.OWN,
    minutes=8,
    text="""
`consumer` reads orders for a group and does not commit by itself; `charge(value)` charges a credit card for the value of a
record. Write the loop. `check` lets the process crash in the middle of a charge, starts it again, and then once more when there is
nothing new. No order may be missed, and a run without new orders may charge nothing.
""",
    name="charge_all",
    starter="def charge_all(consumer, charge):\n    for record in consumer:\n        ...",
    solution=_CHARGE + "charge(record.value)\n        consumer.commit()",
    check=Scenario(
        ("consumer", "charge"),
        _charged,
        _charges_differ,
        within=lambda observed, _: min(observed.times) >= 1 and not observed.again,
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "commit-first",
            "You commit before the work is done. The process that crashes in between leaves an order that nobody charges: "
            "its successor starts behind it. That is at most once.",
            "the order of charge and commit.",
            _CHARGE + "consumer.commit()\n        charge(record.value)",
            lambda charges, _: 0 in charges.times,
        ),
        Misconception(
            "last-offset",
            "You commit the offset of the record that you have just charged. A committed offset is that of the *next* "
            "record to read, so the last order is charged again at each start.",
            "which position a committed offset names.",
            _CHARGE + "charge(record.value)\n        place = TopicPartition(record.topic, record.partition)\n"
            '        consumer.commit({place: OffsetAndMetadata(record.offset, "", -1)})',
            lambda charges, _: 0 < charges.again < len(charges.times),
        ),
        Misconception(
            "never-commits",
            "You never commit, so each start charges all orders again.",
            "where a new consumer of the group begins.",
            _CHARGE + "charge(record.value)",
            lambda charges, _: charges.again >= len(charges.times),
        ),
    ),
    hints=(
        "Two calls for each record. Which of them may be repeated without being missed?",
        "If the process dies between the two, its successor begins at the committed offset.",
        "First charge(record.value), then consumer.commit().",
    ),
    place="Reading does not remove anything",
    numbers=orders,
    setup=SETUP,
)

EXERCISES = (OFFSETS,)
