from __future__ import annotations

import base64
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection

from rtlib.errors import WarehouseError, WarehouseUnreachable
from rtlib.records import Event
from rtlib.warehouse import connection as connections
from rtlib.warehouse import ingest, staging
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import BatchResult, apply_batch, backfill, by_bytes
from rtlib.warehouse.migrations import migrate
from support.warehouse_rows import NOON, batch, event_row, rejected_row
from support.warehouse_server import WarehouseServer


def count_of(connection: SnowflakeConnection, table: str = "RAW.EVENTS") -> int:
    return int(query(connection, f"select count(*) as n from {table}")[0]["n"])


def rows(connection: SnowflakeConnection, sql: str) -> list[dict[str, Any]]:
    return query(connection, sql)


def test_a_batch_brings_events_rejected_records_and_its_own_row(warehouse: SnowflakeConnection) -> None:
    result = apply_batch(warehouse, batch(event_row(0), event_row(1), rejected=(rejected_row(9),), number=4))
    assert result == BatchResult(new=2, duplicates=0, rejected=1)
    applied = rows(warehouse, "select * from RAW.BATCHES")[0]
    assert (applied["query"], applied["domain"], applied["batch_id"]) == ("archive", "curbside", 4)
    assert (json.loads(applied["offsets_from"]), json.loads(applied["offsets_to"])) == ({"0": 0}, {"0": 5})
    assert [applied[f"rows_{kind}"] for kind in ("read", "new", "duplicate", "rejected")] == [3, 2, 0, 1]
    assert count_of(warehouse) == 2


def test_every_value_of_an_event_arrives_as_it_was(warehouse: SnowflakeConnection) -> None:
    row = event_row(3)
    apply_batch(warehouse, batch(row))
    stored_rows = rows(warehouse, "select * from RAW.EVENTS")[0]
    loaded_at = stored_rows.pop("loaded_at")
    assert abs(datetime.now(UTC).replace(tzinfo=None) - loaded_at) < timedelta(minutes=1)
    assert stored_rows.pop("batch_id") == 0
    assert json.loads(stored_rows.pop("attributes")) == {"items": 3}
    assert stored_rows == {
        name: value.tz_localize(None) if isinstance(value, pd.Timestamp) else value
        for name, value in row.items()
        if name != "attributes"
    }


def test_a_batch_applied_before_changes_nothing(warehouse: SnowflakeConnection) -> None:
    repeated = batch(event_row(0), rejected=(rejected_row(1),))
    apply_batch(warehouse, repeated)
    assert apply_batch(warehouse, repeated) == BatchResult(skipped=True)
    assert (count_of(warehouse), count_of(warehouse, "RAW.REJECTED"), count_of(warehouse, "RAW.BATCHES")) == (1, 1, 1)


def test_the_same_id_with_other_offsets_is_another_batch(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0)))
    result = apply_batch(warehouse, batch(event_row(0), event_row(1), offsets_to={"0": 2}))
    assert result == BatchResult(new=1, duplicates=1)
    assert count_of(warehouse) == 2


def test_copies_within_a_batch_and_of_earlier_batches_are_left_out(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0), number=0))
    later = event_row(1, kafka_offset=50)
    result = apply_batch(warehouse, batch(later, event_row(1), event_row(0), event_row(2), number=1))
    assert result == BatchResult(new=2, duplicates=2)
    first = rows(warehouse, "select kafka_offset from RAW.EVENTS where event_id = 'event-1'")
    assert first == [{"kafka_offset": 0}]


@pytest.mark.parametrize("seconds", [10, -10, 86_400], ids=["later", "earlier", "a day later"])
def test_a_copy_with_another_time_in_another_batch_is_left_out(warehouse: SnowflakeConnection, seconds: int) -> None:
    copy = event_row(1, occurred_at=pd.Timestamp(NOON) + pd.Timedelta(seconds=seconds), kafka_offset=50)
    apply_batch(warehouse, batch(event_row(0), event_row(1), event_row(2), number=0))
    assert apply_batch(warehouse, batch(copy, number=1)) == BatchResult(new=0, duplicates=1)
    assert apply_batch(warehouse, batch(copy, event_row(3), number=2)) == BatchResult(new=1, duplicates=1)
    stored_rows = rows(warehouse, "select event_id, kafka_offset from RAW.EVENTS order by event_id")
    assert [row["event_id"] for row in stored_rows] == ["event-0", "event-1", "event-2", "event-3"]
    assert stored_rows[1]["kafka_offset"] == 0  # the copy received first stays


def test_a_copy_is_left_out_whatever_its_identifier(warehouse: SnowflakeConnection) -> None:
    names = ["0", "9", "A", "z", "é", "日", "🙂", "~", " ", "event-1", "EVENT-1"]
    apply_batch(warehouse, batch(*(event_row(place, event_id=name) for place, name in enumerate(names)), number=0))
    moved = pd.Timestamp(NOON) + pd.Timedelta(hours=1)
    for number, name in enumerate(names, start=1):
        result = apply_batch(warehouse, batch(event_row(number, event_id=name, occurred_at=moved), number=number))
        assert result == BatchResult(new=0, duplicates=1)
    again = [event_row(place, event_id=name, occurred_at=moved) for place, name in enumerate(names)]
    assert apply_batch(warehouse, batch(*again, number=99)) == BatchResult(new=0, duplicates=len(names))


def test_a_batch_larger_than_a_slice_arrives_completely(
    warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "SLICE_ROWS", 3)
    malformed = tuple(rejected_row(number) for number in range(5))
    apply_batch(warehouse, batch(event_row(4), number=0))
    result = apply_batch(warehouse, batch(*(event_row(number) for number in range(10)), rejected=malformed, number=1))
    assert result == BatchResult(new=9, duplicates=1, rejected=5)
    assert [row["sequence"] for row in rows(warehouse, "select sequence from RAW.EVENTS order by 1")] == [*range(10)]


def test_a_rejected_record_is_kept_once_with_its_bytes(warehouse: SnowflakeConnection) -> None:
    every_byte = bytes(range(256))
    malformed = (rejected_row(1, payload=every_byte), rejected_row(2, payload=None, field=None))
    apply_batch(warehouse, batch(rejected=malformed, number=0))
    assert apply_batch(warehouse, batch(rejected=malformed, number=1)) == BatchResult(rejected=0)
    stored_rows = rows(warehouse, "select * from RAW.REJECTED order by kafka_offset")
    assert [base64.b64decode(row["payload"]) for row in stored_rows] == [every_byte, b""]
    assert [row["field"] for row in stored_rows] == ["", ""]
    assert {row["domain"] for row in stored_rows} == {"curbside"}


def test_a_rejected_record_of_a_megabyte_is_kept(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(1), rejected=(rejected_row(1, payload=b"x" * 1_000_000),)))
    assert rows(warehouse, "select length(payload) as n from RAW.REJECTED")[0]["n"] == 1_333_336


def test_a_batch_without_rows_is_recorded_as_well(warehouse: SnowflakeConnection) -> None:
    assert apply_batch(warehouse, batch()) == BatchResult()
    assert apply_batch(warehouse, batch()) == BatchResult(skipped=True)


ODD = (
    "",
    "007",
    "1e5",
    "true",
    "null",
    "NULL",
    "\\N",
    " padded ",
    "a,b;c\td",
    'say "hi"',
    "two\nlines\r\nand more",
    "C:\\temp\\",
    "'; drop table RAW.EVENTS; --",
    "%s ? :1 $1 @stage",
    "日本 é 🙂 \u2028",
    "2026-05-01",
)


def test_odd_text_arrives_as_it_was(warehouse: SnowflakeConnection) -> None:
    odd_rows = [
        event_row(number, site=odd, unit=odd, producer_id=odd, attributes=json.dumps({"note": odd}))
        for number, odd in enumerate(ODD)
    ]
    apply_batch(warehouse, batch(*odd_rows, event_row(len(ODD))))
    stored_rows = rows(warehouse, "select event_id, site, unit, producer_id, attributes from RAW.EVENTS")
    stored = {row["event_id"]: row for row in stored_rows}
    assert len(stored) == len(ODD) + 1
    for number, odd in enumerate(ODD):
        row = stored[f"event-{number}"]
        assert (row["site"], row["unit"], row["producer_id"]) == (odd, odd, odd)
        assert json.loads(row["attributes"]) == {"note": odd}


def drawn() -> list[tuple[str, float | None, int]]:
    """Texts, values and sequences of any kind, drawn before one batch takes them all."""
    examples: list[tuple[str, float | None, int]] = []

    @settings(max_examples=100, deadline=None, database=None, phases=[Phase.generate])
    @given(
        text=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60),
        value=st.none() | st.floats(allow_nan=False),
        sequence=st.integers(0, 2**63 - 1),
    )
    def draw(text: str, value: float | None, sequence: int) -> None:
        examples.append((text, value, sequence))

    draw()
    return examples


def test_any_text_and_number_arrives_as_it_was(warehouse: SnowflakeConnection) -> None:
    examples = drawn()
    sent = [
        event_row(number, producer_id=f"p{number}", site=text, value=value, sequence=sequence,
                  attributes=json.dumps({text: text}))
        for number, (text, value, sequence) in enumerate(examples)
    ]  # fmt: skip
    offsets = {text: sequence for text, _, sequence in examples}
    apply_batch(warehouse, batch(*sent, offsets_from=offsets, offsets_to={repr(value): 1 for _, value, _ in examples}))
    stored_rows = rows(warehouse, "select event_id, site, value, sequence, attributes from RAW.EVENTS")
    stored = {row["event_id"]: row for row in stored_rows}
    assert len(stored) == len(examples) >= 100
    for number, (text, value, sequence) in enumerate(examples):
        row = stored[f"event-{number}"]
        assert (row["site"], row["value"], row["sequence"]) == (text, value, sequence)
        assert json.loads(row["attributes"]) == {text: text}
    (noted,) = rows(warehouse, "select offsets_from from RAW.BATCHES")
    assert json.loads(noted["offsets_from"]) == offsets


def test_a_missing_value_is_null_and_an_infinite_value_stays(warehouse: SnowflakeConnection) -> None:
    values = [None, float("nan"), float("inf"), 0.1 + 0.2, -0.0]
    apply_batch(warehouse, batch(*(event_row(place, value=value) for place, value in enumerate(values))))
    stored_rows = [row["value"] for row in rows(warehouse, "select value from RAW.EVENTS order by sequence")]
    assert stored_rows == [None, None, float("inf"), 0.1 + 0.2, -0.0]
    apply_batch(warehouse, batch(event_row(9, value=None), number=1))  # a batch without any value
    assert rows(warehouse, "select value from RAW.EVENTS where sequence = 9") == [{"value": None}]


def test_attributes_that_are_not_json_stay_text(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(1, attributes="{broken")))
    assert json.loads(rows(warehouse, "select attributes from RAW.EVENTS")[0]["attributes"]) == "{broken"


@pytest.mark.parametrize(
    "moment",
    [
        pd.Timestamp("2026-05-01T14:00:00.123456+02:00"),
        pd.Timestamp("2026-05-01T12:00:00.123456"),
        datetime(2026, 5, 1, 12, 0, 0, 123456),
        datetime.fromisoformat("2026-05-01T14:00:00.123456+02:00"),
    ],
)
def test_a_moment_is_kept_in_utc_to_the_microsecond(warehouse: SnowflakeConnection, moment: datetime) -> None:
    apply_batch(warehouse, batch(event_row(1, occurred_at=moment)))
    assert rows(warehouse, "select occurred_at from RAW.EVENTS") == [
        {"occurred_at": datetime(2026, 5, 1, 12, 0, 0, 123456)}
    ]


def test_moments_out_of_the_range_of_pandas_are_kept(warehouse: SnowflakeConnection) -> None:
    far = [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]
    frame = batch(event_row(0), event_row(1)).events.astype({"occurred_at": object})
    frame["occurred_at"] = pd.Series(far, dtype=object)
    apply_batch(warehouse, replace(batch(), events=frame))
    assert [row["occurred_at"] for row in rows(warehouse, "select occurred_at from RAW.EVENTS order by 1")] == far


def break_at(monkeypatch: pytest.MonkeyPatch, word: str, *, after: bool) -> None:
    """The next statement that starts with a word fails once: before it is run, or after it and before the answer."""
    broken: list[str] = []

    def fail(connection: SnowflakeConnection, sql: str, parameters: Any = ()) -> int:
        breaks = sql.startswith(word) and not broken
        changed = execute(connection, sql, parameters) if after or not breaks else 0
        if breaks:
            broken.append(sql)
            raise WarehouseUnreachable("the connection is broken")
        return changed

    for module in (ingest, staging, connections):
        monkeypatch.setattr(module, "execute", fail)


STEPS = ("create", "put", "copy", "begin", "insert into RAW.EVENTS", "insert into RAW.REJECTED",
         "insert into RAW.BATCHES", "commit")  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_connection_that_breaks_at_any_statement_loses_and_doubles_nothing(
    warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    interrupted = batch(event_row(0), event_row(1), rejected=(rejected_row(1),))
    break_at(monkeypatch, step, after=after)
    with pytest.raises(WarehouseUnreachable):
        apply_batch(warehouse, interrupted)
    committed = step == "commit" and after
    assert count_of(warehouse) == (2 if committed else 0)
    expected = BatchResult(skipped=True) if committed else BatchResult(new=2, rejected=1)
    assert apply_batch(warehouse, interrupted) == expected
    assert (count_of(warehouse), count_of(warehouse, "RAW.REJECTED"), count_of(warehouse, "RAW.BATCHES")) == (2, 1, 1)


@pytest.fixture(scope="module")
def to_kill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseServer]:
    """A warehouse with its tables, which tests kill and start again."""
    server = WarehouseServer(tmp_path_factory.mktemp("to-kill"))
    server.start()
    migrate(server.connect())
    yield server
    server.kill()


@pytest.fixture
def killed(to_kill: WarehouseServer) -> WarehouseServer:
    """The same, with empty tables."""
    connection = to_kill.connect()
    for table in ("RAW.EVENTS", "RAW.BATCHES"):
        execute(connection, f"delete from {table}")
    return to_kill


def test_a_warehouse_killed_within_a_transaction_rolls_it_back(killed: WarehouseServer) -> None:
    server = killed
    connection = server.connect()
    apply_batch(connection, batch(event_row(0), number=0))
    execute(connection, "begin")
    execute(connection, "insert into RAW.EVENTS select * from RAW.EVENTS")
    server.kill()
    server.start()
    again = server.connect()
    assert count_of(again) == 1
    assert apply_batch(again, batch(event_row(0), number=0)) == BatchResult(skipped=True)
    assert apply_batch(again, batch(event_row(0), event_row(1), number=1)) == BatchResult(new=1, duplicates=1)


def test_a_warehouse_killed_at_random_moments_holds_every_event_once(killed: WarehouseServer) -> None:
    server = killed
    jobs = [batch(*(event_row(50 * number + place) for place in range(50)), number=number) for number in range(12)]
    connection = server.connect()
    for number, job in enumerate(jobs):
        if number % 4 == 3:
            killer = threading.Timer(0.02 * number, server.kill)
            killer.start()
            with suppress(WarehouseError):
                apply_batch(connection, job)
            killer.join()
            server.start()
            connection = server.connect()
        apply_batch(connection, job)
    assert (count_of(connection), count_of(connection, "RAW.BATCHES")) == (600, 12)
    assert rows(connection, "select count(distinct event_id) as n from RAW.EVENTS") == [{"n": 600}]


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_nothing_is_left_behind_on_the_client_or_in_the_warehouse(
    warehouse_server: WarehouseServer, warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    staged = files(warehouse_server.data / "stages")
    apply_batch(warehouse, batch(event_row(0), number=0))
    assert files(warehouse_server.data / "stages") == staged
    break_at(monkeypatch, "copy", after=False)
    with pytest.raises(WarehouseUnreachable):
        apply_batch(warehouse, batch(event_row(1), number=1))
    assert apply_batch(warehouse, batch(event_row(1), number=1)) == BatchResult(new=1)
    assert not list(tmp_path.iterdir())
    # The file of the failed COPY stays until the warehouse removes it.
    assert len(files(warehouse_server.data / "stages") - staged) == 1
    assert not rows(warehouse, "select table_name from information_schema.tables where table_name like 'STAGED%'")


def test_readers_and_two_loaders_at_once_never_see_half_a_batch(warehouse_server: WarehouseServer,
                                                                warehouse: SnowflakeConnection) -> None:  # fmt: skip
    history, shared = warehouse_server.connect(), warehouse_server.connect()
    failures: list[BaseException] = []
    over = threading.Event()
    counts: list[int] = []

    def write(name: str, connection: SnowflakeConnection) -> None:
        for number in range(8):
            many = [
                event_row(place, event_id=f"{name}-{number}-{place}", kafka_offset=1000 * number + place)
                for place in range(100)
            ]
            apply_batch(connection, batch(*many, number=number, query=name))

    def read(connection: SnowflakeConnection) -> None:
        both = (
            "select (select count(*) from RAW.EVENTS) as events, "
            "(select coalesce(sum(rows_new), 0) from RAW.BATCHES) as noted"
        )
        while not over.is_set():
            row = query(connection, both)[0]
            assert int(row["events"]) == int(row["noted"])
            counts.append(int(row["events"]))

    def watched(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as failure:
                failures.append(failure)

        return run

    writers = [
        threading.Thread(target=watched(lambda: write("archive", warehouse))),
        threading.Thread(target=watched(lambda: write("history", history))),
    ]
    # Two threads may share a connection, as the connector's own documentation allows.
    readers = [threading.Thread(target=watched(lambda: read(shared))) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    for thread in readers:
        thread.join()
    assert not failures
    assert count_of(warehouse) == 1600
    assert len(set(counts)) > 3


def past_events(count: int, name: str = "past", *, apart: timedelta = timedelta(seconds=1)) -> Iterator[Event]:
    for number in range(count):
        yield Event(
            event_id=f"{name}-{number}",
            domain="curbside",
            site="site-0",
            kind="order",
            occurred_at=NOON - timedelta(days=1) + number * apart,
            producer_id="history",
            sequence=number,
            value=None if number % 3 else 1.5,
            unit="USD",
            attributes={"items": number},
        )


def test_history_is_loaded_in_chunks_and_only_once(warehouse: SnowflakeConnection) -> None:
    assert backfill(warehouse, past_events(25), domain="curbside", chunk=10) == 25
    assert backfill(warehouse, past_events(25), domain="curbside", chunk=10) == 0
    assert backfill(warehouse, past_events(30), domain="curbside", chunk=15) == 5
    stored_rows = rows(warehouse, "select * from RAW.EVENTS order by sequence")
    assert len(stored_rows) == 30
    assert {(row["topic"], row["kafka_partition"]) for row in stored_rows} == {("history", 0)}
    assert [row["kafka_offset"] for row in stored_rows] == list(range(30))
    assert all(row["received_at"] == row["occurred_at"] for row in stored_rows)
    assert {row["query"] for row in rows(warehouse, "select query from RAW.BATCHES")} == {"history"}


def test_another_stretch_of_history_is_loaded_as_well(warehouse: SnowflakeConnection) -> None:
    backfill(warehouse, past_events(10), domain="curbside", chunk=10)
    assert backfill(warehouse, past_events(10, "other"), domain="curbside", chunk=10) == 10


def test_a_day_of_history_is_loaded_completely_or_not_at_all(warehouse: SnowflakeConnection) -> None:
    def interrupted(events: Iterator[Event], after: int) -> Iterator[Event]:
        yield from islice(events, after)
        raise ConnectionError

    hourly = past_events(60, apart=timedelta(hours=1))  # from noon: 12 on the first day, 24 on each later day
    with pytest.raises(ConnectionError):
        backfill(warehouse, interrupted(hourly, 40), domain="curbside", chunk=10)
    days = [row["n"] for row in rows(warehouse, "select count(*) as n from RAW.EVENTS group by to_date(occurred_at)")]
    assert sorted(days) == [12, 24]


def test_rejected_records_are_sliced_by_bytes_with_at_least_a_row_each() -> None:
    sizes = (4, 4, 4, 30, 1, 9)
    malformed = pd.DataFrame([rejected_row(number, payload=b"x" * size) for number, size in enumerate(sizes)])
    assert [rows["kafka_offset"].tolist() for rows in by_bytes(malformed, most=10)] == [[0, 1], [2], [3], [4, 5]]
    with_sizes = malformed.assign(payload=b"", payload_bytes=sizes)
    assert [rows["kafka_offset"].tolist() for rows in by_bytes(with_sizes, most=10)] == [[0, 1], [2], [3], [4, 5]]
    assert list(by_bytes(malformed.iloc[:0])) == []


def test_all_slices_of_a_batch_arrive_together_and_are_recorded_once(
    warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "by_bytes", partial(by_bytes, most=10))
    sizes = range(5, 12)
    sliced = batch(event_row(1), rejected=tuple(rejected_row(size, payload=b"x" * size) for size in sizes))
    assert apply_batch(warehouse, sliced) == BatchResult(new=1, duplicates=0, rejected=7)
    assert apply_batch(warehouse, sliced).skipped
    stored_rows = rows(warehouse, "select kafka_offset, payload from RAW.REJECTED")
    assert {row["kafka_offset"]: base64.b64decode(row["payload"]) for row in stored_rows} == {
        size: b"x" * size for size in sizes
    }
    assert count_of(warehouse, "RAW.BATCHES") == 1
