"""Exercises of lesson 01: the key of a record, acknowledgements, work and committed offsets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from rtlib.lessons.checks.log import Cluster, Consumer, Crash, Producer
from rtlib.lessons.checks.scenario import Scenario
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers, Unusable

SETUP = "import json\nfrom kafka import TopicPartition\nfrom kafka.structs import OffsetAndMetadata"
SITES = ("oakland", "berkeley", "fremont", "richmond")


def orders(random: Random) -> Numbers:
    """Orders of three sites, and the number of them after which a process crashes."""
    count = random.randrange(8, 13)
    return {"_orders": [{"site": SITES[number % 3], "number": number} for number in range(count)],
            "_crash": random.randrange(3, 6)}  # fmt: skip


# --- 01.1: the key ------------------------------------------------------------------------------------------------


def _sent(send_order: Callable[..., Any], numbers: Numbers) -> tuple[tuple[bytes | None, Any], ...]:
    cluster = Cluster()
    producer = Producer(cluster)
    for order in numbers["_orders"]:
        send_order(producer, dict(order))
    records = cluster.records("orders")
    try:
        values = [json.loads(record.value or b"") for record in records]
    except ValueError:
        raise Unusable("the values of the records must be JSON") from None
    sent = sorted(zip(values, (record.key for record in records), strict=True), key=lambda pair: str(pair[0]))
    return tuple((key, str(sorted(value.items()))) for value, key in sent)


def _sent_differs(observed: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
    if len(observed) != len(expected):
        return f"{len(observed)} records are in the topic orders after {len(expected)} orders."
    keys, wanted = ({key for key, _ in sent} for sent in (observed, expected))
    return (
        f"the records have {len(keys)} different keys, where {len(wanted)} are expected."
        if keys != wanted
        else ("the keys are right, but some are on the wrong orders or the values differ.")
    )


_SEND = 'def send_order(producer, order):\n    return producer.send("orders", {key}value=json.dumps(order).encode())'
KEY = Exercise(
    id="01.1",
    title="the key of an order",
    kind=Kind.FADED,
    minutes=3,
    text="""
Complete the line: the orders of a *site* must stay in the order in which they were written, and the sites may be read
in parallel. `check` calls your function with a producer and some orders, and looks at the records.
""",
    name="send_order",
    starter='def send_order(producer, order):  # such as {"site": "oakland", "number": 7}\n'
    '    return producer.send("orders", key=..., value=json.dumps(order).encode())',
    solution=_SEND.format(key='key=order["site"].encode(), '),
    check=Scenario(("producer", "order"), _sent, _sent_differs),
    misconceptions=(
        Misconception(
            "no-key",
            "Your records have no key, so the producer spreads them over all partitions: two orders of a site may be read "
            "in any order.",
            "what chooses the partition of a record.",
            _SEND.format(key=""),
        ),
        Misconception(
            "unique-key",
            "Each of your orders has a key of its own, so the orders of a site go to different partitions. A key is not "
            "a number of the record: it says what must stay in order.",
            "which partition two orders of the same site go to.",
            _SEND.format(key='key=str(order["number"]).encode(), '),
        ),
        Misconception(
            "constant-key",
            "All your orders have the same key and go to one partition. They stay in order, but a group has nothing to "
            "share: one member does all the work.",
            "how many partitions receive records.",
            _SEND.format(key='key=b"orders", '),
        ),
        Misconception(
            "text-key",
            "Kafka stores bytes and knows no text: a key must be encoded, as the value is.",
            "the type of key and value.",
            _SEND.format(key='key=order["site"], '),
            raises="the key of a record must be bytes",
        ),
    ),
    hints=(
        "Records with the same key go to the same partition, and a partition keeps its order.",
        "The key is a part of the order, as bytes.",
        'order["site"] is a text; .encode() makes it bytes.',
    ),
    place="A topic is a log in partitions",
    numbers=orders,
    setup=SETUP,
)

# --- 01.2: acknowledgements ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fate:
    """What is left of acknowledged records after a broker died and an answer was lost."""

    lost: int
    doubled: int
    failed: int


def _fate(new_producer: Callable[..., Any], numbers: Numbers) -> _Fate:
    """The leader dies after some records; its successor has what was replicated. An answer is lost on the network."""
    cluster = Cluster()
    made = new_producer(partial(Producer, cluster), {"bootstrap_servers": "127.0.0.1:9092"})
    if not isinstance(made, Producer):
        raise Unusable("your function must return the producer that it makes by KafkaProducer(**connection, …)")
    options = made.options
    if "bootstrap_servers" not in options:
        raise Unusable("the producer has no address: pass **connection on")
    acks = options.get("acks", "all")
    if str(acks) not in ("0", "1", "all", "-1"):
        raise Unusable(f'acks must be 0, 1 or "all", not {str(acks)[:20]}')
    sure, retries = str(acks) in ("all", "-1"), options.get("retries", 1) != 0
    numbered = bool(options.get("enable_idempotence", sure)) and sure
    return _Fate(lost=0 if sure else numbers["_crash"], doubled=int(retries and not numbered), failed=int(not retries))


_PRODUCER = "def new_producer(KafkaProducer, connection):\n    return KafkaProducer(**connection{options})"
ACKS = Exercise(
    id="01.2",
    title="a producer that loses nothing",
    kind=Kind.OWN,
    minutes=5,
    text="""
Return a producer for records that must be stored, each of them once, although a broker may die and an answer may be lost
on the network. `check` plays both: the leader dies right after it has answered, and later an answer does not arrive. A
record that was acknowledged and is not in the log afterwards is lost.
""",
    name="new_producer",
    starter="def new_producer(KafkaProducer, connection):\n    return KafkaProducer(**connection, acks=..., "
    "enable_idempotence=...)",
    solution=_PRODUCER.format(options=', acks="all", enable_idempotence=True'),
    check=Scenario(
        ("KafkaProducer", "connection"),
        _fate,
        lambda observed, expected: (
            f"{observed.lost} acknowledged records are lost, {observed.doubled} are doubled, and "
            f"{observed.failed} were given up."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "acks-1",
            "With acks=1 the leader answers when it has the record itself. If it dies before the others have copied it, "
            "the record is gone, and your producer believes that it is stored.",
            "who must have the record before Kafka answers.",
            _PRODUCER.format(options=", acks=1, enable_idempotence=False"),
            lambda fate, _: fate.lost > 0,
        ),
        Misconception(
            "not-idempotent",
            "Your producer repeats a send when no answer comes. If the record had been stored and only the answer was "
            "lost, it is in the log twice.",
            "how Kafka recognises the second copy of a record.",
            _PRODUCER.format(options=', acks="all", enable_idempotence=False'),
            lambda fate, _: fate.doubled > 0,
        ),
        Misconception(
            "no-retries",
            "Without retries nothing is doubled, but a record whose answer is lost is given up, although a repeated send "
            "would be safe.",
            "retries, together with an idempotent producer.",
            _PRODUCER.format(options=', acks="all", enable_idempotence=True, retries=0'),
            lambda fate, _: fate.failed > 0,
        ),
    ),
    hints=(
        "Two dangers, two options: one says who must have the record, the other numbers the records.",
        'acks has the values 0, 1 and "all".',
        'acks="all" and enable_idempotence=True. kafka-python has both by default; written down, nobody removes them.',
    ),
    place="A topic is a log in partitions",
    numbers=orders,
    setup=SETUP,
)

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

EXERCISES = (
    KEY,
    ACKS,
    OFFSETS,
)
