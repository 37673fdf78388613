"""The local warehouse's cache of parsed statements, and its walk over their trees."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlglot
from sqlglot import exp

from rtlib.services.fakesnow_patches import MAX_CACHED_CHARACTERS, parsing_once
from rtlib.services.fakesnow_speed import transform

STATEMENT = (
    "with a as (select x, (y + (1)) as z from t where x in (1, 2)) "
    "select a.x, case when z > 1 then x end from a join b on a.x = b.x order by (x)"
)


def renamed(node: sqlglot.Expr) -> sqlglot.Expr:
    """Another node in place of a column; its children are not visited."""
    return exp.column("new", table="t") if isinstance(node, exp.Column) else node


def unwrapped(node: sqlglot.Expr) -> sqlglot.Expr:
    """A child in place of its parent; and a change to the node itself."""
    if isinstance(node, exp.Select):
        node.set("distinct", exp.Distinct())
    return node.this if isinstance(node, exp.Paren) else node


def kept(node: sqlglot.Expr) -> sqlglot.Expr:
    return node


def test_a_statement_is_parsed_once_and_a_change_to_its_tree_does_not_affect_the_next_run() -> None:
    parsed = []

    def parse(command: str) -> sqlglot.Expr:
        parsed.append(command)
        return sqlglot.parse_one(command, read="snowflake")

    cached = parsing_once(parse)
    first = cached("select a from t where b = ?")
    first.set("where", None)
    assert cached("select a from t where b = ?").sql() == "SELECT a FROM t WHERE b = ?"
    assert parsed == ["select a from t where b = ?"]


def test_a_very_long_statement_is_kept_for_the_second_parse_of_its_run_alone() -> None:
    parsed = []

    def parse(command: str) -> sqlglot.Expr:
        parsed.append(command)
        return sqlglot.parse_one(command, read="snowflake")

    cached = parsing_once(parse)
    long = f"select '{'x' * MAX_CACHED_CHARACTERS}' as a"
    first = cached(long)
    first.set("expressions", [])
    assert cached(long).sql() == f"SELECT '{'x' * MAX_CACHED_CHARACTERS}' AS a"
    assert len(parsed) == 1
    cached(long)
    assert len(parsed) == 2


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("change", [renamed, unwrapped, kept], ids=lambda change: change.__name__)
def test_a_tree_is_changed_as_sqlglot_changes_it(change: Callable[[sqlglot.Expr], sqlglot.Expr], copy: bool) -> None:
    ours, theirs = (sqlglot.parse_one(STATEMENT, read="snowflake") for _ in range(2))
    visited: dict[str, list[str]] = {"ours": [], "theirs": []}

    def noted(node: sqlglot.Expr, by: str) -> sqlglot.Expr:
        visited[by].append(repr(node))
        return change(node)

    assert transform(ours, noted, by="ours", copy=copy) == theirs.transform(noted, by="theirs", copy=copy)
    assert ours == theirs
    assert visited["ours"] == visited["theirs"]
