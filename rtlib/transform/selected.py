"""Selected: the columns that a model's SQL gives, read from its text alone, without a warehouse.

A model's YAML says which columns there should be; only its SQL says which there are, and who renames one in the SQL
need not have touched the YAML. dbt can compile a model only where it can ask a warehouse, so the text is read as it
stands: the names of the last SELECT do not depend on what the templates in it come to.
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
    """The columns of some models and seeds, by the model's SQL or the seed's file, in lower case.

    A model whose last SELECT has a ``*`` is left out: its text does not name them.

    Args:
        settings: Whose dbt project.
        names: Of models and seeds.
        fresh: The project was parsed a moment ago.

    Raises:
        ConfigError: The project cannot be read.
    """
    if not fresh:
        parse(settings)
    manifest = json.loads((target(settings) / "manifest.json").read_text(encoding="utf-8"))
    chosen = [one for one in manifest["nodes"].values() if one["name"] in names]
    told = {one["name"]: _columns(one) for one in chosen if one["resource_type"] in ("model", "seed")}
    return {name: columns for name, columns in told.items() if columns}


def columns_of(sql: str) -> tuple[str, ...]:
    """The names that a query of dbt gives its columns; nothing where it says ``*``.

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
            names = [one.lower() for one in last.named_selects] if last else []
            return () if "*" in names else tuple(names)
    return ()


def _columns(node: Mapping[str, Any]) -> tuple[str, ...]:
    path = project() / node["original_file_path"]
    if node["resource_type"] == "seed":
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(one.lower() for one in next(csv.reader(file)))
    return columns_of(path.read_text(encoding="utf-8"))
