"""From the counts of every store to the verdict: a real warehouse, and a list in place of Kafka's log."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from snowflake.connector import SnowflakeConnection

from rtlib import ledger
from rtlib.broker.framing import frame
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.ledger import Verdict
from rtlib.pipeline.audit import backlog, evidence, in_flight, topic_counts
from rtlib.pipeline.audit.backlog import is_sending, outstanding
from rtlib.pipeline.audit.tallies import Run, write_run
from rtlib.records import Event, Kpi, QueryProgress
from rtlib.simulator import SimulatedRecord, Simulator, TallyKeeper
from rtlib.warehouse.connection import execute
from rtlib.warehouse.ingest import Batch, apply_batch
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.query_batches import note_batches
from rtlib.warehouse.staging import EVENT_COLUMNS, REJECTED_COLUMNS
from support.saved_tables import SavedTables
from support.warehouse_server import WarehouseServer

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SENT, PARTITIONS, SCHEMA_ID = 400, 4, 7


@dataclass(frozen=True)
class LogRecord:
    """A record as Kafka holds it."""

    partition: int
    offset: int
    timestamp: int
    value: bytes
    sent: SimulatedRecord


@dataclass(frozen=True)
class KpiRecord:
    """A record of the KPI topic."""

    partition: int
    offset: int
    key: bytes


class World:
    """A run of 400 records: in a log, in RAW and in SPEED, with the methods by which a test changes each."""

    def __init__(self, settings: Settings, warehouse: SnowflakeConnection) -> None:
        self.settings, self.warehouse = settings, warehouse
        self.first = dict.fromkeys(range(PARTITIONS), 0)
        self.merged = dict.fromkeys(range(2), 0)  # the loader's offsets in the KPI topic
        self.kpis: list[KpiRecord] = []
        self.kpi_markers = 0
        self.markers: dict[int, int] = {}  # offsets of transaction markers after a partition's last record
        domain = load_domain(settings.domain)
        simulator = Simulator(
            domain, seed=5, start=START, rate=50, duplicate_share=0.1, malformed_share=0.05, run="one"
        )
        keeper, ends = TallyKeeper(), Counter[int]()
        places = {site.id: number % PARTITIONS for number, site in enumerate(domain.sites)}
        self.log: list[LogRecord] = []
        for sent in islice(simulator.records(), SENT):
            keeper.add(sent)
            place, value = places[sent.key], frame(SCHEMA_ID, sent.payload)
            at = round(sent.send_at.timestamp() * 1000) + 1
            self.log.append(LogRecord(place, ends[place], at, value, sent))
            ends[place] += 1
        self.run = Run(simulator, keeper.tally(), closed=True)
        write_run(settings, self.run)

    def contents(
        self, settings: Settings, topic: str, *, since: Mapping[int, int] | None = None
    ) -> Generator[LogRecord, None, None]:
        begin = self.first if since is None else {**self.first, **since}
        return (record for record in self.log if record.offset >= begin[record.partition])

    def first_offsets(self, settings: Settings, topic: str) -> dict[int, int]:
        return dict(self.first)

    def end_offsets(self, settings: Settings, topic: str) -> dict[int, int]:
        """Of the events topic."""
        ends = {place: sum(record.partition == place for record in self.log) for place in range(PARTITIONS)}
        return {place: end + self.markers.get(place, 0) for place, end in ends.items()}

    def kpi_ends(self) -> dict[int, int]:
        ends = {place: sum(record.partition == place for record in self.kpis) for place in self.merged}
        return {place: end + self.kpi_markers for place, end in ends.items()}

    def kpi_contents(
        self, settings: Settings, topic: str, *, since: Mapping[int, int]
    ) -> Generator[KpiRecord, None, None]:
        return (record for record in self.kpis if record.offset >= since[record.partition])

    def report(self, records: list[LogRecord], number: int = 0) -> None:
        """Record a batch of the KPI query that ends with these records."""
        ends = {str(record.partition): record.offset + 1 for record in records}
        batch = QueryProgress("kpis", number, START, 1, 1.0, 1.0, 0, 0, START, dict.fromkeys(ends, 0), ends)
        note_batches(self.warehouse, self.settings.domain, [batch])

    def archive(self, records: list[LogRecord], number: int) -> None:
        """Bring records into RAW, as the archive query does."""
        spans: dict[int, list[int]] = defaultdict(list)
        for record in records:
            spans[record.partition].append(record.offset)
        batch = Batch(
            "archive",
            self.settings.domain,
            number,
            events=pd.DataFrame(
                [self._event(record) for record in records if record.sent.event], columns=list(EVENT_COLUMNS)
            ),
            rejected=pd.DataFrame(
                [self._rejected(record) for record in records if not record.sent.event], columns=list(REJECTED_COLUMNS)
            ),
            offsets_from={str(place): min(offsets) for place, offsets in spans.items()},
            offsets_to={str(place): max(offsets) + 1 for place, offsets in spans.items()},
        )
        apply_batch(self.warehouse, batch)

    def count(self, records: list[LogRecord]) -> None:
        """Bring the KPIs of these records into SPEED: each event once, in its minute."""
        events = {record.sent.event.event_id: record.sent.event for record in records if record.sent.event}
        windows = Counter((event.site, event.occurred_at.replace(second=0, microsecond=0)) for event in events.values())
        minute, domain = timedelta(minutes=1), self.settings.domain
        merge_kpis(
            self.warehouse,
            [Kpi(domain, site, at, at + minute, {}, n, 0, at, at, START) for (site, at), n in windows.items()],
        )

    def an_event(self, number: int) -> Event:
        """The first event from a place in the log on."""
        return next(record.sent.event for record in self.log[number:] if record.sent.event)

    def _event(self, record: LogRecord) -> dict[str, Any]:
        assert record.sent.event is not None
        fields = record.sent.event.to_json()
        typed = {"occurred_at": record.sent.event.occurred_at, "attributes": json.dumps(fields["attributes"])}
        return {**fields, **typed, **self._position(record)}

    def _rejected(self, record: LogRecord) -> dict[str, Any]:
        return {"payload": record.value, "reason": "it does not fit", "field": "", **self._position(record)}

    def _position(self, record: LogRecord) -> dict[str, Any]:
        return {
            "topic": self.settings.topic("events"),
            "kafka_partition": record.partition,
            "kafka_offset": record.offset,
            "received_at": pd.Timestamp(record.timestamp, unit="ms", tz="UTC"),
        }


@pytest.fixture
def world(
    tmp_path: Path,
    warehouse_server: WarehouseServer,
    warehouse: SnowflakeConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    warehouse_server.share_with(tmp_path)
    made = World(Settings(home=tmp_path, domain="iot", part="ledger"), warehouse)
    monkeypatch.setattr(evidence, "first_offsets", made.first_offsets)
    for module in (topic_counts, backlog):
        monkeypatch.setattr(module, "contents", made.contents)
        monkeypatch.setattr(module, "end_offsets", made.end_offsets)
    monkeypatch.setattr(topic_counts, "schema_ids", lambda settings, subject: {SCHEMA_ID})
    monkeypatch.setattr(in_flight, "committed_offsets", lambda settings, group, topic: dict(made.merged))
    monkeypatch.setattr(in_flight, "end_offsets", lambda settings, topic: made.kpi_ends())
    monkeypatch.setattr(in_flight, "contents", made.kpi_contents)
    return made


@pytest.fixture(scope="module")
def saved(warehouse_server: WarehouseServer) -> Iterator[SavedTables]:
    tables = SavedTables()
    yield tables
    tables.drop(warehouse_server)


@pytest.fixture
def arrived(world: World, saved: SavedTables) -> World:
    """All records have arrived, in eight batches."""

    def write() -> None:
        for number in range(8):
            world.archive(world.log[50 * number : 50 * (number + 1)], number)
        world.count(world.log)
        world.report(world.log)

    saved.fill(world.warehouse, write)
    return world


def test_a_run_that_arrived_completely_reconciles(arrived: World) -> None:
    taken = ledger.take(arrived.settings)
    assert taken.reconciles, taken.differences
    assert taken.records_sent == taken.records_in_kafka == SENT
    assert taken.archived == taken.kpi_events == taken.events_sent
    assert taken.duplicates_removed == taken.duplicates_sent > 0
    assert taken.rejected == taken.malformed_sent > 0
    assert (taken.read_again, taken.expired) == (0, 0)
    assert outstanding(arrived.settings) is None


def test_a_lost_and_a_doubled_event_are_named_although_all_counts_are_right(arrived: World) -> None:
    lost = arrived.an_event(100)
    doubled = next(
        record.sent.event for record in arrived.log[200:] if record.sent.event and record.sent.event.site == lost.site
    )
    execute(arrived.warehouse, "delete from RAW.EVENTS where event_id = ?", (lost.event_id,))
    execute(
        arrived.warehouse,
        "insert into RAW.EVENTS select * from RAW.EVENTS where event_id = ?",
        (doubled.event_id,),
    )
    taken = ledger.take(arrived.settings)
    assert taken.archived == taken.events_sent
    assert (taken.lost, taken.doubled) == (1, 1)
    assert taken.lost_events == (ledger.Entry(lost.event_id, lost.producer_id, lost.sequence, "in Kafka, not in RAW"),)
    assert taken.doubled_events == (ledger.Entry(doubled.event_id, doubled.producer_id, doubled.sequence, "2 rows"),)
    shown = ledger.render(taken)
    assert lost.event_id in shown and doubled.event_id in shown
    assert "DOES NOT RECONCILE: 1 lost, 1 doubled" in shown
    assert taken.verdict is Verdict.DIFFERS


def test_right_after_the_simulators_end_nothing_is_doubled_and_the_verdict_says_what_is_in_flight(
    world: World,
) -> None:
    world.archive(world.log[:370], 0)
    world.count(world.log)  # the speed path is ahead
    taken = ledger.take(world.settings)
    assert (taken.lost, taken.doubled, taken.in_flight, taken.running) == (0, 0, 30, False)
    assert "30 records in flight; it is final once all has arrived" in ledger.render(taken)
    assert sum(records.count for records in taken.in_flight_at) == 30
    assert {records.part for records in taken.in_flight_at} == {"archive"}
    assert taken.verdict is Verdict.NOT_FINAL
    assert outstanding(world.settings) == "30 records on the way to RAW"
    world.archive(world.log[370:], 1)
    assert outstanding(world.settings) is None
    assert ledger.verdict(ledger.take(world.settings)) == "reconciles: nothing lost, nothing doubled"


def test_windows_with_missing_counts_are_outstanding(world: World) -> None:
    world.archive(world.log, 0)
    world.count([record for record in world.log if record.sent.event is not world.an_event(50)])
    assert outstanding(world.settings) == "1 window that SPEED and RAW count differently, by 1 event"
    assert outstanding(world.settings) is not None


def test_a_window_is_in_flight_until_the_kpi_query_reaches_it_and_differs_from_then_on(
    world: World,
) -> None:
    world.archive(world.log, 0)
    world.count(world.log[:370])
    world.report(world.log[:370])
    taken = ledger.take(world.settings)
    assert (taken.verdict, taken.differences) == (Verdict.NOT_FINAL, ())
    assert {records.part for records in taken.in_flight_at} == {"kpis"}
    assert sum(records.count for records in taken.in_flight_at) == 30
    world.report(world.log, 1)
    taken = ledger.take(world.settings)
    assert taken.verdict is Verdict.DIFFERS
    assert taken.differences and not taken.in_flight_at


def test_a_window_whose_kpi_record_waits_for_the_loader_is_in_flight(world: World) -> None:
    victim = world.an_event(50)
    world.archive(world.log, 0)
    world.count([record for record in world.log if record.sent.event is not victim])
    world.report(world.log)
    assert ledger.take(world.settings).verdict is Verdict.DIFFERS
    begin = victim.occurred_at.replace(second=0, microsecond=0)
    world.kpis = [KpiRecord(1, 0, f"{begin:%Y-%m-%dT%H:%M:%SZ}|{victim.site}".encode()), KpiRecord(1, 1, b"\xff")]
    taken = ledger.take(world.settings)
    assert taken.verdict is Verdict.NOT_FINAL
    assert [str(records) for records in taken.in_flight_at] == [
        "loader: 2 KPI records of partition 1 from offset 0 on: in the KPI topic and not yet in SPEED"
    ]
    assert outstanding(world.settings) == "2 KPI records on the way to SPEED"


def test_transaction_markers_in_the_kpi_topic_are_not_outstanding(arrived: World) -> None:
    arrived.kpi_markers = 1
    assert ledger.take(arrived.settings).reconciles


def test_transaction_markers_after_the_last_record_are_not_outstanding(arrived: World) -> None:
    arrived.markers = {0: 1, 2: 7}
    assert outstanding(arrived.settings) is None
    assert ledger.take(arrived.settings).reconciles


def test_records_are_outstanding_even_beside_transaction_markers(world: World) -> None:
    world.archive(world.log[:370], 0)
    world.markers = {0: 1}
    assert outstanding(world.settings) == "31 records on the way to RAW"


def test_a_log_that_ends_before_the_archived_offsets_is_not_settled(arrived: World) -> None:
    arrived.markers = {0: -1}
    assert outstanding(arrived.settings) == "1 record on the way to RAW"


def test_a_simulator_sends_while_its_tally_is_open_and_recent(world: World) -> None:
    assert not is_sending(world.settings)
    write_run(world.settings, Run(world.run.simulator, world.run.tally))
    assert is_sending(world.settings)


def test_an_event_of_an_unknown_producer_is_counted_whatever_its_number(arrived: World) -> None:
    """The archive accepts it, so the ledger must not count it as malformed."""
    fields = arrived.an_event(0).to_json()
    event_id = "019aa0b2-3c4d-7e5f-8a6b-9c8d7e6f5a4b"
    forged = {**fields, "event_id": event_id, "producer_id": "stranger", "sequence": 2**53 - 1}
    last = arrived.log[-1]
    record = replace(last, offset=last.offset + 1, value=frame(SCHEMA_ID, json.dumps(forged).encode()))
    topic = read_all([*arrived.log, record], arrived)
    assert topic.malformed == arrived.run.tally.malformed
    assert topic.holds("stranger", 2**53 - 1)


@pytest.mark.parametrize("changes", [{"attributes": {"zone": "dock", "sensor": 5.0}}, {"sequence": 7.0}])
def test_an_integer_with_a_decimal_point_is_malformed_as_it_is_for_the_stream(
    world: World, changes: dict[str, Any]
) -> None:
    fields = {**world.an_event(0).to_json(), **changes}
    record = replace(world.log[0], value=frame(SCHEMA_ID, json.dumps(fields).encode()))
    assert read_all([record], world).malformed == 1


def read_all(log: list[LogRecord], world: World) -> topic_counts.TopicCounts:
    """The ledger's counts of a topic with these records."""
    world.log = log
    return topic_counts.count_topic(world.settings, reached={}, first=world.first)


# --- after Kafka has deleted the oldest records ---------------------------------------------------------------------


@pytest.fixture
def week_later(arrived: World) -> World:
    """Each partition has lost its oldest records, a different number each; a batch was read again before."""
    arrived.archive(arrived.log[350:], 8)
    arrived.first = {place: end // 2 + place for place, end in arrived.end_offsets(arrived.settings, "").items()}
    return arrived


def test_after_a_week_the_ledger_still_reconciles_and_says_that_raw_alone_is_the_proof(week_later: World) -> None:
    taken = ledger.take(week_later.settings)
    assert taken.reconciles, taken.differences
    assert taken.expired == sum(week_later.first.values()) > SENT // 3
    assert taken.expired + taken.records_in_kafka == taken.records_sent == SENT
    assert taken.archived == taken.events_sent
    assert taken.read_again == 50
    assert "for these RAW alone is the proof" in ledger.render(taken)


def test_after_a_week_an_event_lost_from_raw_is_still_named(week_later: World) -> None:
    old = week_later.an_event(0)
    execute(week_later.warehouse, "delete from RAW.EVENTS where event_id = ?", (old.event_id,))
    taken = ledger.take(week_later.settings)
    why = "neither in RAW nor in what Kafka still holds"
    assert taken.lost_events == (ledger.Entry(old.event_id, old.producer_id, old.sequence, why),)
    assert not taken.reconciles


def test_after_a_week_a_rejected_record_missing_in_raw_is_still_noticed(week_later: World) -> None:
    newest = max((record for record in week_later.log if not record.sent.event), key=lambda record: record.timestamp)
    execute(
        week_later.warehouse,
        "delete from RAW.REJECTED where kafka_partition = ? and kafka_offset = ?",
        (newest.partition, newest.offset),
    )
    differences = "\n".join(ledger.take(week_later.settings).differences)
    assert "malformed records sent and rejected: " in differences
    assert "malformed records still in Kafka and rejected of those: " in differences


def test_a_log_that_kafka_shortens_in_the_meantime_is_read_again(
    arrived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    contents = arrived.contents

    def shortened(settings: Settings, topic: str) -> Iterator[LogRecord]:
        arrived.first = {**arrived.first, 0: 20}
        return contents(settings, topic)

    monkeypatch.setattr(topic_counts, "contents", shortened)
    taken = ledger.take(arrived.settings, notify=lines.append)
    assert taken.reconciles, taken.differences
    assert taken.expired == 20
    assert len(lines) == 1 and "reading all counts again" in lines[0]


# --- progress -------------------------------------------------------------------------------------------------------


def taking(world: World) -> Callable[[], list[str]]:
    def lines() -> list[str]:
        notified: list[str] = []
        ledger.take(world.settings, notify=notified.append)
        return notified

    return lines


def test_reading_a_long_topic_reports_progress(arrived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_counts, "NOTIFY_SECONDS", 0.0)
    monkeypatch.setattr(topic_counts, "NOTIFY_RECORDS", 150)
    assert taking(arrived)() == [
        "  150 of 400 records of the events topic are read",
        "  300 of 400 records of the events topic are read",
    ]


def test_reading_a_short_topic_reports_nothing(arrived: World) -> None:
    assert taking(arrived)() == []
