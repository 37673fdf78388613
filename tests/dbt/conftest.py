"""Fixtures of the tests that run dbt: a warehouse for its builds, and its project, read once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rtlib.pipeline.dbt import lineage
from support.warehouse_server import WarehouseServer


@pytest.fixture(scope="session")
def dbt_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseServer]:
    """A warehouse without tables, with dbt's manifest in its state folder."""
    server = WarehouseServer(tmp_path_factory.mktemp("dbt"))
    server.start()
    lineage(server.settings)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def parsed(dbt_server: WarehouseServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a state folder with dbt's manifest in it, a copy: dbt reads the project once for each warehouse's port."""

    def copy() -> Path:
        folder = tmp_path_factory.mktemp("manifest")
        shutil.copytree(dbt_server.home / "dbt" / "target", folder / "dbt" / "target")
        shutil.copy(dbt_server.home / "ports.json", folder)
        return folder

    return copy
