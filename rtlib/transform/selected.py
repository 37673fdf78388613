"""Selected: the columns that the SQL of a model returns, read from its text without a warehouse.

The YAML of a model declares its columns, but a column renamed in the SQL may still have its old name there. dbt needs a
warehouse to compile a model, so the raw text is read: the names in the last SELECT do not depend on its templates.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rtlib.config import Settings
from rtlib.transform.project import project, target
from rtlib.transform.run import parse

TEMPLATE, UNPRINTED = re.compile(r"{{.*?}}", re.DOTALL), re.compile(r"{%.*?%}|{#.*?#}", re.DOTALL)


def columns_by_sql(settings: Settings, names: Sequence[str], *, fresh: bool = False) -> dict[str, tuple[str, ...]]:
    """The columns of models and seeds, from the SQL of a model or the file of a seed, in lower case.

    A model with a ``*`` in its last SELECT is left out, because its text does not name the columns.

    Args:
        settings: The state folder.
        names: Names of models and seeds.
        fresh: The manifest is up to date, so the project need not be parsed.

    Raises:
        ConfigError: The project cannot be read.
    """
    if not fresh:
        parse(settings)
    manifest = json.loads((target(settings) / "manifest.json").read_text(encoding="utf-8"))
    nodes = [node for node in manifest["nodes"].values() if node["name"] in names]
    found = {node["name"]: _columns(node) for node in nodes if node["resource_type"] in ("model", "seed")}
    return {name: columns for name, columns in found.items() if columns}


def columns_of(sql: str) -> tuple[str, ...]:
    """The names of the columns of a dbt query; empty if it selects ``*``.

    >>> columns_of("with a as (select x from {{ ref('b') }}) select a.x, {{ sum('y') }} as total from a")
    ('x', 'total')
    """
    from sqlglot import exp, parse_one
    from sqlglot.dialects import Snowflake

    plain = TEMPLATE.sub("filled", UNPRINTED.sub(" ", sql))
    depth = 0
    for token in Snowflake().tokenize(plain):
        kind = token.token_type.name
        depth += (kind == "L_PAREN") - (kind == "R_PAREN")
        if kind == "SELECT" and depth == 0:
            last = parse_one(plain[token.start :], dialect="snowflake").find(exp.Select)
            names = [name.lower() for name in last.named_selects] if last else []
            return () if "*" in names else tuple(names)
    return ()


def _columns(node: Mapping[str, Any]) -> tuple[str, ...]:
    path = project() / node["original_file_path"]
    if node["resource_type"] == "seed":
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(name.lower() for name in next(csv.reader(file)))
    return columns_of(path.read_text(encoding="utf-8"))
