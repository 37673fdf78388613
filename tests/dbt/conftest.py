"""Fixtures of the tests that run dbt: its project, read once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.pipeline.dbt import lineage


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a state folder with dbt's manifest in it; dbt reads the project once, and each folder is a copy."""
    first = tmp_path_factory.mktemp("parsed")
    lineage(Settings(home=first))

    def copy() -> Path:
        return shutil.copytree(first, tmp_path_factory.mktemp("manifest"), dirs_exist_ok=True)

    return copy
