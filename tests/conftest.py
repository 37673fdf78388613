"""Fixtures that more than one file of tests needs: one local warehouse for the whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from support.warehouse_server import WarehouseServer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from snowflake.connector import SnowflakeConnection


# How long an example takes says something about the machine, not about the code.
hypothesis_settings.register_profile("rtlib", deadline=None)
hypothesis_settings.load_profile("rtlib")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests that share the real stack come last: before, no other test has to compete with it for the machine."""
    items.sort(key=lambda item: "stack" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def warehouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseServer]:
    """One warehouse for the run, with the schema in it. No test may stop it."""
    from rtlib.warehouse.schema import migrate

    server = WarehouseServer(tmp_path_factory.mktemp("warehouse"))
    server.start()
    connection = server.connect()
    migrate(connection)
    connection.close()
    yield server
    server.stop()


@pytest.fixture
def warehouse(warehouse_server: WarehouseServer) -> Iterator[SnowflakeConnection]:
    """A session in a warehouse whose tables are empty."""
    from rtlib.warehouse.connection import execute

    connection = warehouse_server.connect()
    for table in ("RAW.EVENTS", "RAW.REJECTED", "RAW.BATCHES", "SPEED.KPIS", "SPEED.BATCHES"):
        execute(connection, f"delete from {table}")
    yield connection
    connection.close()


@pytest.fixture
def own_warehouse(tmp_path: Path) -> Iterator[Callable[[], WarehouseServer]]:
    """Starts a warehouse of the test's own, to stop and kill."""
    started: list[WarehouseServer] = []

    def start() -> WarehouseServer:
        server = WarehouseServer(tmp_path / "home")
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One Spark session for the run, as the streaming application makes it. No test may stop it."""
    from rtlib.config import Settings
    from rtlib.services.java import ensure_java
    from rtlib.streaming.session import session

    chosen = Settings(home=tmp_path_factory.mktemp("spark"), spark_master="local[2]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(ensure_java(chosen).path.parent.parent))
        made = session(chosen, jars=())
        yield made
        made.stop()
