"""A new warehouse file begins with what is readable in the old one, which is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from rtlib.services.warehouse_salvage import Salvage, replace_file
from support.warehouse_file import overwritten_page

WANTED = {"OPS.ALERTS": "n >= 100", "SPEED.BATCHES": "true", "OPS.ALERT_MUTES": "true"}
Harm = Callable[[Path], None]


def a_home(folder: Path, harm: Harm = lambda data: None) -> Path:
    """A state folder whose warehouse was killed, and then harmed."""
    data = folder / "warehouse"
    data.mkdir(parents=True)
    child = os.fork()
    if child == 0:
        with duckdb.connect() as connection:
            connection.execute(f"attach '{data / 'RTLIB.db'}' as R")
            connection.execute("create schema R.OPS; create schema R.SPEED; create schema R.RAW")
            connection.execute("create table R.OPS.ALERTS (n bigint not null, card varchar)")
            connection.execute("insert into R.OPS.ALERTS select i, 'card ' || i from range(30000) t(i)")
            connection.execute("create table R.SPEED.BATCHES as select i as n from range(40000) t(i)")
            connection.execute("create table R.RAW.EVENTS as select i as n from range(7) t(i)")
            connection.execute("checkpoint R")
            connection.execute("insert into R.OPS.ALERTS values (30000, 'in the log')")
            os._exit(9)
    os.waitpid(child, 0)
    harm(data)
    return folder


def rows(home: Path, table: str) -> int:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home / 'warehouse' / 'RTLIB.db'}' as R (read_only)")
        (count,) = connection.execute(f"select count(*) from R.{table}").fetchone() or (None,)
    assert count is not None
    return int(count)


def test_what_is_wanted_is_carried_over_and_the_old_file_is_kept_in_one_dated_folder(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    found = replace_file(home, WANTED)
    assert found.rows == {"OPS.ALERTS": 30_001, "RAW.EVENTS": 7, "SPEED.BATCHES": 40_000}
    assert found.carried == {"OPS.ALERTS": 29_901, "SPEED.BATCHES": 40_000}
    assert found.lost == {}
    assert found.kept is not None
    assert (found.kept / "RTLIB.db").is_file()
    assert found.kept.parent == home / "warehouse-damaged"
    assert rows(home, "OPS.ALERTS") == 29_901
    assert not (home / "warehouse-new").exists()
    assert (home / "warehouse").stat().st_mode & 0o777 == 0o700


def test_a_column_that_must_have_a_value_must_have_one_in_the_new_file_too(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    replace_file(home, WANTED)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{home / 'warehouse' / 'RTLIB.db'}' as R")
        with pytest.raises(duckdb.ConstraintException, match="NOT NULL"):
            connection.execute("insert into R.OPS.ALERTS values (null, 'x')")


def test_a_table_with_a_damaged_page_is_named_and_the_others_are_carried_over(tmp_path: Path) -> None:
    home = a_home(tmp_path, lambda data: overwritten_page(data / "RTLIB.db", "SPEED.BATCHES"))
    found = replace_file(home, WANTED)
    assert "Corrupt database file" in found.lost["SPEED.BATCHES"]
    assert found.carried == {"OPS.ALERTS": 29_901}
    assert rows(home, "OPS.ALERTS") == 29_901


def torn_log(data: Path) -> None:
    log = data / "RTLIB.db.wal"
    log.write_bytes(log.read_bytes()[:30] + bytes(200))


def test_a_torn_log_is_left_out_and_what_the_file_holds_is_carried_over(tmp_path: Path) -> None:
    found = replace_file(a_home(tmp_path, torn_log), WANTED)
    assert found.carried["OPS.ALERTS"] == 29_900
    assert found.lost == {}


def test_of_a_file_that_cannot_be_opened_everything_wanted_is_lost_with_the_reason(tmp_path: Path) -> None:
    home = a_home(tmp_path, lambda data: os.truncate(data / "RTLIB.db", 9_000))
    found = replace_file(home, WANTED)
    assert (found.rows, found.carried, set(found.lost)) == ({}, {}, set(WANTED))
    assert all("Could not read enough bytes" in reason for reason in found.lost.values())
    assert found.kept is not None
    assert not (home / "warehouse" / "RTLIB.db").exists()


def test_a_second_rebuild_keeps_the_newer_old_file_alone(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    first = replace_file(home, WANTED)
    assert first.kept is not None
    first.kept.rename(first.kept.with_name("2026-01-01T000000Z"))
    second = replace_file(home, WANTED)
    assert [path.name for path in (home / "warehouse-damaged").iterdir()] == [second.kept.name if second.kept else ""]
    assert second.carried["OPS.ALERTS"] == 29_901


def test_an_attempt_that_was_cut_short_after_the_move_reads_the_kept_file_again(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    (home / "warehouse-damaged").mkdir()
    (home / "warehouse").rename(home / "warehouse-damaged" / "2026-01-01T000000Z")
    found = replace_file(home, WANTED)
    assert found.carried["OPS.ALERTS"] == 29_901
    assert found.kept == home / "warehouse-damaged" / "2026-01-01T000000Z"


def test_without_any_file_a_new_warehouse_is_empty(tmp_path: Path) -> None:
    assert replace_file(tmp_path, WANTED) == Salvage(None)
    assert list((tmp_path / "warehouse").iterdir()) == []
