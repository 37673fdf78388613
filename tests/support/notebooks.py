"""The lessons, and the cells of their sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext

from support.project import ROOT

FOLDER = ROOT / "notebooks"
SOURCES = sorted((FOLDER / "py").glob("*.py"))
LESSONS = [source for source in SOURCES if source.stem[0].isdigit()]


def of_kind(source: Path, kind: str) -> list[Any]:
    return [cell for cell in jupytext.read(source).cells if cell.cell_type == kind]
