"""Salvage: starts a new warehouse file with rows of a damaged file that exist nowhere else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
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

INTERRUPTED = "rebuild.interrupted"  # in the state folder, from the new file until the loader's offsets are reset
KEPT_FOLDER = "warehouse-damaged"  # in the state folder; holds the old file in a folder named by the time


@dataclass(frozen=True, slots=True)
class Salvage:
    """The result of a salvage.

    Attributes:
        kept: Where the old file is now; None when there was none.
        rows: Table to its number of rows in the old file's catalog; empty when the catalog is unreadable.
        carried: Table to the number of rows copied to the new file.
        lost: Table to the reason why none of its rows could be copied.
    """

    kept: Path | None
    rows: Mapping[str, int] = field(default_factory=dict)
    carried: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, str] = field(default_factory=dict)


def replace_file(home: Path, conditions: Mapping[str, str], *, together: Sequence[str] = ()) -> Salvage:
    """Move the warehouse's files aside and start new ones; no process may have them open.

    One set of old files is kept. If an earlier attempt was interrupted after the move, the files it kept are used.

    Args:
        home: The state folder.
        conditions: Table (``OPS.ALERTS``) to the SQL condition of the rows to copy.
        together: Tables that mean something only together: if one is unreadable, none is copied.

    Raises:
        OSError: The disk is full, or the folder cannot be written.
    """
    live, draft, aside = home / "warehouse", home / "warehouse-new", home / KEPT_FOLDER
    shutil.rmtree(draft, ignore_errors=True)
    private.make_folder(draft)
    has_file = (live / f"{DATABASE}.db").exists()
    source = live if has_file else max(aside.glob("*"), default=None)
    rows, carried, lost = _copy(source, draft, conditions, together) if source else ({}, {}, {})
    if has_file:
        shutil.rmtree(aside, ignore_errors=True)
        private.make_folder(aside)
        source = live.rename(aside / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}")
    shutil.rmtree(live, ignore_errors=True)
    draft.rename(live)
    private.sync_folder(home)
    return Salvage(source, rows, carried, lost)


def _copy(
    source: Path, draft: Path, conditions: Mapping[str, str], together: Sequence[str]
) -> tuple[dict[str, int], dict[str, int], dict[str, str]]:
    import duckdb

    limits: dict[str, Any] = {"memory_limit": f"{MEMORY_MB}MB", "threads": THREADS}
    carried: dict[str, int] = {}
    with duckdb.connect(config=limits) as connection:
        try:
            _attach(connection, source / f"{DATABASE}.db")
            rows = {f"{schema}.{table}": count for schema, table, count in tables(connection, "old")}
        except duckdb.Error as error:
            return {}, {}, dict.fromkeys(conditions, " ".join(str(error).split())[:200])
        lost: dict[str, str] = {}
        connection.execute(f"attach '{_escaped(draft / f'{DATABASE}.db')}' as new")
        for name in (table for table in conditions if table in rows):
            try:
                carried[name] = _copy_table(connection, name, conditions[name])
            except duckdb.Error as error:
                lost[name] = " ".join(str(error).split())[:200]
                if not WarehouseDamaged.is_meant_by(str(error)):
                    raise
        if reasons := [lost[name] for name in together if name in lost]:
            for name in (name for name in together if carried.pop(name, None) is not None):
                connection.execute(f"drop table new.{name}")
                lost[name] = reasons[0]
        connection.execute("checkpoint new")
        connection.execute("detach new")
    return rows, carried, lost


def _attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Attach the old file read-only; without its log if the log is torn."""
    import duckdb

    try:
        connection.execute(f"attach '{_escaped(file)}' as old (read_only)")
    except duckdb.Error as error:
        if "WAL" not in str(error):
            raise
        folder = Path(tempfile.mkdtemp(dir=file.parent))
        try:
            (folder / file.name).hardlink_to(file)  # in another folder there is no log beside it
            connection.execute(f"attach '{_escaped(folder / file.name)}' as old (read_only)")
        finally:
            shutil.rmtree(folder)


def _copy_table(connection: duckdb.DuckDBPyConnection, name: str, condition: str) -> int:
    """Copy the matching rows of a table in one transaction; returns their number."""
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


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
