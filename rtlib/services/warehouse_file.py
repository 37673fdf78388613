"""Warehouse file: is the local warehouse's DuckDB file readable from its first to its last page?

DuckDB reads a page when a query needs it, so a file that was cut short or overwritten answers ``select 1`` for weeks.
After a stop that was not clean every table is read once, and DuckDB compares the checksum of each page. A damaged
warehouse goes on to run, as a process that refuses every sign-in with the name of the table and the cure: a process
that ended would be restarted for ever.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib import private
from rtlib.errors import WarehouseDamaged

if TYPE_CHECKING:
    import duckdb

LOG = logging.getLogger(__name__)
LOG.setLevel(logging.INFO)
CLEAN = "clean"  # the file that a clean stop leaves behind


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A table that cannot be read to its end, and DuckDB's reason."""

    table: str
    reason: str


def unreadable_tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[Unreadable]:
    """Read every column of every table once; needs no more memory for a large table than for a small one.

    Args:
        connection: Has the database attached; its limits of memory and threads hold.
        database: The name by which it is attached.
    """
    import duckdb

    found = []
    for schema, table, _ in tables(connection, database):
        try:
            # The hash makes DuckDB read each column; a plain count is answered from the table's statistics.
            connection.execute(f'select bit_xor(hash(t)) from {database}."{schema}"."{table}" t').fetchone()
        except duckdb.Error as error:
            if WarehouseDamaged.is_meant_by(str(error)):
                found.append(Unreadable(f"{schema}.{table}", _first_line(error)))
            else:
                LOG.warning("%s.%s could not be checked: %s", schema, table, _first_line(error))
    return found


def tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str, int]]:
    """Schema, name and number of rows of each table, as its catalog has them; reads no page of a table."""
    sql = (
        "select schema_name, table_name, estimated_size from duckdb_tables() "
        "where database_name = ? and not starts_with(schema_name, '_fs_') order by all"
    )
    return connection.execute(sql, [database]).fetchall()


class FileWatch:
    """Opens the warehouse's file, knows whether it is damaged, and refuses sign-ins while it is.

    Args:
        data: The folder of the file.
        database: Its name, without the ``.db``.
    """

    def __init__(self, data: Path, database: str) -> None:
        self._data, self._database = data, database
        self._lock = threading.Lock()
        self._instance: Any = None
        self.damage = ""

    def open(self, opened: Callable[[], Any]) -> Any:
        """What ``opened`` returns (a FakeSnow); None when the file is damaged.

        Raises:
            duckdb.Error: The file cannot be opened for another reason: another process has it.
        """
        import duckdb

        private.make_folder(self._data)
        clean = not (self._data / f"{self._database}.db").exists() or (self._data / CLEAN).exists()
        (self._data / CLEAN).unlink(missing_ok=True)
        private.sync_folder(self._data)  # after a power cut the file must not be there again
        try:
            self._instance = opened()
        except duckdb.Error as error:
            if not WarehouseDamaged.is_meant_by(str(error)):
                raise
            self._refuse(f"{self._database}.db", _first_line(error))
            return None
        if not clean:
            LOG.info("the last stop was not clean: every table is read once")
            self._read_all()
        if self.damage:
            self._close()
        return self._instance

    def close(self) -> None:
        """Write everything to the file and close it; the next start then need not read the tables."""
        if self._instance is None:
            return
        if not self.damage:
            self._instance.duck_conn.execute(f"CHECKPOINT {self._database}")
        damaged = self.damage
        self._close()
        if not damaged:
            private.write(self._data / CLEAN, "")

    def noting_damage(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """The cursor's ``execute``; when a statement meets a damaged page, every table is read and the damage named."""

        def execute_and_note(*args: Any, **kwargs: Any) -> Any:
            try:
                return execute(*args, **kwargs)
            except Exception as error:
                if WarehouseDamaged.is_meant_by(str(error)):
                    self._read_all()
                raise

        return execute_and_note

    def _read_all(self) -> None:
        with self._lock:
            if self.damage:
                return
            began = time.monotonic()
            found = unreadable_tables(self._instance.duck_conn.cursor(), self._database)
            took = time.monotonic() - began
            if found:
                names = ", ".join(one.table for one in found)
                self._refuse(f"{names} in {self._database}.db", found[0].reason)
            else:
                LOG.info("every table of %s.db is readable; reading them took %.2f s", self._database, took)

    def _refuse(self, what: str, reason: str) -> None:
        self.damage = f"the warehouse's file is damaged: {what} cannot be read ({reason})"
        LOG.error("%s; every sign-in is refused; cure: %s", self.damage, WarehouseDamaged.CURE)

    def _close(self) -> None:
        """Close the file; a damaged one stays as it is, so that what is readable in it can still be read."""
        instance, self._instance = self._instance, None
        if self.damage:
            import duckdb

            with suppress(duckdb.Error):  # the configuration may be locked
                instance.duck_conn.execute("PRAGMA disable_checkpoint_on_shutdown")
        instance.duck_conn.close()


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
