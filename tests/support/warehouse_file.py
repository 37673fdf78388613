"""Damage to a warehouse's file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

HEADERS, BLOCK = 3 * 4096, 256 * 1024  # DuckDB's file: three headers, then blocks with a checksum each


def attached(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"memory_limit": "160MB", "threads": 2})
    connection.execute(f"attach '{path}' as R")
    return connection


def last_block(file: Path, table: str) -> int:
    with attached(file) as connection:
        found = connection.execute("select max(block_id) from pragma_storage_info(?)", [f"R.{table}"]).fetchone()
    assert found is not None
    return int(found[0])


def overwritten(at: Callable[[int], int], *, log: bool = False) -> Callable[[Path, Path], None]:
    def harm(file: Path, its_log: Path) -> None:
        victim = its_log if log else file
        with victim.open("r+b") as opened_file:
            opened_file.seek(at(victim.stat().st_size))
            before = opened_file.read(8)
            opened_file.seek(at(victim.stat().st_size))
            opened_file.write(bytes(255 - byte for byte in before))

    return harm


def overwritten_page(file: Path, table: str) -> None:
    """Overwrite eight bytes of a page of this table."""
    block = last_block(file, table)
    overwritten(lambda size: HEADERS + block * BLOCK + 100)(file, file)
