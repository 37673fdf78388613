"""Run state: whether the stack of a folder runs; if not, its old ports are never used."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtlib.broker import topics
from rtlib.broker.registry import subjects
from rtlib.config import Settings
from rtlib.errors import ServiceError, WarehouseUnreachable
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.workers.delivery import webhook
from rtlib.run_state import clear_run_state, is_running, load_options, read_secret, save_options, socket_path
from rtlib.services import supervisor
from rtlib.transform.project import exports
from rtlib.warehouse.connection import connect, query
from support.stack import call_rtlib, running_supervisor, until
from support.warehouse_server import WarehouseServer


@pytest.fixture
def running() -> Iterator[Settings]:
    """A state folder with a real supervisor without programs."""
    with running_supervisor() as settings:
        yield settings


@pytest.fixture
def stopped(tmp_path: Path, warehouse_server: WarehouseServer) -> Settings:
    """Another state folder whose old ports are now used by another stack's warehouse."""
    ports = dict.fromkeys(("kafka", "registry", "warehouse", "receiver"), warehouse_server.port)
    (tmp_path / "ports.json").write_text(json.dumps(ports))
    return Settings(home=tmp_path)


def test_a_stack_runs_while_its_supervisor_listens_and_not_when_only_its_files_are_left(running: Settings) -> None:
    assert is_running(running.home)
    pid = supervisor.supervisor_pid(running)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_running(running.home), seconds=10)


def test_an_empty_folder_has_no_running_stack(tmp_path: Path) -> None:
    assert not is_running(tmp_path)


def test_a_socket_of_another_user_is_not_our_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(tmp_path)))
        listener.listen()
        assert is_running(tmp_path)
        monkeypatch.setattr("rtlib.run_state.os.getuid", lambda: os.geteuid() + 1)
        assert not is_running(tmp_path)
    socket_path(tmp_path).unlink()


def test_the_addresses_of_a_running_stack_use_its_chosen_ports(running: Settings) -> None:
    (running.home / "ports.json").write_text(json.dumps({"kafka": 5, "registry": 6}))
    assert running.bootstrap_servers == "127.0.0.1:5"
    assert running.schema_registry_url == "http://127.0.0.1:6/apis/ccompat/v7"
    assert running.local_port("kafka") == 5


REQUESTS: list[Callable[[Settings], Any]] = [
    lambda settings: settings.bootstrap_servers,
    lambda settings: settings.schema_registry_url,
    lambda settings: settings.local_port("receiver"),
    topics.ensure_topics,
    topics.topics,
    subjects,
    webhook,
    health.receiver,
    exports,
]


@pytest.mark.parametrize("request_something", REQUESTS)
def test_a_stopped_stack_is_reported_even_if_another_process_uses_its_ports(
    stopped: Settings, request_something: Callable[[Settings], Any]
) -> None:
    with pytest.raises(ServiceError, match=f"not running.*{stopped.home}") as refused:
        request_something(stopped)
    assert refused.value.cure == "rtlib up"


def test_the_warehouse_of_another_working_copy_is_not_used(
    stopped: Settings, warehouse_server: WarehouseServer
) -> None:
    with pytest.raises(WarehouseUnreachable, match="the stack is not running"):
        connect(stopped)
    connection = warehouse_server.connect()
    assert query(connection, "select 1 as answer") == [{"answer": 1}]
    connection.close()


@pytest.mark.parametrize("words", [("backfill",), ("ledger",), ("travel",), ("dbt", "build"), ("dbt", "env")])
def test_a_command_on_a_stopped_stack_reports_it_and_changes_nothing(stopped: Settings, words: tuple[str, ...]) -> None:
    done = call_rtlib(stopped.home, *words)
    assert done.returncode != 0
    assert "the stack is not running" in done.stderr
    assert "rtlib up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_part_uses_the_ports_without_checking_that_the_stack_runs(stopped: Settings) -> None:
    assert stopped.model_copy(update={"part": "loader"}).local_port("warehouse") == stopped.ports["warehouse"]


def test_servers_elsewhere_need_no_local_stack(tmp_path: Path) -> None:
    elsewhere = Settings(home=tmp_path, kafka_bootstrap_servers="broker:9092", registry_url="http://registry")
    assert (elsewhere.bootstrap_servers, elsewhere.schema_registry_url) == ("broker:9092", "http://registry")


def test_the_options_of_a_stack_are_kept_until_they_are_cleared(tmp_path: Path) -> None:
    save_options(tmp_path, {"domain": "iot", "rate": 5.0})
    assert load_options(tmp_path) == {"domain": "iot", "rate": 5.0}
    clear_run_state(tmp_path)
    assert load_options(tmp_path) == {}
    clear_run_state(tmp_path)


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe"])
def test_a_torn_file_says_nothing(tmp_path: Path, torn: bytes) -> None:
    for name in ("run.json", "secrets.json"):
        (tmp_path / name).write_bytes(torn)
    assert load_options(tmp_path) == {}
    assert read_secret(tmp_path, "kafka") is None
