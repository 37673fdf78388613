"""The audit finds in RAW what is missing and what is there twice, and how far the archive has come."""

from __future__ import annotations

import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.warehouse.audit import (
    Duplicate,
    ProducerCounts,
    Progress,
    archive_progress,
    duplicate_events,
    producer_counts,
    rejected_before,
    sequences,
)
from rtlib.warehouse.connection import execute
from rtlib.warehouse.ingest import apply_batch
from support.warehouse_rows import batch, event_row, rejected_row


@pytest.fixture
def raw(warehouse: SnowflakeConnection) -> SnowflakeConnection:
    """Six events of one producer and two of another, in two batches; beside them a world and a history of their own."""
    first, second = [event_row(number) for number in range(4)], [event_row(number) for number in (4, 5)]
    others = [event_row(20 + number, producer_id="producer-2", sequence=number) for number in range(2)]
    apply_batch(warehouse, batch(*first, offsets_from={"0": 0, "1": 0}, offsets_to={"0": 2, "1": 2}))
    more = {"rejected": (rejected_row(3),), "offsets_from": {"0": 2, "1": 2}, "offsets_to": {"0": 6, "1": 3}}
    apply_batch(warehouse, batch(*second, *others, number=1, **more))
    apply_batch(warehouse, batch(event_row(90), number=0, query="history", offsets_to={"0": 999}))
    execute(warehouse, "update RAW.EVENTS set topic = 'history' where event_id = 'event-90'")
    apply_batch(warehouse, batch(event_row(91, domain="iot"), number=0, domain="iot", offsets_to={"0": 888}))
    return warehouse


def twice(connection: SnowflakeConnection, event_id: str) -> None:
    """Insert a row of RAW once more, as no transaction of the archive would."""
    execute(connection, "insert into RAW.EVENTS select * from RAW.EVENTS where event_id = ?", (event_id,))


def without(connection: SnowflakeConnection, event_id: str) -> None:
    """Delete a row of RAW."""
    assert execute(connection, "delete from RAW.EVENTS where event_id = ?", (event_id,)) == 1


def test_where_every_event_is_there_once_nothing_is_found(raw: SnowflakeConnection) -> None:
    assert producer_counts(raw, "curbside") == {
        "producer-1": ProducerCounts(6, 6, 5),
        "producer-2": ProducerCounts(2, 2, 1),
    }
    assert all(one.is_gapless for one in producer_counts(raw, "curbside").values())
    assert duplicate_events(raw, "curbside") == []
    assert sequences(raw, "curbside", ["producer-1"]) == {"producer-1": set(range(6))}


def test_an_event_that_stands_there_twice_and_one_that_does_not_are_found_though_the_count_is_right(
    raw: SnowflakeConnection,
) -> None:
    twice(raw, "event-4")
    without(raw, "event-2")
    assert producer_counts(raw, "curbside") == {
        "producer-1": ProducerCounts(6, 5, 5),
        "producer-2": ProducerCounts(2, 2, 1),
    }
    assert not producer_counts(raw, "curbside")["producer-1"].is_gapless
    assert duplicate_events(raw, "curbside") == [Duplicate("event-4", "producer-1", 4, 2)]
    assert sequences(raw, "curbside", ["producer-1", "nobody"]) == {"producer-1": {0, 1, 3, 4, 5}, "nobody": set()}


def test_an_event_that_stands_there_three_times_is_told_with_its_rows(raw: SnowflakeConnection) -> None:
    twice(raw, "event-20")
    execute(raw, "insert into RAW.EVENTS select * from RAW.EVENTS where event_id = 'event-20' limit 1")
    assert duplicate_events(raw, "curbside") == [Duplicate("event-20", "producer-2", 0, 3)]


def test_a_sequence_that_was_given_twice_is_found_under_two_identifiers(raw: SnowflakeConnection) -> None:
    apply_batch(raw, batch(event_row(30, sequence=3), number=2))
    assert duplicate_events(raw, "curbside") == [Duplicate("event-3", "producer-1", 3, 2)]


def test_an_identifier_that_was_given_twice_is_found_under_two_sequences(raw: SnowflakeConnection) -> None:
    execute(raw, "update RAW.EVENTS set event_id = 'event-0' where event_id = 'event-1'")
    assert duplicate_events(raw, "curbside") == [Duplicate("event-0", "producer-1", 0, 2)]


def test_what_is_doubled_in_history_or_in_another_world_is_not_ours(raw: SnowflakeConnection) -> None:
    twice(raw, "event-90")
    twice(raw, "event-91")
    assert duplicate_events(raw, "curbside") == []
    assert [one.event_id for one in duplicate_events(raw, "iot")] == ["event-91"]


def test_the_archive_has_come_as_far_as_its_batches_say(raw: SnowflakeConnection) -> None:
    assert archive_progress(raw, "curbside") == Progress({0: 6, 1: 3}, 9)


def test_a_batch_that_was_read_again_counts_twice_and_does_not_move_the_end(raw: SnowflakeConnection) -> None:
    again = [event_row(number) for number in range(4)]
    apply_batch(raw, batch(*again, number=7, offsets_from={"0": 0, "1": 0}, offsets_to={"0": 2, "1": 2}))
    assert archive_progress(raw, "curbside") == Progress({0: 6, 1: 3}, 13)


def test_records_before_the_first_that_kafka_still_holds_are_not_counted(raw: SnowflakeConnection) -> None:
    assert archive_progress(raw, "curbside", first={0: 0, 1: 0}).rows_read == 9
    assert archive_progress(raw, "curbside", first={0: 1, 1: 2}).rows_read == 6
    assert archive_progress(raw, "curbside", first={0: 6, 1: 3}) == Progress({0: 6, 1: 3}, 0)


def test_rejected_records_that_kafka_no_longer_holds_are_told_from_the_others(raw: SnowflakeConnection) -> None:
    apply_batch(raw, batch(number=3, rejected=(rejected_row(9), rejected_row(9, kafka_partition=1))))
    apply_batch(raw, batch(number=1, domain="iot", rejected=(rejected_row(1, topic="rtlib.iot.events"),)))
    assert rejected_before(raw, "curbside", {}) == 0
    assert rejected_before(raw, "curbside", {0: 9, 1: 9}) == 1
    assert rejected_before(raw, "curbside", {0: 10, 1: 9}) == 2
    assert rejected_before(raw, "curbside", {0: 10, 1: 10}) == 3
