"""fakesnow speed: the same results in less time, for the work that fakesnow and sqlglot do on every statement.

fakesnow walks 75 times over the syntax tree of a statement, and parses it four times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

QUERY = re.compile(r"\s*(select|with)\b", re.IGNORECASE)


def transform(self: Any, change: Callable[..., Any], *args: Any, copy: bool = True, **kwargs: Any) -> Any:
    """Replace each node of a tree by ``change(node, …)``, parents first; the children of a new node stay as they are.

    As ``sqlglot.Expression.transform``, without its two generators for each node, which take most of the time.
    """
    from sqlglot import Expr

    root = None
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
            continue
        for value in reversed(node.args.values()):
            if isinstance(value, Expr):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(child for child in reversed(value) if isinstance(child, Expr))
    return root


def describing_natively(describe: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """The columns of the last result, as DuckDB describes its query; fakesnow parses and prints the query for that."""

    def describe_query(self: Any) -> list[Any]:
        if not QUERY.match(self._last_sql or ""):
            return describe(self)
        rows: list[Any] = self._duck_conn.execute(f"DESCRIBE {self._last_sql}", self._last_params).fetchall()
        return rows

    return describe_query


def apply() -> None:
    """Install both in this process."""
    tree: Any = import_module("sqlglot.expressions.core")
    tree.Expression.transform = transform
    cursor: Any = import_module("fakesnow.cursor").FakeSnowflakeCursor
    cursor._describe_last_sql = describing_natively(cursor._describe_last_sql)
