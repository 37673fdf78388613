"""A damaged warehouse file is found before the warehouse answers, named, and refused with the cure."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from rtlib.config import Settings
from rtlib.errors import WarehouseDamaged
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.monitoring.monitor import Monitor
from rtlib.pipeline.monitoring.probe import Probe, ProbeFactory
from rtlib.records import Status
from rtlib.services.warehouse_file import FileWatch, unreadable_tables
from rtlib.warehouse.connection import Warehouse, query
from rtlib.warehouse.ingest import apply_batch
from rtlib.warehouse.migrations import migrate
from support.stack import until
from support.warehouse_file import BLOCK, HEADERS, attached, last_block, overwritten, overwritten_page
from support.warehouse_rows import batch, event_row
from support.warehouse_server import WarehouseServer

ROWS = 40_000


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file and a log, as a process leaves them that is killed: two tables, some rows in the log."""
    folder = tmp_path_factory.mktemp("killed")
    child = os.fork()
    if child == 0:
        connection = attached(folder / "RTLIB.db")
        connection.execute("create schema R.RAW; create schema R.OPS; create table R.RAW.EVENTS (id varchar, n bigint)")
        connection.execute(f"insert into R.RAW.EVENTS select uuid()::varchar, i from range({ROWS}) t(i)")
        connection.execute("create table R.OPS.ALERTS as select i as n, 'x' || i as k from range(500) t(i)")
        connection.execute("checkpoint R")
        for _ in range(10):
            connection.execute("insert into R.RAW.EVENTS select 'late', 0 from range(100)")
        os._exit(9)
    os.waitpid(child, 0)
    return folder


def copied(folder: Path, target: Path, harm: Callable[[Path, Path], None]) -> Path:
    """A copy of the folder, with harm done to the file and its log."""
    target.mkdir(exist_ok=True)
    for name in ("RTLIB.db", "RTLIB.db.wal"):
        (target / name).write_bytes((folder / name).read_bytes())
    harm(target / "RTLIB.db", target / "RTLIB.db.wal")
    return target


def opened(folder: Path) -> tuple[FileWatch, Any]:
    watch = FileWatch(folder, "R")
    (folder / "R.db").symlink_to(folder / "RTLIB.db")  # so that the watch finds its file
    return watch, watch.open(lambda: SimpleNamespace(duck_conn=attached(folder / "RTLIB.db")))


def cut(part: float) -> Callable[[Path, Path], None]:
    return lambda file, log: os.truncate(file, int(part * used(file)))


def cut_blocks(count: int) -> Callable[[Path, Path], None]:
    return lambda file, log: os.truncate(file, used(file) - count * BLOCK)


def used(file: Path) -> int:
    """Where the last block of a table ends; DuckDB may have free blocks behind it, which nobody would miss."""
    return HEADERS + (max(last_block(file, table) for table in ("RAW.EVENTS", "OPS.ALERTS")) + 1) * BLOCK


def page_of_events(file: Path, log: Path) -> None:
    overwritten_page(file, "RAW.EVENTS")


@pytest.mark.parametrize(
    "harm",
    [
        *(cut(part) for part in (0, 0.001, 0.1, 1 / 3, 0.5, 2 / 3, 0.9, 0.999)),
        cut_blocks(1),
        cut_blocks(2),
        overwritten(lambda size: 10),  # the file's own mark
        page_of_events,
        overwritten(lambda size: size // 2),
        overwritten(lambda size: size - 1_000),
    ],
)  # fmt: skip
def test_a_damaged_file_is_found_at_the_start_and_named_with_its_cure(
    killed: Path, tmp_path: Path, harm: Callable[[Path, Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    watch, instance = opened(copied(killed, tmp_path / "copy", harm))
    assert instance is None
    assert watch.damage.startswith("the warehouse's file is damaged: ")
    assert "R.db cannot be read" in watch.damage
    assert WarehouseDamaged.is_meant_by(watch.damage)
    assert "cure: rtlib rebuild warehouse" in caplog.text
    watch.close()
    assert not (tmp_path / "copy" / "clean").exists()


@pytest.mark.parametrize("at", [lambda size: 30, lambda size: size // 2])
def test_a_damaged_log_is_found_or_costs_whole_transactions_from_the_damage_on(
    killed: Path, tmp_path: Path, at: Callable[[int], int]
) -> None:
    """DuckDB takes some damage of its log for the end of a process that was killed while it wrote."""
    watch, instance = opened(copied(killed, tmp_path / "copy", overwritten(at, log=True)))
    if instance is None:
        assert "R.db cannot be read" in watch.damage
        return
    rows, late = instance.duck_conn.execute("select count(*), count_if(id = 'late') from R.RAW.EVENTS").fetchone()
    assert rows - late == ROWS and late in range(0, 1_000, 100)


def test_a_page_that_is_overwritten_names_the_table_it_belongs_to(killed: Path, tmp_path: Path) -> None:
    watch, _ = opened(copied(killed, tmp_path / "copy", page_of_events))
    assert "RAW.EVENTS in R.db" in watch.damage
    assert "OPS.ALERTS" not in watch.damage


def test_the_file_of_a_process_that_was_killed_is_read_once_and_how_long_that_took_is_logged(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(killed, tmp_path / "copy", lambda file, log: None)
    caplog.set_level(logging.INFO)
    watch, instance = opened(folder)
    assert instance.duck_conn.execute("select count(*) from R.RAW.EVENTS").fetchone() == (ROWS + 1_000,)
    assert "every table of R.db is readable; reading them took" in caplog.text
    watch.close()
    assert (folder / "clean").exists()


def test_after_a_clean_stop_nothing_is_read_and_the_next_stop_must_be_clean_again(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = copied(killed, tmp_path / "copy", page_of_events)
    (folder / "clean").write_text("")
    watch, instance = opened(folder)
    assert instance is not None
    assert watch.damage == ""
    assert not (folder / "clean").exists()


def test_a_log_without_its_end_loses_no_table_and_is_taken(killed: Path, tmp_path: Path) -> None:
    """What a kill leaves in the middle of a write: it was not committed, and DuckDB passes it over."""
    torn = copied(killed, tmp_path / "copy", lambda file, log: os.truncate(log, log.stat().st_size - 5))
    watch, instance = opened(torn)
    assert watch.damage == ""
    assert instance.duck_conn.execute("select count(*) from R.RAW.EVENTS").fetchone() == (ROWS + 900,)


def test_a_file_that_another_process_holds_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    def locked() -> Any:
        raise duckdb.IOException("IO Error: Could not set lock on file")

    with pytest.raises(duckdb.IOException, match="lock"):
        FileWatch(tmp_path, "R").open(locked)


def test_a_full_disk_is_not_taken_for_a_damaged_file() -> None:
    assert not WarehouseDamaged.is_meant_by("Failure while replaying WAL: No space left on device")


def test_every_column_is_read_and_not_only_counted(killed: Path, tmp_path: Path) -> None:
    folder = copied(killed, tmp_path / "copy", page_of_events)
    connection = attached(folder / "RTLIB.db")
    assert connection.execute("select count(*) from R.RAW.EVENTS").fetchone() == (ROWS + 1_000,)
    assert [table.table for table in unreadable_tables(connection, "R")] == ["RAW.EVENTS"]


def filled(server: WarehouseServer) -> None:
    connection = server.connect()
    migrate(connection)
    apply_batch(connection, batch(*(event_row(number) for number in range(5_000))))
    connection.close()
    server.stop()


def test_a_damaged_warehouse_runs_on_and_refuses_each_sign_in_with_the_cure(
    own_warehouse: Callable[[], WarehouseServer],
) -> None:
    server = own_warehouse()
    filled(server)
    (server.data / "clean").unlink()  # as if it had been killed
    os.truncate(server.data / "RTLIB.db", (server.data / "RTLIB.db").stat().st_size * 2 // 3)
    with pytest.raises(WarehouseDamaged, match="^the warehouse's file is damaged: ") as caught:
        server.start()
    assert caught.value.cure == "rtlib rebuild warehouse"
    with pytest.raises(WarehouseDamaged):
        health.warehouse(server.settings)
    with pytest.raises(WarehouseDamaged):
        Warehouse(server.settings).run(query, "select 1 as n")
    assert server.process.poll() is None
    server.stop()
    assert server.process.returncode == 0


def test_damage_that_a_query_meets_has_the_same_cure_and_is_named_from_then_on(
    own_warehouse: Callable[[], WarehouseServer],
) -> None:
    server = own_warehouse()
    filled(server)
    overwritten_page(server.data / "RTLIB.db", "RAW.EVENTS")
    server.start()
    assert health.warehouse(server.settings) == "answers a query"
    with pytest.raises(WarehouseDamaged, match="failed: ") as caught, server.connect() as connection:
        for table in ("RAW.EVENTS", "RAW.BATCHES"):
            query(connection, f"select * from {table}")
    assert caught.value.cure == "rtlib rebuild warehouse"
    with pytest.raises(WarehouseDamaged, match="RAW"):
        health.warehouse(server.settings)


def test_the_nodes_of_a_damaged_warehouse_name_the_table_and_the_cure() -> None:
    def unreadable(settings: Settings) -> Probe:
        raise WarehouseDamaged(f"the warehouse's file is damaged: RAW.EVENTS ({'x' * 400})", cure="rtlib rebuild")

    with Monitor(Settings(), {"warehouse": ProbeFactory(("speed", "dwh"), unreadable)}) as monitor:
        until(lambda: "dwh" in monitor.observations(), seconds=20)
        seen = monitor.observations()["dwh"]
    assert seen.status is Status.STOPPED
    assert "RAW.EVENTS" in seen.reason
    assert seen.reason.endswith("; cure: rtlib rebuild")
