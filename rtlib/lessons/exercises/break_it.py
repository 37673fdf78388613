"""Exercises of lesson 04: reading and writing in transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

from rtlib.lessons.checks.log import Cluster, Consumer, LogRecord, Producer
from rtlib.lessons.checks.scenario import Scenario, returned
from rtlib.lessons.exercise import Exercise, Kind, Misconception, Numbers

SETUP = "import json"


def fault_numbers(random: Random) -> Numbers:
    """How many lines an order has, and at which of them a fault comes."""
    return {"_count": random.randrange(3, 7), "_fails_at": random.randrange(1, 3)}


# --- 04.1: reading committed records ------------------------------------------------------------------------------


def _read(read_log: Callable[..., Any], numbers: Numbers) -> tuple[int, int, int]:
    """How many committed, aborted and open records are read."""
    cluster = Cluster()
    producer = Producer(cluster)
    for kind, end in (
        (b"committed", producer.commit_transaction),
        (b"aborted", producer.abort_transaction),
        (b"open", None),
    ):
        producer.begin_transaction()
        for _ in range(numbers["_count"]):
            producer.send("orders", kind)
        if end:
            end()
    values = returned(
        read_log(partial(Consumer, cluster=cluster), "orders", {"bootstrap_servers": "127.0.0.1:9092"}),
        kind=(list, tuple),
        what="a list of values",
    )
    return tuple(sum(value == kind for value in values) for kind in (b"committed", b"aborted", b"open"))


_READ = """def read_log(KafkaConsumer, topic, connection):
    consumer = KafkaConsumer(topic, **connection, auto_offset_reset="{reset}", {isolation}
        consumer_timeout_ms=3000)
    return [record.value for record in consumer]"""
COMMITTED = Exercise(
    id="04.1",
    title="read what is certain",
    kind=Kind.FADED,
    minutes=3,
    text="""
In a topic there are records of a transaction that was committed, of another that was aborted, and of a third that is still
open. Complete the consumer, so that it reads the committed records and no others.
""",
    name="read_log",
    starter=_READ.format(reset="earliest", isolation="isolation_level=...,"),
    solution=_READ.format(reset="earliest", isolation='isolation_level="read_committed",'),
    check=Scenario(
        ("KafkaConsumer", "topic", "connection"),
        _read,
        lambda observed, expected: (
            f"it reads {observed[0]} committed, {observed[1]} aborted and {observed[2]} open records."
        ),
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "uncommitted",
            "Your consumer reads everything that is in the log, also what was aborted. Aborted records are not removed: it is "
            "the consumer that skips them, if you say so.",
            "the default of isolation_level.",
            _READ.format(reset="earliest", isolation='isolation_level="read_uncommitted",'),
            lambda counts, _: counts[1] > 0,
        ),
        Misconception(
            "latest",
            "Your consumer begins at the end of the topic, so it reads none of what is there.",
            "auto_offset_reset.",
            _READ.format(reset="latest", isolation='isolation_level="read_committed",'),
            lambda counts, _: not any(counts),
        ),
    ),
    hints=(
        "There are two isolation levels. One of them is the default.",
        "The names are those of databases: read_uncommitted and read_committed.",
        'isolation_level="read_committed"',
    ),
    place="All or nothing in Kafka",
    numbers=fault_numbers,
    setup=SETUP,
)

# --- 04.2: writing all or nothing ---------------------------------------------------------------------------------


class _Failing(Producer):
    """Fails at a record, as a producer whose broker is gone."""

    def __init__(self, cluster: Cluster, fails_at: int) -> None:
        super().__init__(cluster)
        self._left = fails_at

    def send(self, topic: str, value: bytes | None = None, key: bytes | None = None, **_: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ConnectionError("the broker does not answer")
        return super().send(topic, value, key)


def _written(write_order: Callable[..., Any], numbers: Numbers) -> tuple[int, int, int, int]:
    """Records that a reader of committed ones sees, of an order that succeeds and of another that fails.

    And how many transactions are left open, and how many there were.
    """
    cluster = Cluster()
    lines = [{"line": number} for number in range(numbers["_count"])]
    write_order(Producer(cluster), [dict(line) for line in lines])
    whole = len(_visible(cluster))
    with suppress(ConnectionError):
        write_order(_Failing(cluster, numbers["_fails_at"]), [dict(line) for line in lines])
    return whole, len(_visible(cluster)) - whole, len(cluster.open), cluster.transactions


def _visible(cluster: Cluster) -> list[LogRecord]:
    options = {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    return list(Consumer("orders", cluster=cluster, **options))


_SENDS = 'for line in lines:\n{pad}    producer.send("orders", json.dumps(line).encode())'
_WRITE = "def write_order(producer, lines):\n    {body}"
_TRIED = (
    "producer.begin_transaction()\n    try:\n        "
    + _SENDS.format(pad=" " * 8)
    + "\n        producer.commit_transaction()\n"
    "    except ConnectionError:\n        {otherwise}"
)
ALL_OR_NOTHING = Exercise(
    id="04.2",
    title="all lines of an order, or none",
    kind=Kind.OWN,
    minutes=8,
    text="""
Write the lines of an order to the topic `orders`, as JSON, such that a reader of committed records sees all of them or
none. A send can raise a ConnectionError in between; then nothing of the order may stay, and no transaction may be left
open. (The producer is transactional, and `init_transactions` has been called.)
""",
    name="write_order",
    starter=_WRITE.format(body="...  # producer.begin_transaction(), producer.send(topic, value), ..."),
    solution=_WRITE.format(body=_TRIED.format(otherwise="producer.abort_transaction()\n        raise")),
    check=Scenario(
        ("producer", "lines"),
        _written,
        lambda observed, expected: (
            f"of a whole order a reader sees {observed[0]} of {expected[0]} lines, of a failed one "
            f"{observed[1]}; {observed[2]} transactions are left open."
        ),
        within=lambda mine, best: mine[:3] == best[:3],
    ),  # fmt: skip
    misconceptions=(
        Misconception(
            "no-transaction",
            "Without a transaction each record is final at once. After the failure half of an order is in the log.",
            "begin_transaction.",
            _WRITE.format(body=_SENDS.format(pad="    ")),
        ),
        Misconception(
            "commits-anyway",
            "You commit also after a failure, so the half that was sent becomes final.",
            "what runs after the exception.",
            _WRITE.format(
                body=_TRIED.format(otherwise="pass\n    finally:\n        producer.commit_transaction()").replace(
                    "\n        producer.commit_transaction()\n    except", "\n    except"
                )
            ),
        ),
        Misconception(
            "left-open",
            "Your transaction stays open after the failure. Readers of committed records wait behind it until it times out.",
            "abort_transaction.",
            _WRITE.format(body=_TRIED.format(otherwise="raise")),
        ),
        Misconception(
            "each-alone",
            "You commit each line in a transaction of its own, so the lines before the failure are final.",
            "where the transaction begins and ends: outside of the loop.",
            _WRITE.format(
                body='for line in lines:\n        producer.begin_transaction()\n        producer.send("orders", '
                "json.dumps(line).encode())\n        producer.commit_transaction()"
            ),
        ),
    ),
    hints=(
        "Begin, send, and then one of two ends.",
        "try … except ConnectionError: in the second branch the transaction must end as well.",
        "commit_transaction at the end of the try, abort_transaction in the except.",
    ),
    place="All or nothing in Kafka",
    numbers=fault_numbers,
    setup=SETUP,
)

EXERCISES = (
    COMMITTED,
    ALL_OR_NOTHING,
)
