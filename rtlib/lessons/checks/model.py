"""Models: a dbt model or test, rendered and built in a scratch warehouse, as dbt would, within milliseconds.

The answer is the text of the file. ``ref``, ``source``, ``this``, ``config`` and ``is_incremental`` are those of dbt;
an incremental model with a unique key is merged by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtlib.lessons.checks.relation import Relation, Relational, Table, fetched, fill, scratch, statements_of
from rtlib.lessons.checks.value import type_of
from rtlib.lessons.exercise import Numbers, Unusable
from rtlib.lessons.verdict import cut

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THIS = "this_model"


def rendered(answer: Any, *, incremental: bool) -> str:
    """The SQL of a model, without Jinja.

    Raises:
        Unusable: It is no text, or its Jinja has an error.
    """
    from jinja2 import StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    if not isinstance(answer, str):
        raise Unusable(f"the answer must be the text of a model, not {type_of(answer)}")
    names = {
        "ref": lambda name: name,
        "source": lambda schema, table: f"{schema}.{table}",
        "config": lambda **_: "",
        "this": THIS,
        "is_incremental": lambda: incremental,
    }
    try:
        return SandboxedEnvironment(undefined=StrictUndefined).from_string(answer).render(names)
    except TemplateError as error:
        raise Unusable(f"the Jinja of the model cannot be read: {cut(str(error), 160)}") from error


@dataclass(frozen=True, slots=True)
class Built:
    """The outcome of the builds of a model.

    Attributes:
        table: What the model holds after the last build.
        touched: Rows that each build has selected.
    """

    table: Relation
    touched: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is built once for each state of its sources.

    Attributes:
        states: The tables by name, for each build; a later state replaces the earlier.
        key: The columns of its unique key; empty for a model that is built anew each time.
        touched: Whether the number of rows that a later build selects counts.
    """

    in_kernel = False
    preload = (*Relational.preload, "jinja2.sandbox")

    states: Callable[[Numbers], tuple[Mapping[str, Table], ...]] = lambda _: ()
    key: tuple[str, ...] = ()
    touched: bool = False

    def observe(self, answer: Any, numbers: Numbers) -> Built:
        """The model after each build."""
        states = self.states(numbers)
        warehouse, touched = scratch({}), []
        for number, tables in enumerate(states):
            fill(warehouse, tables)
            sql = rendered(answer, incremental=bool(number and self.key))
            statements = statements_of(sql)
            if len(statements) != 1:
                raise Unusable(f"a model is a single SELECT, not {len(statements)} statements")
            warehouse.execute(f"create or replace table new_rows as {statements[0]}")
            touched.append(int(warehouse.execute("select count(*) from new_rows").fetchall()[0][0]))
            self._merge(warehouse, first=number == 0)
        return Built(fetched(warehouse.execute(f"select * from {THIS}")), tuple(touched))

    def _merge(self, warehouse: DuckDBPyConnection, *, first: bool) -> None:
        if first or not self.key:
            warehouse.execute(f"create or replace table {THIS} as select * from new_rows")
            return
        same = " and ".join(f"{THIS}.{column} is not distinct from n.{column}" for column in self.key)
        warehouse.execute(f"delete from {THIS} where exists (select 1 from new_rows n where {same})")
        warehouse.execute(f"insert into {THIS} by name select * from new_rows")

    def expected(self, numbers: Numbers) -> None:
        """That of the solution."""
        del numbers

    def accepts(self, observed: Any, expected: Any) -> bool:
        """The same table, and no more rows touched than needed."""
        return self.difference(observed, expected) == ""

    def difference(self, observed: Any, expected: Any) -> str:
        """Of the table, else of the rows that were touched."""
        if differs := Relational().difference(observed.table, expected.table):
            return f"after {len(observed.touched)} builds, {differs}" if self.key else differs
        if self.touched and observed.touched != expected.touched:
            return f"the builds select {observed.touched} rows; {expected.touched} are enough."
        return ""


@dataclass(frozen=True, slots=True)
class DataTest(Model):
    """A dbt test: a SELECT of rows that must not exist, run on a good and on a bad table.

    The outcome is the rows that it finds in each state.
    """

    def observe(self, answer: Any, numbers: Numbers) -> Any:
        """The number of rows found in each state, and the rows of the last."""
        found: list[Relation] = []
        for tables in self.states(numbers):
            warehouse = scratch({})
            fill(warehouse, tables)
            statements = statements_of(rendered(answer, incremental=False))
            if len(statements) != 1:
                raise Unusable(f"a test is a single SELECT, not {len(statements)} statements")
            found.append(fetched(warehouse.execute(statements[0])))
        return tuple((len(each.rows), frozenset(each.rows)) for each in found)

    def accepts(self, observed: Any, expected: Any) -> bool:
        """The same rows in each state."""
        return bool(observed == expected)

    def difference(self, observed: Any, expected: Any) -> str:
        """How many rows it finds."""
        (good, _), (bad, _) = observed[0], observed[-1]
        if good:
            return f"on a table without a bad row your test finds {good} rows, so it would always fail."
        return f"on a table with {expected[-1][0]} bad rows your test finds {bad}, or others."
