"""Project: all files of the Power BI project, written at once; the same description always gives the same files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rtlib.bi import report, tmdl
from rtlib.bi.spec import Table
from rtlib.bi.tmdl import Mode

# Names of the .pbip files, short because Windows limits a path to 260 characters. The second reads exported files; it
# differs from the first in a few lines of each table, so it is not kept in powerbi/ but written with each export.
DIRECT, FILES = "rtlib", "rtlib-files"
VARIANTS: Mapping[str, Mode] = {DIRECT: "directQuery", FILES: "import"}
PBIP = "https://developer.microsoft.com/json-schemas/fabric/pbip/pbipProperties/1.0.0/schema.json"
MODEL = "https://developer.microsoft.com/json-schemas/fabric/item/semanticModel/definitionProperties/1.0.0/schema.json"


def files(tables: tuple[Table, ...], variants: Sequence[str] = tuple(VARIANTS)) -> dict[str, str]:
    """Every file of the project as text, by its path below the project's folder."""
    texts: dict[str, str] = {}
    for name in variants:
        model = tmdl.files(tables, VARIANTS[name])
        texts |= {path: _json(value) for path, value in _items(name).items()}
        texts |= {f"{name}.Report/{path}": _json(value) for path, value in report.files().items()}
        texts |= {f"{name}.SemanticModel/definition/{path}": text for path, text in model.items()}
    return texts


def build(folder: Path, tables: tuple[Table, ...], variants: Sequence[str] = (DIRECT,)) -> list[str]:
    """Write the project and return the paths of its files.

    The old reports and models of these variants are removed first, so that no file of an earlier description remains.
    """
    texts = files(tables, variants)
    for name in variants:
        for item in (folder / f"{name}.Report", folder / f"{name}.SemanticModel"):
            shutil.rmtree(item, ignore_errors=True)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return sorted(texts)


def on_disk(folder: Path) -> dict[str, str]:
    """The files of every variant in a folder as text, by path; without those that Power BI keeps for itself."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for name in VARIANTS
        for path in [*folder.glob(f"{name}.pbip"), *folder.glob(f"{name}.*/**/*")]
        if path.is_file() and ".pbi" not in path.parts
    }


def outdated(folder: Path, tables: tuple[Table, ...]) -> list[str]:
    """The files that ``build`` would write differently, or not at all."""
    actual = on_disk(folder)
    variants = [name for name in VARIANTS if any(path.startswith(f"{name}.") for path in actual)]
    expected = files(tables, variants or (DIRECT,))
    changed = {path for path in expected.keys() & actual.keys() if actual[path] != expected[path]}
    return sorted((expected.keys() ^ actual.keys()) | changed)


def _items(name: str) -> dict[str, Any]:
    settings = {"enableAutoRecovery": True}
    return {
        f"{name}.pbip": {
            "$schema": PBIP,
            "version": "1.0",
            "artifacts": [{"report": {"path": f"{name}.Report"}}],
            "settings": settings,
        },
        f"{name}.Report/.platform": report.platform("Report", name),
        f"{name}.Report/definition.pbir": {
            "$schema": f"{report.BASE}/definitionProperties/2.0.0/schema.json",
            "version": "4.0",
            "datasetReference": {"byPath": {"path": f"../{name}.SemanticModel"}},
        },
        f"{name}.SemanticModel/.platform": report.platform("SemanticModel", name),
        f"{name}.SemanticModel/definition.pbism": {"$schema": MODEL, "version": "4.2", "settings": {}},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
