"""Ports: the usual ones, unless another process uses them or another stack may need them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rtlib.config import USUAL_PORTS, Settings
from rtlib.errors import EnvironmentProblem
from rtlib.services import ports, processes
from support.stack import until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_the_chosen_ports_are_free_distinct_and_saved(settings: Settings) -> None:
    chosen = ports.choose(settings)
    assert set(chosen) == set(USUAL_PORTS)
    assert len(set(chosen.values())) == len(USUAL_PORTS)
    assert all(ports.is_free(port) for port in chosen.values())
    assert settings.ports == chosen


def test_a_previous_port_is_kept_while_it_is_free_and_replaced_when_it_is_busy(settings: Settings) -> None:
    first = ports.choose(settings)
    with socket.socket() as server:
        server.bind(("127.0.0.1", first["registry"]))
        server.listen()
        second = ports.choose(settings)
    assert second["registry"] != first["registry"]
    assert {name: port for name, port in second.items() if name != "registry"} == {
        name: port for name, port in first.items() if name != "registry"
    }
    assert second["registry"] in ports.ALTERNATIVES


def test_a_port_of_another_running_stack_is_not_chosen_even_while_nothing_listens_there(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ports.choose(settings)
    other = tmp_path / "other"
    other.mkdir()
    (other / "ports.json").write_text(json.dumps(theirs))
    monkeypatch.setattr(processes, "running_homes", lambda: {other})
    ours = ports.choose(settings)
    assert set(ours.values()) & set(theirs.values()) == set()


def test_a_running_supervisor_is_found_with_its_state_folder(tmp_path: Path) -> None:
    # A process with a supervisor's command line; only that matters.
    program = "import sys; sys.stdin.read()"
    command = (
        sys.executable,
        "-c",
        program,
        "supervisor.supervisord",
        "-c",
        str(tmp_path / "run" / "supervisord.conf"),
    )
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        until(lambda: tmp_path in processes.running_homes(), seconds=10)
        process.communicate()
    assert tmp_path not in processes.running_homes()


def test_a_pinned_port_that_is_busy_is_refused(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        settings = Settings(home=tmp_path / "home", registry_port=server.getsockname()[1])
        with pytest.raises(EnvironmentProblem, match="for registry is busy"):
            ports.choose(settings)
    assert not (tmp_path / "home").exists()


def test_a_pinned_port_is_reserved_for_its_server(settings: Settings) -> None:
    earlier = ports.choose(settings)["kafka"]  # Kafka's previous port, and Kafka comes before the receiver
    chosen = ports.choose(settings.model_copy(update={"receiver_port": earlier}))
    assert chosen["receiver"] == earlier
    assert len(set(chosen.values())) == len(USUAL_PORTS)


def test_the_app_does_not_get_the_port_of_a_part_that_is_just_restarting(settings: Settings) -> None:
    chosen = ports.choose(settings)
    ports.write(settings.home, {**chosen, "app": chosen["registry"]})
    assert ports.for_app(settings) not in {port for name, port in chosen.items() if name != "app"}
