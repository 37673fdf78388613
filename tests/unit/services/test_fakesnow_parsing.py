"""The local warehouse's cache of parsed statements, and its walk over their trees."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import sqlglot
from fakesnow import transforms
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.instance import FakeSnow
from fakesnow.variables import Variables
from sqlglot import exp
from sqlglot.expressions import core

from rtlib.services.fakesnow_patches import MAX_CACHED_CHARACTERS, parsing_once
from rtlib.services.fakesnow_speed import CHANGES, _changed_by, printed, printing_once, transform

SQLGLOTS_WALK = core.Expression.transform
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

    to_read, to_change = parsing_once(parse)
    for cached in (to_read, to_change):
        assert cached("select a from t where b = ?").sql() == "SELECT a FROM t WHERE b = ?"
    to_change("select a from t where b = ?").set("where", None)
    for cached in (to_read, to_change):
        assert cached("select a from t where b = ?").sql() == "SELECT a FROM t WHERE b = ?"
    assert parsed == ["select a from t where b = ?"]


def test_a_very_long_statement_is_kept_for_the_second_parse_of_its_run_alone() -> None:
    parsed = []

    def parse(command: str) -> sqlglot.Expr:
        parsed.append(command)
        return sqlglot.parse_one(command, read="snowflake")

    to_read, to_change = parsing_once(parse)
    long = f"select '{'x' * MAX_CACHED_CHARACTERS}' as a"
    for runs in (1, 2):
        for cached in (to_read, to_change):
            tree = cached(long)
            assert tree.sql() == f"SELECT '{'x' * MAX_CACHED_CHARACTERS}' AS a"
        tree.set("expressions", [])
        assert len(parsed) == runs


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


STATEMENTS = (
    STATEMENT,
    "create or replace transient table a.b.c as (select x::timestamp_ntz as x, sum(v:y::varchar) as y from a.b.d, "
    "lateral flatten(input => d.v) f where try_parse_json(z) is not null group by 1)",
    "select to_timestamp(x), sha2(y), object_construct('k', z), random() from t",
    "select array_agg(a) within group (order by b) from t join u on t.x = u.x where y",
    "select dateadd(day, 1, '2026-01-01'), datediff(day, x, '2026-01-01'), lower(v:k), v[0], array_size(v) from t",
    "select count(*)::number(19, 0) from a.information_schema.tables where try_cast(x as date) > to_date('2')",
    "insert into a.b.c (x, y) values (1, 'it')",
    "show objects in a.b",
    "use schema b",
    "drop schema b cascade",
    "alter session set AUTOCOMMIT = false",
    "comment on table a.b.c is 'd'",
)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_walks_that_are_left_out_change_nothing(statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = FakeSnow().connect("A", "B")
    cursor = connection.cursor()

    def translated(walk: Callable[..., sqlglot.Expr]) -> sqlglot.Expr:
        monkeypatch.setattr(core.Expression, "transform", walk)
        return cursor._transform(parse_one(statement), None)

    ours, theirs = translated(transform), translated(SQLGLOTS_WALK)
    assert ours == theirs
    assert ours.sql(dialect="duckdb") == theirs.sql(dialect="duckdb")
    assert ours.args.keys() == theirs.args.keys()


def test_each_transform_that_may_be_left_out_exists() -> None:
    for kinds, names in CHANGES.items():
        assert all(hasattr(exp, kind) for kind in kinds.split())
        assert all(hasattr(transforms, name) for name in names.split())


def test_a_tree_keeps_its_text_and_a_changed_copy_of_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.Expression, "sql", printing_once(core.Expression.sql))
    tree = printed(sqlglot.parse_one("select a from t", read="snowflake"))
    copy = tree.copy()
    copy.set("from_", None)
    assert tree.sql(dialect="duckdb") == "SELECT a FROM t"
    assert copy.sql(dialect="duckdb") == "SELECT a"
    assert tree.sql(dialect="duckdb", pretty=True) == "SELECT\n  a\nFROM t"


NODES = [kind for kind in vars(exp).values() if inspect.isclass(kind) and issubclass(kind, core.Expression)]


@pytest.mark.parametrize("name", sorted({name for names in CHANGES.values() for name in names.split()}))
def test_a_change_of_fakesnow_leaves_nodes_of_other_kinds_as_they_are(name: str) -> None:
    change = getattr(transforms, name)
    kinds = _changed_by(name)
    assert kinds is not None
    fields = list(inspect.signature(change).parameters.values())[1:]
    others = {field.name: "PRIMARY" if field.name == "kind" else None for field in fields}
    for node in (kind(this=exp.to_identifier("a"), expressions=[]) for kind in NODES if kind is not exp.Alias):
        before = dict(node.args)
        if not isinstance(node, kinds):
            assert change(node, **others) is node
            assert node.args == before


# A statement for each change that a walk makes, some of which make nodes for a later change, and some for none.
TRANSLATED = """\
select a, b as c from t where d > 1 group by 1, 2 order by a limit 3
select identifier('a.b') from identifier('t')
select * from information_schema.tables where table_name = 'X'
select a::varchar, b::timestamp_ntz, c::number, d::float, e::variant, trim(f) from t
select '2026-01-01 10:00:00 +0100'::timestamp_tz, to_timestamp(a), to_date(b), to_decimal(c, 10, 2) from t
select a:b::varchar, upper(a:b), a['b'], a[0]::varchar from t
select f.value::varchar from t, lateral flatten(input => t.a) f
select split(a, ','), regexp_replace(a, 'b'), regexp_substr(a, 'b', 1, 1, 'e'), sha2(a), haversine(1, 2, 3, 4) from t
select object_construct('a', 1), object_construct(*), array_construct(1, 2), array_size(a), to_variant(1) from t
select array_agg(a) within group (order by b), object_agg(a, b), sum(c), avg(d), random() from t
select dateadd(day, 1, a::date), dateadd(day, 1, '2026-01-01'), datediff(day, '2026-01-01', '2026-01-02')
select s.nextval from t sample (10)
select column1 from values (1), (2)
select a as b from t join u on b = u.c
select * from table(result_scan('x'))
select try_parse_json(a), current_version(), x'ff'
create table t (a varchar(10) comment 'b', c float) comment = 'd'
create table t clone u
create schema s
create database d
alter table t cluster by (a)
alter session set autocommit = true
drop schema s
use schema s
set a = 1
show tables
show schemas
show primary keys
show parameters like 'x'
insert into t (a) select b from u where b is not null
update t set a = b.c from b where t.d = b.d
merge into t using (select 1 as a) s on t.a = s.a when matched then update set a = 2
delete from t where a in (select b from u)
comment on table t is 'a'"""


def translated(translate: Callable[..., Any], statement: str) -> tuple[str, str]:
    """The tree and its text in DuckDB's dialect."""
    connection = SimpleNamespace(variables=Variables(), database="D", schema="S", db_path=None, table_stages=None)
    parsed = sqlglot.parse_one(statement, read="snowflake")
    tree = translate(SimpleNamespace(_conn=connection, _duck_conn=None), parsed, None)
    return repr(tree), tree.sql(dialect="duckdb")


@pytest.mark.parametrize("statement", TRANSLATED.splitlines())
def test_a_statement_is_translated_as_by_all_walks(statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = translated(FakeSnowflakeCursor._transform, statement)
    monkeypatch.setattr(core.Expression, "transform", transform)
    assert translated(FakeSnowflakeCursor._transform, statement) == theirs
