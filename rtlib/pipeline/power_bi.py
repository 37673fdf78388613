"""Power BI: the project over this warehouse, built from dbt's manifest and validated, and its rows exported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib import private, transform
from rtlib.bi import MEASURES, PAGES, TABLES, Column, Table, Visual, outdated, problems, with_columns
from rtlib.bi import build as build_project
from rtlib.bi.forms import copied, published
from rtlib.bi.project import FILES, on_disk
from rtlib.config import Settings, project_root
from rtlib.errors import ConfigError, WarehouseUnreachable
from rtlib.pipeline.runs import recorded
from rtlib.records import BatchJob
from rtlib.warehouse.connection import connect, query
from rtlib.warehouse.migrations import columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build", "exists", "export", "folder", "last_export", "missing", "real", "rows", "tables", "validate"]


def folder() -> Path:
    """The folder of the project."""
    return project_root() / "powerbi"


def tables(settings: Settings) -> tuple[Table, ...]:
    """The tables of the model, with the columns of the marts and the descriptions from dbt's manifest.

    Raises:
        ConfigError: dbt cannot read its project.
    """
    declared = transform.columns(settings, [table.relation.lower() for table in TABLES])
    return with_columns({name: tuple(Column(*column) for column in columns) for name, columns in declared.items()})


def real(settings: Settings, declared: tuple[Table, ...]) -> tuple[tuple[Table, ...], list[str]]:
    """The tables without the columns that their SQL does not return, and an error for each such column.

    The columns of marts and staging views come from the last SELECT of their dbt model, those of seeds from their
    files, and those of the table of alerts from its migrations.

    Args:
        settings: The state folder, in which the manifest behind ``declared`` was just written.
        declared: The tables as dbt's manifest and the description of the report declare them.
    """
    by_sql = transform.columns_by_sql(settings, [table.relation.lower() for table in declared], fresh=True)
    kept, errors = [], []
    for table in declared:
        names = tuple(column.name for column in table.columns)
        actual = by_sql.get(table.relation.lower()) or columns(f"{table.schema}.{table.relation}") or names
        absent = [name for name in names if name not in actual]
        errors += [f"{table.name}.{name} is declared, and {_source(table)} does not return it (but {', '.join(actual)})"
                   for name in absent]  # fmt: skip
        kept.append(replace(table, columns=tuple(column for column in table.columns if column.name not in absent)))
    return tuple(kept), errors


def _source(table: Table) -> str:
    """The file that defines the columns of a table."""
    if table.schema == "SEEDS":
        return f"dbt/seeds/{table.relation.lower()}.csv"
    return f"{table.relation.lower()}.sql" if table.schema in ("MARTS", "STAGING") else "rtlib/warehouse/sql"


def build(settings: Settings, *, to: Path | None = None) -> list[str]:
    """Write the project that queries Snowflake, and return its files."""
    return build_project(to or folder(), tables(settings))


def validate(settings: Settings, *, of: Path | None = None, schemas: Path | None = None) -> list[str]:
    """Every error in the project on disk, without a query to the warehouse.

    Args:
        settings: The state folder; the YAML and the SQL of its dbt project have to agree on the columns.
        of: The folder of the project.
        schemas: A copy of the published schemas, from the folder ``json-schemas`` on; by default the schemas in an
            installed package (``rtlib.bi.forms``).

    Raises:
        ConfigError: The folder contains no project.
    """
    place, declared = of or folder(), tables(settings)
    texts = on_disk(place)
    if not texts:
        raise ConfigError(f"there is no Power BI project in {place}", cure="rtlib bi build")
    changed = [f"{path}: not as rtlib writes it; cure: rtlib bi build" for path in outdated(place, declared)]
    kept, errors = real(settings, declared)
    return [*errors, *problems(texts, kept, schemas=copied(schemas) if schemas else published()), *changed]


def missing(settings: Settings) -> list[str] | None:
    """The columns of the model that the warehouse lacks, in words; None if no warehouse answers.

    Tables that are not built yet are skipped.
    """
    try:
        return [f"{column} is not in the warehouse: rtlib dbt build" for column in exists(settings, built=True)]
    except WarehouseUnreachable:
        return None


def export(settings: Settings, *, to: Path, validated: bool = False) -> Iterator[tuple[str, int]]:
    """Write each table to a Parquet file, and beside them the report that reads these files, without Snowflake.

    Afterwards the graph's node shows the time of the export and the number of rows, and that the report is valid if it
    was ``validated`` before.

    Yields:
        Each table with its number of rows.

    Raises:
        WarehouseError: The warehouse does not answer, or a table is missing: ``rtlib dbt build`` builds the marts.
    """
    import pandas as pd

    to.mkdir(parents=True, exist_ok=True)
    total, exported = 0, tables(settings)
    with closing(connect(settings)) as connection:
        for table in exported:
            names = [column.name for column in table.columns]
            rows = query(connection, f"select {', '.join(names)} from {table.schema}.{table.relation}")
            pd.DataFrame(rows, columns=names).to_parquet(to / f"{table.name}.parquet", index=False)
            total += len(rows)
            yield table.name, len(rows)
    build_project(to, exported, (FILES,))
    private.make_folder(_record(settings).parent)
    private.write(
        _record(settings), json.dumps({"at": datetime.now(UTC).isoformat(), "rows": total, "validated": validated})
    )


def refresh(settings: Settings) -> int:
    """Validate the project against the marts as they are now, export the rows to the state folder, and count them.

    Raises:
        ConfigError: The project has a problem; the message has the first.
        WarehouseError: The warehouse does not answer, or a table is missing.
    """
    with recorded(settings, BatchJob.REPORT) as run:
        run.message = "compares the report with the marts"
        found = [*validate(settings), *(missing(settings) or [])]
        if found:
            raise ConfigError(
                f"the report has {len(found)} problems, first: {found[0]}", cure="rtlib bi validate lists all of them"
            )
        names = [table.name for table in TABLES]
        for name, count in export(settings, to=private.make_folder(settings.home / "bi" / "rows"), validated=True):
            run.progress(names.index(name) + 1, len(names), "tables")
            run.rows += count
    return run.rows


@dataclass(frozen=True, slots=True)
class Export:
    """When rows were last exported (UTC), how many, and whether the report was validated with them."""

    at: datetime
    rows: int
    validated: bool = False


def last_export(settings: Settings) -> Export | None:
    """The newest export; None before the first."""
    if not _record(settings).exists():
        return None
    content = json.loads(_record(settings).read_text())
    return Export(datetime.fromisoformat(content["at"]), content["rows"], content.get("validated", False))


def _record(settings: Settings) -> Path:
    """The file with the time and the number of rows of the last export."""
    return settings.home / "bi" / "export.json"


def exists(settings: Settings, *, built: bool = False) -> list[str]:
    """The columns of the model that the warehouse does not have, as ``table.column``.

    Args:
        settings: The address of the warehouse.
        built: Leave out tables that do not exist.

    Raises:
        WarehouseError: The warehouse does not answer.
    """
    sql = "select table_schema, table_name, column_name from information_schema.columns"
    with closing(connect(settings)) as connection:
        actual = {
            (row["table_schema"].upper(), row["table_name"].upper(), row["column_name"].lower())
            for row in query(connection, sql)
        }
    relations = {(schema, relation) for schema, relation, _ in actual}
    return [
        f"{table.name}.{column.name}"
        for table in tables(settings)
        for column in table.columns
        if (table.schema, table.relation, column.name) not in actual
        and not (built and (table.schema, table.relation) not in relations)
    ]


def rows(settings: Settings, visual: Visual) -> pd.DataFrame:
    """The data of a visual, queried from the warehouse with the SQL of its measures: a column for each of its parts.

    If its page has a slicer over the same table, the first value of the slicer is selected.

    Raises:
        WarehouseError: The warehouse does not answer, or a table is missing.
    """
    import pandas as pd

    with closing(connect(settings)) as connection:
        frame = pd.DataFrame(query(connection, _sql(visual)))
    return frame.rename(columns={name.lower(): name for name in visual.measures})


def _sql(visual: Visual) -> str:
    table = next(table for table in TABLES if table.name == visual.table)
    relation = f"{table.schema}.{table.relation}"
    dimensions = [column for column in (visual.category, visual.series, *visual.columns) if column]
    measures = [f'{measure.sql} as "{measure.name}"' for measure in MEASURES if measure.name in visual.measures]
    grouped = f" group by {', '.join(dimensions)} order by {', '.join(dimensions)}" if dimensions and measures else ""
    slicers = [] if visual.kind == "slicer" else _slicers(visual)
    selected = " and ".join(f"{column} = (select min({column}) from {relation})" for column in slicers)
    where = f" where {selected}" if selected else ""
    distinct = "distinct " if visual.kind == "slicer" else ""
    return f"select {distinct}{', '.join([*dimensions, *measures])} from {relation} as {table.name}{where}{grouped}"


def _slicers(visual: Visual) -> list[str]:
    """The columns of its table that the slicers of its page filter."""
    page = next(page for page in PAGES if visual in page.visuals)
    slicers = [other for other in page.visuals if other.kind == "slicer" and other.table == visual.table]
    return [slicer.category for slicer in slicers if slicer.category]
