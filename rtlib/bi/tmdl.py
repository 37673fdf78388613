"""TMDL: the semantic model in Microsoft's Tabular Model Definition Language. Pure.

Format: "Tabular Model Definition Language (TMDL)", Microsoft Learn: a tab for each level,
``///`` before an object for its description, single quotes around names with spaces. Ids are hashes of names, so the
same model is always the same text.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Literal

from rtlib.bi.spec import MEASURES, RELATIONSHIPS, Column, Measure, Table

Mode = Literal["directQuery", "import"]
NAMESPACE = uuid.UUID("6f1c3a52-9f0e-5c55-8d3b-2f6d7e1b9a10")
TYPES = {"varchar": "string", "float": "double", "number": "int64", "boolean": "boolean"}
PARAMETERS: Mapping[Mode, Mapping[str, str]] = {
    "directQuery": {
        "Server": "youraccount.snowflakecomputing.com",
        "Warehouse": "COMPUTE_WH",
        "DatabaseName": "RTLIB",
    },
    "import": {"Folder": "C:\\rtlib\\export\\"},
}


def identity(*names: str) -> str:
    """A UUID from names; the same names give the same id."""
    return str(uuid.uuid5(NAMESPACE, "|".join(names)))


def files(tables: tuple[Table, ...], mode: Mode) -> dict[str, str]:
    """Every file of the model's ``definition`` folder, by its path there."""
    texts = {
        "database.tmdl": "database\n\tcompatibilityLevel: 1600\n",
        "model.tmdl": _model(tables),
        "expressions.tmdl": "\n".join(_parameters(mode)),
        "relationships.tmdl": "\n".join(_relationships()),
    }
    return texts | {f"tables/{table.name}.tmdl": "\n".join(_table(table, mode)) for table in tables}


def data_type(kind: str) -> str:
    """The Power BI type of a type of the warehouse."""
    plain = kind.split("(")[0].strip().lower()
    return TYPES.get(plain, "dateTime")


def _model(tables: tuple[Table, ...]) -> str:
    lines = [
        "model Model",
        "\tculture: en-US",
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
        "\tsourceQueryCulture: en-US",
        "",
        *(f"ref table {table.name}" for table in tables),
        "",
    ]
    return "\n".join(lines)


def _parameters(mode: Mode) -> Iterator[str]:
    for name, value in PARAMETERS[mode].items():
        yield f'expression {name} = "{value}" meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
        yield f"\tlineageTag: {identity('parameter', name)}"
        yield ""


def _relationships() -> Iterator[str]:
    for table, column, other, key in RELATIONSHIPS:
        yield f"relationship {identity('relationship', table, column)}"
        yield f"\tfromColumn: {table}.{column}"
        yield f"\ttoColumn: {other}.{key}"
        yield ""


def _table(table: Table, mode: Mode) -> Iterator[str]:
    yield f"/// {table.about}"
    yield f"table {table.name}"
    yield f"\tlineageTag: {identity(table.name)}"
    yield ""
    for measure in MEASURES:
        if measure.table == table.name:
            yield from _measure(measure)
    for column in table.columns:
        yield from _column(table, column, mode)
    yield f"\tpartition {table.name} = m"
    yield f"\t\tmode: {mode}"
    yield "\t\tsource ="
    yield from (f"\t\t\t\t{line}" for line in _source(table, mode))
    yield ""


def _measure(measure: Measure) -> Iterator[str]:
    yield f"\t/// {measure.about}"
    yield f"\tmeasure '{measure.name}' = {measure.dax}"
    yield f"\t\tformatString: {measure.format}"
    yield f"\t\tlineageTag: {identity(measure.table, 'measure', measure.name)}"
    yield ""


def _column(table: Table, column: Column, mode: Mode) -> Iterator[str]:
    kind = data_type(column.type)
    if column.about:
        yield f"\t/// {' '.join(column.about.split())}"
    yield f"\tcolumn {column.name}"
    yield f"\t\tdataType: {kind}"
    if kind == "dateTime":
        yield f"\t\tformatString: yyyy-mm-dd{'' if column.type == 'date' else ' hh:nn'}"
    yield f"\t\tlineageTag: {identity(table.name, column.name)}"
    yield "\t\tsummarizeBy: none"  # only measures aggregate
    yield f"\t\tsourceColumn: {column.name.upper() if mode == 'directQuery' else column.name}"
    yield ""


def _source(table: Table, mode: Mode) -> list[str]:
    if mode == "import":
        return [
            "let",
            '\tEnd = if Text.EndsWith(Folder, "/") or Text.EndsWith(Folder, "\\") then "" else "\\",',
            f'\tTable = Parquet.Document(File.Contents(Folder & End & "{table.name}.parquet"))',
            "in",
            "\tTable",
        ]
    kind = "View" if table.schema == "STAGING" else "Table"
    return [
        "let",
        '\tSource = Snowflake.Databases(Server, Warehouse, [Implementation = "2.0"]),',
        '\tDatabase = Source{[Name = DatabaseName, Kind = "Database"]}[Data],',
        f'\tSchema = Database{{[Name = "{table.schema}", Kind = "Schema"]}}[Data],',
        f'\tTable = Schema{{[Name = "{table.relation}", Kind = "{kind}"]}}[Data]',
        "in",
        "\tTable",
    ]
