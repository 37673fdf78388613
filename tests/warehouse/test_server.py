from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.errors import WarehouseError
from rtlib.services.fakesnow import close_idle_sessions, sweep
from rtlib.services.fakesnow_patches import RESULT_BYTES_KEPT, NewestEntries
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import apply_batch
from rtlib.warehouse.migrations import migrate
from support.warehouse_rows import batch, event_row
from support.warehouse_server import WarehouseServer


def held(connection: SnowflakeConnection) -> int:
    return int(query(connection, "select count(*) as n from RAW.EVENTS")[0]["n"])


def test_what_was_committed_outlives_a_kill(own_warehouse: Callable[[], WarehouseServer]) -> None:
    server = own_warehouse()
    connection = server.connect()
    migrate(connection)
    apply_batch(connection, batch(*(event_row(number) for number in range(500))))
    for _ in range(3):
        server.kill()
        server.start()
        connection = server.connect()
        assert held(connection) == 500
        assert migrate(connection) == []
        execute(connection, "insert into RAW.EVENTS select * from RAW.EVENTS limit 0")


def test_a_term_ends_it_quickly_and_leaves_one_file(own_warehouse: Callable[[], WarehouseServer]) -> None:
    server = own_warehouse()
    connection = server.connect()
    migrate(connection)
    execute(connection, "begin")
    execute(connection, "delete from RAW.BATCHES")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5
    assert server.process.returncode == 0
    assert [path.name for path in server.data.glob("RTLIB*")] == ["RTLIB.db"]
    server.start()
    assert held(server.connect()) == 0


def test_a_second_process_on_the_same_files_does_not_start(own_warehouse: Callable[[], WarehouseServer]) -> None:
    server = own_warehouse()
    words = [*server.process.args[:-3], "0", *server.process.args[-2:]]
    second = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert "lock" in second.stderr.lower()
    assert query(server.connect(), "select 1 as one") == [{"one": 1}]


def test_it_listens_on_this_machine_alone(warehouse_server: WarehouseServer) -> None:
    process = psutil.Process(warehouse_server.process.pid)
    listening = {
        connection.laddr.ip for connection in process.net_connections("tcp") if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_memory_does_not_grow_with_the_number_of_questions(
    warehouse_server: WarehouseServer, warehouse: SnowflakeConnection
) -> None:
    process = psutil.Process(warehouse_server.process.pid)
    sql = "select repeat('x', 1000) || seq4() as x from table(generator(rowcount => 1000))"
    for _ in range(40):
        query(warehouse, sql)
    before = process.memory_info().rss
    for _ in range(120):
        query(warehouse, sql)
    assert process.memory_info().rss - before < 60_000_000  # each answer is a megabyte


def test_a_long_result_comes_in_the_order_that_was_asked_for(warehouse: SnowflakeConnection) -> None:
    rows = "select uniform(0, 1000000, random()) as n from table(generator(rowcount => 10000))"
    execute(warehouse, f"create or replace table RAW.NUMBERS as {rows}")
    for _ in range(10):
        numbers = [row["n"] for row in query(warehouse, "select n from RAW.NUMBERS order by n")]
        assert numbers == sorted(numbers)
    execute(warehouse, "drop table RAW.NUMBERS")


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_merge_is_part_of_its_transaction(warehouse: SnowflakeConnection, end: str) -> None:
    execute(warehouse, "create or replace table OPS.T (id integer, n integer)")
    execute(warehouse, "insert into OPS.T select 1, 10")
    execute(warehouse, "begin")
    merge = (
        "merge into OPS.T t using (select column1 as id, column2 as n from values (1, 11), (2, 22)) s on t.id = s.id "
        "when matched then update set t.n = s.n when not matched then insert (id, n) values (s.id, s.n)"
    )
    assert query(warehouse, merge) == [{"number of rows inserted": 1, "number of rows updated": 1}]
    execute(warehouse, end)
    found = [(row["id"], row["n"]) for row in query(warehouse, "select id, n from OPS.T order by id")]
    assert found == ([(1, 11), (2, 22)] if end == "commit" else [(1, 10)])


def test_a_merge_that_deletes_says_so(warehouse: SnowflakeConnection) -> None:
    execute(warehouse, "create or replace table OPS.T (id integer)")
    execute(warehouse, "insert into OPS.T select column1 from values (1), (2), (3)")
    merge = (
        "merge into OPS.T t using (select column1 as id from values (2), (3)) s on t.id = s.id "
        "when matched and s.id = 3 then delete"
    )
    assert query(warehouse, merge) == [{"number of rows deleted": 1}]


def test_a_session_that_is_closed_takes_back_what_it_had_begun(
    warehouse_server: WarehouseServer, warehouse: SnowflakeConnection
) -> None:
    apply_batch(warehouse, batch(event_row(0)))
    other = warehouse_server.connect()
    execute(other, "begin")
    execute(other, "delete from RAW.EVENTS")
    other.close()
    execute(warehouse, "delete from RAW.EVENTS")  # would be refused while another deletion is under way
    assert held(warehouse) == 0


def test_a_statement_refused_within_a_transaction_can_be_rolled_back(warehouse: SnowflakeConnection) -> None:
    execute(warehouse, "begin")
    with pytest.raises(WarehouseError):
        execute(warehouse, "select * from RAW.NOWHERE")
    execute(warehouse, "rollback")
    assert held(warehouse) == 0


class Session:
    """A session of the server, of which only its end matters."""

    closed = False

    def close(self) -> None:
        """End it."""
        self.closed = True


def test_sessions_that_are_silent_for_long_are_closed() -> None:
    silent, busy, new = Session(), Session(), Session()
    sessions: dict[str, Any] = {"silent": silent, "busy": busy, "new": new}
    seen = {"silent": time.monotonic() - 100, "busy": time.monotonic()}
    assert close_idle_sessions(sessions, seen, idle_seconds=50) == ["silent"]
    assert (silent.closed, busy.closed, new.closed) == (True, False, False)
    assert set(sessions) == set(seen) == {"busy", "new"}


def test_a_session_that_its_client_ends_this_moment_is_passed_over() -> None:
    class Ending(dict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            yield "gone"
            yield from super().__iter__()

    silent = Session()
    sessions, seen = Ending(silent=silent), {"gone": 0.0, "silent": 0.0}
    assert close_idle_sessions(sessions, seen, idle_seconds=0) == ["gone", "silent"]
    assert silent.closed and not seen


def test_of_too_many_sessions_those_are_closed_that_were_silent_for_longest() -> None:
    class Session:
        def close(self) -> None: ...

    now = time.monotonic()
    sessions: dict[str, Any] = {f"session-{number}": Session() for number in range(10)}
    seen = {name: now - number for number, name in enumerate(sessions)}
    assert close_idle_sessions(sessions, seen, idle_seconds=50, limit=7) == ["session-9", "session-8", "session-7"]
    assert set(sessions) == set(seen) == {f"session-{number}" for number in range(7)}


def test_old_files_on_stages_are_swept_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = tmp_path / "a" / "old.json", tmp_path / "b" / "new.json"
    for path in (old, new):
        path.parent.mkdir()
        path.write_text("{}")
    for path in (old, old.parent):
        os.utime(path, (time.time() - 100, time.time() - 100))
    sweep(tmp_path, older_than_seconds=50)
    sweep(tmp_path, older_than_seconds=50)
    assert new.exists()
    assert not old.exists()


def test_the_newest_answers_are_kept_and_older_ones_forgotten() -> None:
    kept: NewestEntries = NewestEntries(size=2)
    for number in range(5):
        kept[number] = number * 10
    assert dict(kept) == {3: 30, 4: 40}


def test_large_answers_are_forgotten_sooner_but_for_the_newest() -> None:
    class Table:
        nbytes = RESULT_BYTES_KEPT // 2 + 1

    kept: NewestEntries = NewestEntries(size=4)
    for number in range(4):
        kept[number] = (Table(), number)
    assert list(kept) == [3]


def test_it_leaves_no_folder_among_the_temporary_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    server = WarehouseServer(tmp_path / "home")
    try:
        server.start()
        assert not list(temporary.iterdir())
    finally:
        server.kill()
