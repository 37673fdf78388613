"""Salvage: begin a new warehouse file with what is still readable in a damaged one and can be had from nowhere else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib import private
from rtlib.errors import WarehouseDamaged
from rtlib.services.fakesnow import DATABASE, MEMORY_MB, THREADS
from rtlib.services.warehouse_file import tables

if TYPE_CHECKING:
    import duckdb

KEPT = "warehouse-damaged"  # in the state folder: the file as it was found, in a folder named by the moment


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was found in the old file.

    Attributes:
        kept: Where the old file is now; None when there was none.
        rows: Table to its rows by the old file's catalog; empty when not even that is readable.
        carried: Table to the rows that the new file has from it.
        lost: Table to why nothing of it could be carried over.
    """

    kept: Path | None
    rows: Mapping[str, int] = field(default_factory=dict)
    carried: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)


def replace_file(home: Path, wanted: Mapping[str, str]) -> Salvage:
    """Move the warehouse's files aside and begin new ones; no process may have them open.

    One set of old files is kept. Where an earlier attempt was cut short after the move, those it kept are read again.

    Args:
        home: The state folder.
        wanted: Table (``OPS.ALERTS``) to the condition of the rows that are carried over.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    live, draft, aside = home / "warehouse", home / "warehouse-new", home / KEPT
    shutil.rmtree(draft, ignore_errors=True)
    private.make_folder(draft)
    there = (live / f"{DATABASE}.db").exists()
    source = live if there else max(aside.glob("*"), default=None)
    rows, carried, lost = _copied(source, draft, wanted) if source else ({}, {}, {})
    if there:
        shutil.rmtree(aside, ignore_errors=True)
        private.make_folder(aside)
        source = live.rename(aside / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}")
    shutil.rmtree(live, ignore_errors=True)
    draft.rename(live)
    private.sync_folder(home)
    return Salvage(source, rows, carried, lost)


def _copied(
    source: Path, draft: Path, wanted: Mapping[str, str]
) -> tuple[dict[str, int], dict[str, int], dict[str, str]]:
    import duckdb

    limits: dict[str, Any] = {"memory_limit": f"{MEMORY_MB}MB", "threads": THREADS}
    carried: dict[str, int] = {}
    with duckdb.connect(config=limits) as connection:
        try:
            _attach(connection, source / f"{DATABASE}.db")
            rows = {f"{schema}.{table}": count for schema, table, count in tables(connection, "old")}
        except duckdb.Error as error:
            return {}, {}, dict.fromkeys(wanted, " ".join(str(error).split())[:200])
        lost: dict[str, str] = {}
        connection.execute(f"attach '{_text(draft / f'{DATABASE}.db')}' as new")
        for name in (one for one in wanted if one in rows):
            try:
                carried[name] = _carry(connection, name, wanted[name])
            except duckdb.Error as error:
                lost[name] = " ".join(str(error).split())[:200]
                if not WarehouseDamaged.is_meant_by(str(error)):
                    raise
        connection.execute("checkpoint new")
        connection.execute("detach new")
    return rows, carried, lost


def _attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Attach the old file to read it; without its log, if that is what is torn."""
    import duckdb

    try:
        connection.execute(f"attach '{_text(file)}' as old (read_only)")
    except duckdb.Error as error:
        if "WAL" not in str(error):
            raise
        folder = Path(tempfile.mkdtemp(dir=file.parent))
        try:
            (folder / file.name).hardlink_to(file)  # under another name no log lies beside it
            connection.execute(f"attach '{_text(folder / file.name)}' as old (read_only)")
        finally:
            shutil.rmtree(folder)


def _carry(connection: duckdb.DuckDBPyConnection, name: str, condition: str) -> int:
    """Copy the rows of a table that fulfil the condition, in one transaction; returns how many."""
    import duckdb

    schema, table = name.split(".")
    connection.execute(f'create schema if not exists new."{schema}"')
    connection.execute("begin")
    try:
        target = f'new."{schema}"."{table}"'
        connection.execute(f'create table {target} as from old."{schema}"."{table}" where {condition}')
        for (column,) in connection.execute(_REQUIRED, [schema, table]).fetchall():
            connection.execute(f'alter table {target} alter column "{column}" set not null')
        connection.execute("commit")
    except duckdb.Error:
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise
    (count,) = connection.execute(f"select count(*) from {target}").fetchone() or (0,)
    return int(count)


_REQUIRED = (
    "select column_name from duckdb_columns() "
    "where database_name = 'old' and schema_name = ? and table_name = ? and not is_nullable"
)


def _text(path: Path) -> str:
    return str(path).replace("'", "''")
