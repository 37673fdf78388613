"""Relations: data frames, SQL queries and SQL statements, compared by columns, types, rows, nulls and order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtlib.lessons.checks.value import type_of
from rtlib.lessons.exercise import Numbers, Unusable
from rtlib.lessons.verdict import cut

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_ROWS = 10_000
DIGITS = 6  # of a fraction that are compared
FAMILIES = {"INT": "number", "DECIMAL": "number", "DOUBLE": "number", "FLOAT": "number", "HUGEINT": "number",
            "VARCHAR": "text", "TIMESTAMP": "time", "DATE": "date", "BOOLEAN": "truth value"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an exercise.

    Attributes:
        columns: Names and types, as in CREATE TABLE.
        rows: The rows.
    """

    columns: str
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """The result of an answer.

    Attributes:
        columns: Names, in lower case.
        types: Families of types: number, text, time, ...
        rows: The rows in their order, fractions rounded.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def in_columns_of(self, other: Relation) -> Relation:
        """The same relation with its columns in the order of another, if both have the same."""
        if sorted(self.columns) != sorted(other.columns) or len(set(self.columns)) < len(self.columns):
            return self
        places = [self.columns.index(name) for name in other.columns]
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return Relation(other.columns, tuple(self.types[place] for place in places), rows)


@dataclass(frozen=True, slots=True)
class Relational:
    """Compares relations.

    Attributes:
        ordered: Whether the order of the rows counts.
        typed: Whether the types of the columns count.
    """

    in_kernel = False
    preload = ("duckdb", "sqlglot.dialects.snowflake", "sqlglot.dialects.duckdb")

    ordered: bool = False
    typed: bool = True

    def expected(self, numbers: Numbers) -> None:
        """That of the solution."""
        del numbers

    def accepts(self, observed: Relation, expected: Relation) -> bool:
        """The same relation."""
        return not self._differs(observed, expected)

    def difference(self, observed: Relation, expected: Relation) -> str:
        """The first difference."""
        return self._differs(observed, expected)

    def _differs(self, observed: Relation, expected: Relation) -> str:
        observed = observed.in_columns_of(expected)
        if observed.columns != expected.columns:
            return f"the columns are {', '.join(observed.columns)}; expected are {', '.join(expected.columns)}."
        mine, other = Counter(observed.rows), Counter(expected.rows)
        if mine != other:
            return _differing_rows(mine, other)
        if self.typed and observed.types != expected.types and observed.rows:
            return _differing_types(observed, expected)
        if self.ordered and observed.rows != expected.rows:
            return "the rows are right, but not in the right order."
        return ""


def _differing_rows(mine: Counter[Any], other: Counter[Any]) -> str:
    if set(mine) == set(other):
        return (
            "some rows come more often than they should: duplicates." if (mine - other) else "duplicates are missing."
        )
    extra = next(iter(mine - other), None)
    counts = f"{sum(mine.values())} rows, where {sum(other.values())} are expected"
    if extra is None:
        return f"there are {counts}; all of yours are right."
    null = " Look at the nulls." if any(value is None for row in (mine - other) for value in row) else ""
    return f"there are {counts}. This row of yours is not expected: {cut(repr(extra), 120)}.{null}"


def _differing_types(observed: Relation, expected: Relation) -> str:
    name, mine, other = next(
        each for each in zip(expected.columns, observed.types, expected.types, strict=True) if each[1] != each[2]
    )
    return f"the rows are right, but the column {name} is a {mine} and should be a {other}."


@dataclass(frozen=True, slots=True)
class Query(Relational):
    """An SQL query, run on small tables.

    Attributes:
        tables: The tables by name, made from the learner's numbers.
    """

    tables: Callable[[Numbers], Mapping[str, Table]] = lambda _: {}

    def observe(self, answer: Any, numbers: Numbers) -> Relation:
        """The rows that the query returns."""
        warehouse = scratch(self.tables(numbers))
        statements = statements_of(answer)
        if len(statements) != 1:
            raise Unusable(f"the answer must be a single query, not {len(statements)} statements")
        return fetched(warehouse.execute(statements[0]))


@dataclass(frozen=True, slots=True)
class Change(Relational):
    """SQL statements that change a table; they run several times, because a loader may run twice.

    Attributes:
        tables: The tables by name, made from the learner's numbers.
        watched: A query for what they should leave.
        runs: How often the statements run.
    """

    tables: Callable[[Numbers], Mapping[str, Table]] = lambda _: {}
    watched: str = ""
    runs: int = 2

    def observe(self, answer: Any, numbers: Numbers) -> Relation:
        """What is left after the last run, and the number of rows after each."""
        warehouse, statements = scratch(self.tables(numbers)), statements_of(answer)
        for _ in range(self.runs):
            for statement in statements:
                warehouse.execute(statement)
        return fetched(warehouse.execute(self.watched))


@dataclass(frozen=True, slots=True)
class Frame(Relational):
    """A pandas data frame."""

    def observe(self, answer: Any, numbers: Numbers) -> Relation:
        """Its columns and rows, without its index."""
        if type(answer).__name__ != "DataFrame" or not hasattr(answer, "itertuples"):
            raise Unusable(f"the answer must be a pandas DataFrame, not {type_of(answer)}")
        if len(answer) > MAX_ROWS:
            raise Unusable(f"the answer has {len(answer):,} rows; expected are far fewer")
        import pandas as pd

        rows = (tuple(None if pd.isna(value) else value for value in row) for row in answer.itertuples(index=False))
        types = tuple(_frame_family(str(dtype)) for dtype in answer.dtypes)
        return Relation(tuple(str(name).lower() for name in answer.columns), types, tuple(map(_rounded, rows)))


def _frame_family(dtype: str) -> str:
    if dtype.startswith(("int", "float", "Int", "Float", "uint")):
        return "number"
    return "time" if dtype.startswith("datetime") else "truth value" if dtype == "bool" else "text"


def statements_of(answer: Any) -> list[str]:
    """The statements of an answer, in the dialect of the scratch warehouse.

    Raises:
        Unusable: It is no SQL text.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    if not isinstance(answer, str):
        raise Unusable(f"the answer must be an SQL text, not {type_of(answer)}")
    try:
        statements = sqlglot.transpile(answer, read="snowflake", write="duckdb")
    except SqlglotError as error:
        message = str(error).splitlines()[0].partition(". Line")[0]
        raise Unusable(f"the SQL cannot be read: {cut(message, 160)}") from error
    return [statement for statement in statements if statement.strip()]


def scratch(tables: Mapping[str, Table]) -> DuckDBPyConnection:
    """A warehouse in memory that holds these tables and can reach nothing else."""
    import duckdb

    options: dict[str, Any] = {"threads": 1, "memory_limit": "256MB", "enable_external_access": "false"}
    warehouse = duckdb.connect(":memory:", config=options)
    fill(warehouse, tables)
    return warehouse


def fill(warehouse: DuckDBPyConnection, tables: Mapping[str, Table]) -> None:
    """Create these tables, in place of earlier ones of the same names."""
    for name, table in tables.items():
        if "." in name:
            warehouse.execute(f"create schema if not exists {name.partition('.')[0]}")
        warehouse.execute(f"create or replace table {name} ({table.columns})")
        if table.rows:
            marks = ", ".join("?" * len(table.rows[0]))
            warehouse.executemany(f"insert into {name} values ({marks})", table.rows)


def fetched(result: DuckDBPyConnection) -> Relation:
    """The result of a query.

    Raises:
        Unusable: It has far more rows than an exercise needs, or none as it is no query.
    """
    rows = result.fetchmany(MAX_ROWS + 1)
    if len(rows) > MAX_ROWS:
        raise Unusable(f"the query returns more than {MAX_ROWS:,} rows; expected are far fewer")
    columns = tuple(column[0].lower() for column in result.description or ())
    types = tuple(_family(str(column[1])) for column in result.description or ())
    return Relation(columns, types, tuple(map(_rounded, rows)))


def _family(type_name: str) -> str:
    upper = type_name.upper()
    return next((family for sign, family in FAMILIES.items() if sign in upper), upper.lower())


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    from decimal import Decimal

    return tuple(
        round(float(value), DIGITS)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        else value
        for value in row
    )
