"""fakesnow speed: the same results in less time, for the work that fakesnow and sqlglot do on every statement.

fakesnow walks 75 times over the syntax tree of a statement, and parses it four times.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

PRINTED = "rtlib_duckdb"


_walked = threading.local()  # ``tree``: the tree that this thread walked last; ``kinds``: the types of its nodes


def transform(self: Any, change: Callable[..., Any], *args: Any, copy: bool = True, **kwargs: Any) -> Any:
    """Replace each node of a tree by ``change(node, …)``, parents first; the children of a new node stay as they are.

    As ``sqlglot.Expression.transform``, without its two generators for each node, which take most of the time, and
    without the walks of ``CHANGES`` over trees that have no such node.
    """
    from sqlglot import Expr

    root = None
    if not copy and self is getattr(_walked, "tree", None):
        kinds = _changed_by(_name(change))
        if kinds is not None and not any(issubclass(present, kinds) for present in _walked.kinds):
            return self
    kinds_seen: set[type] = set()
    waiting = [self.copy() if copy else self]
    while waiting:
        node = waiting.pop()
        parent, key, index = node.parent, node.arg_key, node.index
        changed = change(node, *args, **kwargs)
        if root is None:
            root = changed
        elif changed is not node and parent and key:
            parent.set(key, changed, index)
        if changed is not node:
            kinds_seen.update(type(child) for child in changed.walk())
            continue
        kinds_seen.add(type(node))
        for value in reversed(node.args.values()):
            if isinstance(value, Expr):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(child for child in reversed(value) if isinstance(child, Expr))
    _walked.tree, _walked.kinds = root, kinds_seen
    return root


def _name(change: Callable[..., Any]) -> str:
    """The name of a transform; fakesnow wraps those that need the session in a lambda."""
    if change.__name__ != "<lambda>":
        return change.__name__
    names = change.__code__.co_names
    return names[1] if names[:1] == ("transforms",) and len(names) > 1 else ""


@cache
def _changed_by(name: str) -> tuple[type, ...] | None:
    """The types of nodes that a transform may change; None if that is unknown."""
    from sqlglot import exp

    for kinds, names in CHANGES.items():
        if name in names.split():
            return tuple(getattr(exp, kind) for kind in kinds.split())
    return None


# Types of nodes, and the transforms of fakesnow 0.12 that leave all other nodes as they are. A transform that is not
# here walks over every tree.
CHANGES = {
    "Table": "identifier information_schema_fs information_schema_databases",
    "Alter": "alter_session extract_comment_on_columns",
    "CurrentVersion": "current_version",
    "Use": "set_schema",
    "Create": "create_database create_clone create_stage create_file_format create_table_as",
    "Create Comment Alter": "extract_comment_on_table",
    "Create Alter": "extract_text_length",
    "Drop": "drop_schema_cascade",
    "Alter Command Create Drop": "tag",
    "DataType": "semi_structured_types timestamp_ntz float_to_double integer_precision",
    "Anonymous": "try_parse_json to_date haversine alias_in_where",
    "Join": "alias_in_join",
    "Split": "split",
    "Trim": "trim_cast_varchar",
    "Bracket": "indices_to_json_extract",
    "Cast": "json_extract_cast_as_varchar flatten_value_cast_as_varchar timestamp_offsets",
    "Upper Lower": "json_extract_cased_as_varchar",
    "JSONExtract JSONExtractScalar": "json_extract_precedence",
    "Lateral TableFromRows": "flatten",
    "RegexpReplace": "regex_replace",
    "RegexpExtract": "regex_substr",
    "TableFromRows": "result_scan",
    "Values": "values_columns",
    "ToNumber": "to_decimal",
    "UnixToTime Anonymous Cast": "to_timestamp",
    "ToVariant": "to_variant",
    "StarMap Struct JSONObject": "object_construct",
    "TableSample": "sample",
    "ArraySize": "array_size",
    "Rand": "random",
    "WithinGroup": "array_agg_within_group",
    "ArrayAgg": "array_agg",
    "ObjectAgg": "object_agg",
    "ArrayConstructCompact Array ArrayConcat": "array_construct_etc",
    "DateAdd": "dateadd_date_cast dateadd_string_literal_timestamp_cast",
    "DateDiff": "datediff_string_literal_timestamp_cast",
    "Show": (
        "show_databases show_procedures show_warehouses show_schemas show_tables_etc show_columns show_stages "
        "show_sequences show_keys show_users"
    ),
    "Show Command": "show_functions",
    "Command": "show_parameters create_user",
    "HexString": "hex_string",
    "SHA2 SHA2Digest Anonymous": "sha256",
    "ListStage": "list_stage",
    "Put": "put_stage",
}


def printed(tree: Any) -> Any:
    """The same tree, which keeps its text in DuckDB's dialect; a copy of it does not have that text."""
    tree.meta[PRINTED] = (id(tree), tree.sql(dialect="duckdb"))
    return tree


def printing_once(to_sql: Callable[..., str]) -> Callable[..., str]:
    """Print a tree with its kept text, if it has one."""

    def print_once(self: Any, dialect: Any = None, **options: Any) -> str:
        if dialect == "duckdb" and not options and self._meta and PRINTED in self._meta:
            place, text = self._meta[PRINTED]
            if place == id(self):
                return str(text)
        return to_sql(self, dialect, **options)

    return print_once


def describing_results(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the columns of a result beside its rows; fakesnow plans the query again for them."""

    def execute_and_describe(self: Any, *args: Any, **kwargs: Any) -> None:
        execute(self, *args, **kwargs)
        columns = self._duck_conn.description or ()
        self.described = (self._arrow_table, [(name, str(kind), *[None] * 4) for name, kind, *_ in columns])

    return execute_and_describe


def describing_once(describe: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """The columns of the last result, as ``DESCRIBE`` would show them."""

    def describe_once(self: Any) -> list[Any]:
        rows, columns = getattr(self, "described", (None, ()))
        # A result of an earlier statement is restored without being executed.
        known = rows is not None and rows is self._arrow_table and len(columns) == rows.num_columns
        return list(columns) if known else describe(self)

    return describe_once


def apply() -> None:
    """Install all of them in this process."""
    tree: Any = import_module("sqlglot.expressions.core")
    tree.Expression.transform = transform
    tree.Expression.sql = printing_once(tree.Expression.sql)
    cursor: Any = import_module("fakesnow.cursor").FakeSnowflakeCursor
    cursor._execute = describing_results(cursor._execute)
    cursor._describe_last_sql = describing_once(cursor._describe_last_sql)
