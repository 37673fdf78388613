"""Check: what Power BI would not open, or would show as an empty box, told with the page and the visual. Pure.

A published JSON Schema says what a file may hold; it does not know whether a column exists. This does. TMDL has no
schema at all; what can be checked of its text is its indentation, its objects and what they refer to.
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
    """Everything that is wrong, in words; nothing when the project will do.

    Args:
        files: The project's files, by their paths.
        tables: The tables with their columns as the warehouse has them.
        schemas: Gives the published schema at an address, or None where it is not at hand; without it no file is
            held against one.
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
    named = {one.name for one in MEASURES}
    for measure in MEASURES:
        for table, column, other in REFERENCE.findall(measure.dax):
            if other and other not in named:
                yield f"measure {measure.name!r} refers to a measure {other!r}, which there is not"
            elif table and column not in known.get(table, ()):
                yield f"measure {measure.name!r}: {_missing(table, column, known)}; {_users(measure)} shows it"


def _users(measure: Measure) -> str:
    using = [f"{page.title} / {one.name}" for page in PAGES for one in page.visuals if measure.name in one.measures]
    return ", ".join(using) or "no visual"


def _relationships(tables: tuple[Table, ...]) -> Iterator[str]:
    known = _known(tables)
    for table, column, other, key in RELATIONSHIPS:
        for name, end in ((table, column), (other, key)):
            if end not in known.get(name, ()):
                yield f"the relationship of {table} to {other}: {_missing(name, end, known)}"


def _page(page: Page, tables: tuple[Table, ...]) -> Iterator[str]:
    known = _known(tables)
    for name, count in Counter(one.name for one in page.visuals).items():
        if count > 1:
            yield f"page {page.title!r} has {count} visuals called {name!r}"
    for one in page.visuals:
        where = f"page {page.title!r}, visual {one.name!r}"
        yield from (f"{where}: {problem}" for problem in _visual(one, known))
    for one, other in combinations(page.visuals, 2):
        if _overlap(one.place, other.place):
            yield f"page {page.title!r}: {one.name!r} lies over {other.name!r}"


def _visual(visual: Visual, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    left, top, width, height = visual.place
    if left < 0 or top < 0 or left + width > WIDTH or top + height > HEIGHT:
        yield "it reaches beyond its page"
    if len(visual.name) > LONGEST_NAME:
        yield f"its name is longer than {LONGEST_NAME} letters"
    for column in filter(None, (visual.category, visual.series, *visual.columns)):
        if column not in known.get(visual.table, ()):
            yield _missing(visual.table, column, known)
    for name in visual.measures:
        if name not in {one.name for one in MEASURES}:
            yield f"there is no measure {name!r}"
    if "'" in visual.title:
        yield "an apostrophe in its title ends the text there"


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    (x, y, width, height), (left, top, wide, high) = one, other
    return x < left + wide and left < x + width and y < top + high and top < y + height


def _known(tables: tuple[Table, ...]) -> dict[str, frozenset[str]]:
    return {one.name: frozenset(column.name for column in one.columns) for one in tables}


def _missing(table: str, column: str, known: Mapping[str, frozenset[str]]) -> str:
    there = ", ".join(sorted(known.get(table, ()))) or "none at all"
    return f"{table}.{column} does not exist (there are: {there})"


def _tmdl(path: str, text: str) -> Iterator[str]:
    seen: Counter[str] = Counter()
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip("\t"))
        if line.lstrip("\t").startswith(" "):
            yield f"{path}:{number}: indented by spaces where TMDL wants tabs"
        if indent > depth + 2:  # a value that runs over lines stands two levels in
            yield f"{path}:{number}: {indent - depth} levels deeper than the line before"
        depth = indent
        found = OBJECT.match(line.strip())
        if found and indent < 2 and not line.strip().startswith("///"):
            seen[found.group(0).strip()] += 1
    yield from (f"{path}: {name!r} stands there {count} times" for name, count in seen.items() if count > 1)
    tags = Counter(re.findall(r"lineageTag: (\S+)", text))
    yield from (f"{path}: the lineage tag {tag} is used {count} times" for tag, count in tags.items() if count > 1)


def _json(path: str, text: str, schemas: Schemas | None) -> Iterator[str]:
    try:
        told = json.loads(text)
    except ValueError as error:
        yield f"{path}: not JSON ({error})"
        return
    address = told.get("$schema")
    if address is None or schemas is None:
        return
    found = schemas(address)
    if found is not None:
        yield from (f"{path}: {problem}" for problem in _against(told, found, schemas))


def _against(told: Any, schema: Mapping[str, Any], schemas: Schemas) -> Iterator[str]:
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    def retrieve(uri: str) -> Resource[Any]:
        return DRAFT7.create_resource(dict(schemas(uri) or {}))

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    for error in Draft7Validator(dict(schema), registry=registry).iter_errors(told):
        yield f"{'/'.join(str(one) for one in error.absolute_path) or 'the file'}: {error.message[:200]}"
