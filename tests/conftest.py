"""Fixtures that more than one file of tests needs: one local warehouse for the whole run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings as hypothesis_settings

from support import groups
from support.saved_tables import TABLES
from support.warehouse_server import WarehouseServer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from snowflake.connector import SnowflakeConnection


# How long an example takes says something about the machine, not about the code.
hypothesis_settings.register_profile("rtlib", deadline=None)
hypothesis_settings.load_profile("rtlib")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--release", action="store_true", help="also run the tests that take long, marked 'release'")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose what runs, and in which order; see 'Tests' in CONTRIBUTING.md."""
    if not config.getoption("--release"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("release")])
        items[:] = [item for item in items if not item.get_closest_marker("release")]
    alone = not hasattr(config, "workerinput")
    items.sort(key=lambda item: (groups.rank(item.nodeid, alone=alone), place_in_group(item)))


def place_in_group(item: pytest.Item) -> int:
    """Below 0 for tests that need a stack as it was started, above for those that leave forged records or end it."""
    marker = item.get_closest_marker("stack_order")
    return {"fresh": -1, "forges": 1, "ends": 2}[marker.args[0]] if marker else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes (``-n``), one process runs a group."""
    return groups.scheduler(config, log)


@pytest.fixture(scope="session")
def no_settings_of_the_developer() -> Iterator[None]:
    """The tests choose their settings; what the terminal has set must not change them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RTLIB_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def warehouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarehouseServer]:
    """One warehouse for the run, with the schema in it. No test may stop it."""
    from rtlib.warehouse.migrations import migrate

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
    from rtlib.warehouse.connection import execute, query

    connection = warehouse_server.connect()
    counts = [f"select '{table}' as name, count(*) as n from {table}" for table in TABLES]
    for row in query(connection, " union all ".join(counts)):  # a statement instead of five, for most are empty
        if row["n"]:
            execute(connection, f"delete from {row['name']}")
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
