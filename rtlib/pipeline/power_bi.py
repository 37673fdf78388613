"""BI: the Power BI project over this warehouse: made of dbt's manifest, checked, and its rows written to files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib import private, transform
from rtlib.bi import MEASURES, PAGES, TABLES, Column, Table, Visual, outdated, problems, with_columns
from rtlib.bi import build as build_project
from rtlib.bi.forms import copied, published
from rtlib.bi.project import VARIANTS
from rtlib.config import Settings, project_root
from rtlib.errors import ConfigError, WarehouseUnreachable
from rtlib.warehouse.connection import connect, query
from rtlib.warehouse.migrations import columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build", "exists", "export", "folder", "last_export", "missing", "real", "rows", "tables", "validate"]


def folder() -> Path:
    """Where the project is kept."""
    return project_root() / "powerbi"


def tables(settings: Settings) -> tuple[Table, ...]:
    """The tables of the model, with the columns that dbt's manifest says the marts have, and its words for the others.

    Raises:
        ConfigError: dbt cannot read its project.
    """
    told = transform.columns(settings, [one.relation.lower() for one in TABLES])
    known = {name: tuple(Column(*one) for one in columns) for name, columns in told.items()}
    return with_columns(known)


def real(settings: Settings, told: tuple[Table, ...]) -> tuple[tuple[Table, ...], list[str]]:
    """The tables without the columns that their SQL does not give, and these columns in words.

    Marts and staging views are asked by the last SELECT of their dbt model, seeds by their files, and what the alerting
    service writes by the migrations that make its table. A column counts that is both promised and given.

    Args:
        settings: Whose dbt project; it was parsed a moment ago, for ``told``.
        told: The tables as dbt's manifest and the description of the report have them.
    """
    given = transform.columns_by_sql(settings, [one.relation.lower() for one in told], fresh=True)
    known = {one.name: given.get(one.relation.lower()) or columns(f"{one.schema}.{one.relation}") for one in told}
    kept, wrong = [], []
    for table in told:
        there = known[table.name] or tuple(one.name for one in table.columns)
        lost = [one.name for one in table.columns if one.name not in there]
        wrong += [f"{table.name}.{name} is promised, and {_maker(table)} gives none (but {_listed(there)})"
                  for name in lost]  # fmt: skip
        kept.append(replace(table, columns=tuple(one for one in table.columns if one.name not in lost)))
    return tuple(kept), wrong


def _maker(table: Table) -> str:
    if table.schema == "SEEDS":
        return f"dbt/seeds/{table.relation.lower()}.csv"
    return f"{table.relation.lower()}.sql" if table.schema in ("MARTS", "STAGING") else "rtlib/warehouse/sql"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def build(settings: Settings, *, to: Path | None = None) -> list[str]:
    """Write the project; returns its files."""
    return build_project(to or folder(), tables(settings))


def validate(settings: Settings, *, of: Path | None = None, schemas: Path | None = None) -> list[str]:
    """Everything that is wrong with the project as it is on disk, in words; no warehouse is asked.

    Args:
        settings: Whose dbt project says which columns there are: its YAML and its SQL have to agree.
        of: The project's folder.
        schemas: A copy of the published schemas, as they lie below ``json-schemas``; without it those that a package
            carries are taken (``rtlib.bi.forms``).

    Raises:
        ConfigError: There is no project there.
    """
    place, told = of or folder(), tables(settings)
    there = {
        path.relative_to(place).as_posix(): path.read_text(encoding="utf-8")
        for name in VARIANTS
        for path in [*place.glob(f"{name}.pbip"), *place.glob(f"{name}.*/**/*")]
        if path.is_file() and ".pbi" not in path.parts
    }
    if not there:
        raise ConfigError(f"there is no Power BI project in {place}", cure="rtlib bi build")
    changed = [f"{path}: not as 'rtlib bi build' writes it" for path in outdated(place, told)]
    kept, wrong = real(settings, told)
    return [*wrong, *problems(there, kept, schemas=copied(schemas) if schemas else published()), *changed]


def missing(settings: Settings) -> list[str] | None:
    """What the warehouse itself has not of the model's columns, in words; None where no warehouse answers.

    A table that was not built yet is no problem of the report, and is passed over.
    """
    try:
        return [f"{one} is not in the warehouse: rtlib dbt build" for one in exists(settings, built=True)]
    except WarehouseUnreachable:
        return None


def export(settings: Settings, *, to: Path) -> Iterator[tuple[str, int]]:
    """Write each table to a Parquet file, for people without Snowflake; tells each table with its rows.

    When it is done, the graph's node says when that was and how many rows there are.

    Raises:
        WarehouseError: The warehouse does not answer, or a table is not there: ``rtlib dbt build`` makes the marts.
    """
    import pandas as pd

    to.mkdir(parents=True, exist_ok=True)
    total, connection = 0, connect(settings)
    try:
        for table in tables(settings):
            names = [one.name for one in table.columns]
            told = query(connection, f"select {', '.join(names)} from {table.schema}.{table.relation}")
            frame = pd.DataFrame(told, columns=names)
            frame.to_parquet(to / f"{table.name}.parquet", index=False)
            total += len(frame)
            yield table.name, len(frame)
    finally:
        connection.close()
    private.make_folder(_note(settings).parent)
    private.write(_note(settings), json.dumps({"at": datetime.now(UTC).isoformat(), "rows": total}))


@dataclass(frozen=True, slots=True)
class Export:
    """When rows were last exported (UTC), and how many."""

    at: datetime
    rows: int


def last_export(settings: Settings) -> Export | None:
    """The newest export; None before the first."""
    if not _note(settings).exists():
        return None
    content = json.loads(_note(settings).read_text())
    return Export(datetime.fromisoformat(content["at"]), content["rows"])


def _note(settings: Settings) -> Path:
    return settings.home / "bi" / "export.json"


def exists(settings: Settings, *, built: bool = False) -> list[str]:
    """The columns of the model that the warehouse does not have, as ``table.column``.

    Args:
        settings: Which warehouse.
        built: Ask only of tables that are there.

    Raises:
        WarehouseError: The warehouse does not answer.
    """
    connection = connect(settings)
    try:
        there = {
            (row["table_schema"].upper(), row["table_name"].upper(), row["column_name"].lower())
            for row in query(connection, "select table_schema, table_name, column_name from information_schema.columns")
        }
    finally:
        connection.close()
    return [
        f"{table.name}.{column.name}"
        for table in tables(settings)
        for column in table.columns
        if (table.schema, table.relation, column.name) not in there
        and not (built and (table.schema, table.relation) not in {one[:2] for one in there})
    ]


def rows(settings: Settings, visual: Visual) -> pd.DataFrame:
    """What a visual shows, asked of the warehouse by the same measures: a column for each of its parts.

    Where its page has a slicer over the same table, the first of the slicer's values is chosen.

    Raises:
        WarehouseError: The warehouse does not answer, or a table is not there.
    """
    import pandas as pd

    table = next(one for one in TABLES if one.name == visual.table)
    split = [one for one in (visual.category, visual.series, *visual.columns) if one]
    measured = [(one.sql, one.name) for one in MEASURES if one.name in visual.measures]
    chosen = ", ".join([*split, *(f'{sql} as "{name}"' for sql, name in measured)])
    grouped = f" group by {', '.join(split)} order by {', '.join(split)}" if split and measured else ""
    relation = f"{table.schema}.{table.relation}"
    slicers = [] if visual.kind == "slicer" else _slicers(visual)
    first = " and ".join(f"{one} = (select min({one}) from {relation})" for one in slicers)
    connection = connect(settings)
    try:
        where = f" where {first}" if first else ""
        each = "distinct " if visual.kind == "slicer" else ""
        told = query(connection, f"select {each}{chosen} from {relation} as {table.name}{where}{grouped}")
    finally:
        connection.close()
    frame = pd.DataFrame(told)
    return frame.rename(columns={name.lower(): name for _, name in measured})


def _slicers(visual: Visual) -> list[str]:
    """The columns of its table by which the slicers of its page choose."""
    page = next(one for one in PAGES if visual in one.visuals)
    return [one.category for one in page.visuals if one.kind == "slicer" and one.table == visual.table and one.category]
