"""A stack on a machine that has other users: a stranger gets nothing, and its owner works as before.

Duplicates and broken records come by the thousand, so that its KPIs can be held against an exact recomputation.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaError, Producer
from kafka import KafkaProducer

from rtlib.broker.client import client_options
from rtlib.broker.topic_specs import TopicSpec
from rtlib.broker.topics import create, end_offsets, topics
from rtlib.config import Settings, load_settings
from rtlib.domains import load_domain
from rtlib.domains.measures import measures
from rtlib.ledger import take
from rtlib.pipeline.audit.backlog import outstanding
from rtlib.pipeline.audit.tallies import runs
from rtlib.records import Event, Kpi
from rtlib.run_state import read_secret
from rtlib.services import supervisor
from rtlib.simulator import Defect
from rtlib.warehouse.connection import connect
from rtlib.warehouse.reads import latest_kpis
from support.stack import Stack, running_stack, until

pytestmark = pytest.mark.integration

SECRETS = ("kafka", "kafka_broker", "registry")
WHERE_SECRETS_ARE = {"secrets.json", "kafka/server.properties", "registry/registry.properties"}
WRONG = "x" * 43
STORM = {"RTLIB_DUPLICATE_SHARE": "0.2", "RTLIB_MALFORMED_SHARE": "0.05", "RTLIB_TOO_LATE_SHARE": "0"}
CREATE_TOPICS, SASL_HANDSHAKE, SASL_AUTHENTICATE, NOT_SIGNED_IN = 19, 17, 36, 58


@pytest.fixture(scope="module")
def shared() -> Iterator[Stack]:
    """A stack started for a machine with other users; other terminals have no setting for it."""
    with running_stack("--rate", "300", "--domain", "iot", environment={"RTLIB_SHARED": "1", **STORM}) as running:
        yield running


@contextmanager
def simulator_stopped(settings: Settings) -> Iterator[None]:
    """Stops the simulator, and starts it again for the next test."""
    supervisor.stop_part(settings, "simulator")
    try:
        yield
    finally:
        supervisor.start_part(settings, "simulator")


@pytest.fixture
def owner(shared: Stack) -> Settings:
    """What a second terminal of the owner knows."""
    return shared.settings


@pytest.fixture(scope="module")
def diary(shared: Stack) -> str:
    """A topic of the owner's, empty."""
    create(shared.settings, TopicSpec("owner.diary", 1))
    return "owner.diary"


@pytest.mark.parametrize(
    ("mechanism", "user", "code"),
    [
        (None, None, KafkaError._ALL_BROKERS_DOWN),
        ("SCRAM-SHA-512", "rtlib", KafkaError._AUTHENTICATION),
        ("PLAIN", "broker", KafkaError._AUTHENTICATION),
    ],
)
def test_a_client_without_the_secret_is_refused_and_writes_nothing(
    owner: Settings, diary: str, mechanism: str | None, user: str | None, code: int
) -> None:
    said: list[int] = []
    options = {"bootstrap.servers": owner.bootstrap_servers, "error_cb": lambda error: said.append(error.code())}
    if mechanism:
        options |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism}
        options |= {"sasl.username": user, "sasl.password": WRONG}
    client = Producer(options)
    client.produce(diary, b"of a stranger")
    until(lambda: client.poll(0.1) or code in said, seconds=30)
    client.purge()
    assert end_offsets(owner, diary) == {0: 0}


class Wire:
    """A connection to a port of Kafka's on which requests are sent as bytes; no client speaks to a controller."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def ask(self, key: int, version: int, body: bytes) -> bytes:
        """The body of the answer; empty when the connection was closed instead."""
        head = struct.pack(">hhih", key, version, 1, -1)
        self._socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        with self._socket.makefile("rb") as answer:
            size = answer.read(4)
            return answer.read(struct.unpack(">i", size)[0])[4:] if size else b""

    def sign_in(self, user: str, password: str) -> int:
        """Sign in by PLAIN; Kafka's code of the error, 0 for none."""
        self.ask(SASL_HANDSHAKE, 1, text("PLAIN"))
        token = f"\0{user}\0{password}".encode()
        answer = self.ask(SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
        return int(struct.unpack(">h", answer[:2])[0])


def text(value: str) -> bytes:
    """A text as Kafka's older requests have it."""
    return struct.pack(">h", len(value)) + value.encode()


def a_topic(name: str) -> bytes:
    """The request for a topic with one partition."""
    return struct.pack(">i", 1) + text(name) + struct.pack(">ihii", 1, 1, 0, 0) + struct.pack(">ib", 5_000, 0)


@pytest.mark.parametrize("port", ["kafka", "kafka_controller"])
def test_neither_port_of_kafka_takes_an_order_before_a_sign_in(owner: Settings, port: str) -> None:
    name = f"stranger.{port}"
    assert Wire(owner.ports[port]).ask(CREATE_TOPICS, 4, a_topic(name)) == b""
    refused = Wire(owner.ports[port])
    assert refused.sign_in("broker", WRONG) == NOT_SIGNED_IN
    known = Wire(owner.ports[port])
    assert known.sign_in("broker", str(read_secret(owner.home, "kafka_broker"))) == 0
    assert name.encode() in known.ask(CREATE_TOPICS, 4, a_topic(name))  # the same order, so the first was no misfit
    until(lambda: name in topics(owner), seconds=10)


def test_no_secret_shows_in_a_process_list_a_log_a_checkpoint_or_the_supervisors_configuration(shared: Stack) -> None:
    secrets = [str(read_secret(shared.home, name)).encode() for name in SECRETS]
    listed = [Path(f"/proc/{pid}/{name}") for pid in psutil.pids() for name in ("cmdline", "environ")]
    assert [path for path in listed if holds(path, secrets)] == []
    inside = (Path(place, name) for place, _, names in os.walk(shared.home) for name in names)
    kept = {str(path.relative_to(shared.home)) for path in inside if "jars" not in path.parts and holds(path, secrets)}
    assert kept == WHERE_SECRETS_ARE


def test_no_log_warns_at_each_connection_that_a_sign_in_on_loopback_is_not_encrypted(shared: Stack) -> None:
    logs = "".join(path.read_text() for path in (shared.home / "logs").glob("*.log"))
    assert "in the clear" not in logs


def holds(path: Path, secrets: list[bytes]) -> bool:
    try:
        content = path.read_bytes()
    except OSError:  # another user's process, or gone
        return False
    return any(secret in content for secret in secrets)


def test_the_owner_writes_reads_and_reconciles_in_a_terminal_without_settings(
    shared: Stack, owner: Settings, diary: str
) -> None:
    assert owner.shared
    with KafkaProducer(**client_options(owner)) as producer:
        producer.send(diary, b"of the owner").get(10)
    assert end_offsets(owner, diary) == {0: 1}
    with simulator_stopped(owner):
        found = until(lambda: (done := shared.rtlib("ledger", "--json")).returncode == 0 and done, seconds=120)
    ledger = json.loads(found.stdout)
    assert ledger["archived"] == ledger["events_sent"] > 0
    assert ledger["kpi_events"] > 0


@pytest.mark.stack_order("ends")
def test_a_killed_broker_still_knows_its_user(shared: Stack, owner: Settings) -> None:
    before = shared.pids()["broker"]
    os.kill(before, 9)
    until(lambda: shared.pids()["broker"] not in (0, before) and topics(owner), seconds=60)


# --- the storm ------------------------------------------------------------------------------------------------------


def by_window(settings: Settings) -> dict[tuple[str, datetime], list[Event]]:
    """The events of all runs, made again from the simulator's account, by site and window."""
    found: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for run in runs(settings):
        for sent in run.records():
            if sent.event and sent.defect is not Defect.DUPLICATE:
                begin = int(sent.event.occurred_at.timestamp()) // settings.window_seconds * settings.window_seconds
                found[sent.event.site, datetime.fromtimestamp(begin, UTC)].append(sent.event)
    return found


def live_kpis(settings: Settings) -> list[Kpi]:
    with closing(connect(settings)) as connection:
        return latest_kpis(connection, settings.domain, minutes=60)


def test_in_a_storm_of_duplicates_and_broken_records_every_kpi_equals_an_exact_recomputation(shared: Stack) -> None:
    settings = load_settings(home=shared.home)
    until(lambda: sum(run.tally.events for run in runs(settings)) > 6_000, seconds=90)
    with simulator_stopped(settings):
        until(lambda: outstanding(settings) is None, seconds=90)
        taken, rows, exact = take(settings), live_kpis(settings), by_window(settings)
    assert taken.reconciles, taken.differences
    # A duplicate comes some seconds after its original: those of the last seconds were never sent.
    assert taken.duplicates_removed == taken.duplicates_sent > 0.14 * taken.events_sent
    assert taken.rejected / taken.events_sent == pytest.approx(0.05, abs=0.01)
    assert taken.late_dropped == 0
    assert {(row.site, row.window_start) for row in rows} == set(exact)
    for row in rows:
        events = exact[row.site, row.window_start]
        assert (row.events, row.last_event_at) == (len(events), max(event.occurred_at for event in events))
        for name, value in measures(load_domain("iot"), events).items():
            assert row.measures[name] == (None if value is None else pytest.approx(value, rel=1e-9)), (row.key, name)
