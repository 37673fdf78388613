from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from snowflake.connector import SnowflakeConnection
from sqlglot import exp

from rtlib.errors import WarehouseError
from rtlib.warehouse import connection as seam
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.ingest import apply_batch, backfill
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.migrations import FOLDER, migrate, migrations, statements
from rtlib.warehouse.reads import counts, current, freshness, latest_kpis, rejected_reasons
from rtlib.warehouse.windows import compare_windows
from support.warehouse_rows import batch, event_row, kpi, rejected_row
from support.warehouse_server import WarehouseServer

TABLES = {"RAW.EVENTS", "RAW.REJECTED", "RAW.BATCHES", "SPEED.KPIS", "SPEED.BATCHES", "OPS.MIGRATIONS"}


def parsed(statement: str) -> exp.Expr:
    """The statement as Snowflake's dialect has it; what sqlglot cannot read, or only passes on, is an error."""
    tree = sqlglot.parse_one(statement, read="snowflake")
    assert not isinstance(tree, exp.Command), f"not understood: {statement}"
    return tree


def test_a_new_warehouse_gets_every_migration_and_then_nothing(own_warehouse: Callable[[], WarehouseServer]) -> None:
    connection = own_warehouse().connect()
    assert migrate(connection) == [one.version for one in migrations()]
    assert migrate(connection) == []
    sql = "select table_schema as s, table_name as t from information_schema.tables where table_schema <> 'main'"
    assert {f"{row['s']}.{row['t']}" for row in query(connection, sql)} >= TABLES


def test_a_migration_that_stopped_half_way_is_finished(
    own_warehouse: Callable[[], WarehouseServer], tmp_path: Path
) -> None:
    connection = own_warehouse().connect()
    folder = tmp_path / "sql"
    folder.mkdir()
    whole = "create schema if not exists S;\ncreate table if not exists S.T (n integer);\n"
    (folder / "V001__t.sql").write_text(whole + "create broken;\n")
    with pytest.raises(WarehouseError, match="create broken"):
        migrate(connection, folder=folder)
    (folder / "V001__t.sql").write_text(whole)
    assert migrate(connection, folder=folder) == ["V001"]


def test_a_migration_edited_after_it_was_applied_is_an_error(
    own_warehouse: Callable[[], WarehouseServer], tmp_path: Path
) -> None:
    connection = own_warehouse().connect()
    folder = tmp_path / "sql"
    folder.mkdir()
    file = folder / "V001__s.sql"
    file.write_text("create schema if not exists S;\n")
    migrate(connection, folder=folder)
    file.write_text("create schema if not exists R;\n")
    with pytest.raises(WarehouseError, match="V001 was edited") as caught:
        migrate(connection, folder=folder)
    assert "new migration" in caught.value.cure


def test_statements_are_split_where_a_line_ends_with_a_semicolon() -> None:
    sql = "-- a; comment\nselect ';' as a;\nselect 2\n  as b;\n\n"
    assert statements(sql) == ["select ';' as a", "select 2\n  as b"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.name)
def test_every_migration_is_snowflakes_sql_and_may_run_twice(path: Path) -> None:
    assert path.stem.partition("__")[1] == "__"
    found = statements(path.read_text() + "\n")
    assert found
    for statement in found:
        parsed(statement)
        assert "if not exists" in statement.lower()


def test_every_statement_of_the_layer_is_snowflakes_sql(
    warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run = seam._run

    def notify(connection: SnowflakeConnection, sql: str, parameters: Any) -> Any:
        told.append(sql)
        return run(connection, sql, parameters)

    monkeypatch.setattr(seam, "_run", notify)
    migrate(warehouse)
    execute(warehouse, "use schema OPS")
    apply_batch(warehouse, batch(event_row(1), rejected=(rejected_row(1),)))
    backfill(warehouse, [], domain="curbside")
    merge_kpis(warehouse, [kpi()])
    latest_kpis(warehouse, "curbside")
    current(warehouse, "curbside")
    freshness(warehouse, "curbside")
    counts(warehouse, "curbside")
    rejected_reasons(warehouse, "curbside")
    compare_windows(warehouse, "curbside")
    kinds = {type(parsed(sql)) for sql in told}
    assert {exp.Insert, exp.Merge, exp.Put, exp.Copy, exp.Select, exp.Transaction, exp.Commit, exp.Use} <= kinds
