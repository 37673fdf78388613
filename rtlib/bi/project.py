"""Project: all files of the Power BI project, written in one go. The same description always gives the same files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtlib.bi import report, tmdl
from rtlib.bi.spec import Table
from rtlib.bi.tmdl import Mode

# By the name of the .pbip file. Short names: Windows allows a path of 260 characters.
VARIANTS: Mapping[str, Mode] = {"rtlib": "directQuery", "rtlib-files": "import"}
PBIP = "https://developer.microsoft.com/json-schemas/fabric/pbip/pbipProperties/1.0.0/schema.json"
MODEL = "https://developer.microsoft.com/json-schemas/fabric/item/semanticModel/definitionProperties/1.0.0/schema.json"


def files(tables: tuple[Table, ...]) -> dict[str, str]:
    """Every file of the project as text, by its path below the project's folder."""
    told: dict[str, str] = {}
    for name, mode in VARIANTS.items():
        told |= {path: _json(value) for path, value in _items(name).items()}
        told |= {f"{name}.Report/{path}": _json(value) for path, value in report.files().items()}
        told |= {f"{name}.SemanticModel/definition/{path}": text for path, text in tmdl.files(tables, mode).items()}
    return told


def build(folder: Path, tables: tuple[Table, ...]) -> list[str]:
    """Write the project anew; returns the paths of its files.

    What was there of its reports and models is removed first, so that nothing of an older description stays.
    """
    told = files(tables)
    for name in VARIANTS:
        for item in (folder / f"{name}.Report", folder / f"{name}.SemanticModel"):
            shutil.rmtree(item, ignore_errors=True)
    for path, text in told.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return sorted(told)


def outdated(folder: Path, tables: tuple[Table, ...]) -> list[str]:
    """The files that are not as ``build`` would write them, or that it would not write."""
    told = files(tables)
    there = {
        path.relative_to(folder).as_posix()
        for name in VARIANTS
        for path in [*folder.glob(f"{name}.pbip"), *folder.glob(f"{name}.*/**/*")]
        if path.is_file() and ".pbi" not in path.parts  # what Power BI keeps for itself
    }
    wrong = {path for path in told.keys() & there if (folder / path).read_text(encoding="utf-8") != told[path]}
    return sorted((told.keys() ^ there) | wrong)


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
