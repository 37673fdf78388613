"""Check: errors that keep Power BI from opening the project or a visual from showing data, by page and visual. Pure.

A published JSON Schema defines the form of a file; it cannot say whether a column exists. TMDL has no schema; its
indentation, its objects and their references are checked here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from rtlib.bi.forms import Schemas
from rtlib.bi.report import HEIGHT, WIDTH
from rtlib.bi.spec import MEASURES, PAGES, RELATIONSHIPS, Measure, Page, Table, Visual

REFERENCE = re.compile(r"(\w+)\[(\w+)\]|(?<![\w\]])\[([^\]]+)\]")
LONGEST_NAME = 50
OBJECT = re.compile(r"^(database|model|table|column|measure|partition|relationship|expression|ref )\b ?'?([^'=]*)")


def problems(files: Mapping[str, str], tables: tuple[Table, ...], *, schemas: Schemas | None = None) -> list[str]:
    """Every error in the project, in words; empty if there is none.

    Args:
        files: The files of the project as text, by path.
        tables: The tables with the columns that the warehouse has.
        schemas: Returns the published schema at an address, or None if it is not available; without ``schemas`` the
            form of the files is not checked.
    """
    return [
        *_measures(tables),
        *_relationships(tables),
        *(problem for page in PAGES for problem in _page(page, tables)),
        *(problem for path, text in files.items() if path.endswith(".tmdl") for problem in _tmdl(path, text)),
        *(
            problem
            for path, text in files.items()
            if not path.endswith(".tmdl")
            for problem in _json(path, text, schemas)
        ),
    ]


def _measures(tables: tuple[Table, ...]) -> Iterator[str]:
    known = _known(tables)
    names = {measure.name for measure in MEASURES}
    for measure in MEASURES:
        for table, column, other in REFERENCE.findall(measure.dax):
            if other and other not in names:
                yield f"measure {measure.name!r} refers to a measure {other!r}, which does not exist"
            elif table and column not in known.get(table, ()):
                yield f"measure {measure.name!r}: {_missing(table, column, known)}; {_users(measure)} shows it"


def _users(measure: Measure) -> str:
    users = [
        f"{page.title} / {visual.name}" for page in PAGES for visual in page.visuals if measure.name in visual.measures
    ]
    return ", ".join(users) or "no visual"


def _relationships(tables: tuple[Table, ...]) -> Iterator[str]:
    known = _known(tables)
    for table, column, other, key in RELATIONSHIPS:
        for name, end in ((table, column), (other, key)):
            if end not in known.get(name, ()):
                yield f"the relationship of {table} to {other}: {_missing(name, end, known)}"


def _page(page: Page, tables: tuple[Table, ...]) -> Iterator[str]:
    known = _known(tables)
    for name, count in Counter(visual.name for visual in page.visuals).items():
        if count > 1:
            yield f"page {page.title!r} has {count} visuals called {name!r}"
    for visual in page.visuals:
        where = f"page {page.title!r}, visual {visual.name!r}"
        yield from (f"{where}: {problem}" for problem in _visual(visual, known))
    for first, second in combinations(page.visuals, 2):
        if _overlap(first.place, second.place):
            yield f"page {page.title!r}: {first.name!r} overlaps {second.name!r}"


def _visual(visual: Visual, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    left, top, width, height = visual.place
    if left < 0 or top < 0 or left + width > WIDTH or top + height > HEIGHT:
        yield "it extends beyond its page"
    if len(visual.name) > LONGEST_NAME:
        yield f"its name is longer than {LONGEST_NAME} characters"
    for column in filter(None, (visual.category, visual.series, *visual.columns)):
        if column not in known.get(visual.table, ()):
            yield _missing(visual.table, column, known)
    for name in visual.measures:
        if name not in {measure.name for measure in MEASURES}:
            yield f"there is no measure {name!r}"
    if "'" in visual.title:
        yield "an apostrophe in its title would end the text"


def _overlap(first: tuple[int, int, int, int], second: tuple[int, int, int, int]) -> bool:
    (x1, y1, width1, height1), (x2, y2, width2, height2) = first, second
    return x1 < x2 + width2 and x2 < x1 + width1 and y1 < y2 + height2 and y2 < y1 + height1


def _known(tables: tuple[Table, ...]) -> dict[str, frozenset[str]]:
    return {table.name: frozenset(column.name for column in table.columns) for table in tables}


def _missing(table: str, column: str, known: Mapping[str, frozenset[str]]) -> str:
    columns = ", ".join(sorted(known.get(table, ()))) or "none"
    return f"{table}.{column} does not exist (columns: {columns})"


def _tmdl(path: str, text: str) -> Iterator[str]:
    objects: Counter[str] = Counter()
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip("\t"))
        if line.lstrip("\t").startswith(" "):
            yield f"{path}:{number}: indented by spaces; TMDL needs tabs"
        if indent > depth + 2:  # a value of several lines is indented by two levels
            yield f"{path}:{number}: {indent - depth} levels deeper than the line before"
        depth = indent
        match = OBJECT.match(line.strip())
        if match and indent < 2 and not line.strip().startswith("///"):
            objects[match.group(0).strip()] += 1
    yield from (f"{path}: {name!r} occurs {count} times" for name, count in objects.items() if count > 1)
    tags = Counter(re.findall(r"lineageTag: (\S+)", text))
    yield from (f"{path}: the lineage tag {tag} is used {count} times" for tag, count in tags.items() if count > 1)


def _json(path: str, text: str, schemas: Schemas | None) -> Iterator[str]:
    try:
        value = json.loads(text)
    except ValueError as error:
        yield f"{path}: not JSON ({error})"
        return
    address = value.get("$schema")
    if address is None or schemas is None:
        return
    schema = schemas(address)
    if schema is not None:
        yield from (f"{path}: {problem}" for problem in _schema_errors(value, schema, schemas))


def _schema_errors(value: Any, schema: Mapping[str, Any], schemas: Schemas) -> Iterator[str]:
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    def retrieve(uri: str) -> Resource[Any]:
        return DRAFT7.create_resource(dict(schemas(uri) or {}))

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    for error in Draft7Validator(dict(schema), registry=registry).iter_errors(value):
        yield f"{'/'.join(str(part) for part in error.absolute_path) or 'the file'}: {error.message[:200]}"
