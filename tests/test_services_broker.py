"""What the broker is given before it starts."""

from __future__ import annotations

import stat
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import EnvironmentProblem
from rtlib.running import make_secrets, read_secret
from rtlib.services import broker


def test_a_cluster_id_never_begins_with_a_dash_which_the_tool_would_take_for_an_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr(broker.uuid, "uuid4", lambda: next(drawn))
    assert broker._cluster_id() == "A" * 22


def test_a_folder_with_an_accent_is_written_as_java_reads_properties() -> None:
    assert broker._property(Path("/home/josé 𝄞/.rtlib")) == r"/home/jos\u00e9 \ud834\udd1e/.rtlib"


def test_a_folder_with_a_comma_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "one, two")
    with pytest.raises(EnvironmentProblem, match="comma"):
        broker.prepare_broker(settings, java=Path("java"), jars=())
    assert not settings.home.exists()


@pytest.fixture
def properties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], dict[str, str]]:
    """Writes the broker's configuration and returns it; no tool is run."""
    done = subprocess.CompletedProcess((), 0, "", "")
    monkeypatch.setattr(broker.subprocess, "run", lambda *words, **named: done)
    make_secrets(tmp_path)

    def write(shared: bool) -> dict[str, str]:
        broker.prepare_broker(Settings(home=tmp_path, shared=shared), java=Path("java"), jars=())
        path = tmp_path / "kafka" / "server.properties"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        return dict(line.split("=", 1) for line in path.read_text().splitlines())

    return write


@pytest.mark.parametrize("shared", [False, True])
def test_the_broker_listens_on_this_machine_alone(properties: Callable[[bool], dict[str, str]], shared: bool) -> None:
    assert properties(shared)["listeners"] == "CLIENT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"


def test_on_a_shared_machine_both_ports_of_the_broker_ask_for_a_sign_in(
    properties: Callable[[bool], dict[str, str]], tmp_path: Path
) -> None:
    written = properties(True)
    assert written["listener.security.protocol.map"] == "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    assert written["listener.name.client.sasl.enabled.mechanisms"] == "SCRAM-SHA-512,PLAIN"
    assert written["listener.name.controller.sasl.enabled.mechanisms"] == "PLAIN"
    secret = read_secret(tmp_path, "kafka_broker")
    for listener in ("client", "controller"):
        assert f'user_broker="{secret}"' in written[f"listener.name.{listener}.plain.sasl.jaas.config"]


def test_on_a_machine_of_its_own_the_broker_has_no_secret(
    properties: Callable[[bool], dict[str, str]], tmp_path: Path
) -> None:
    written = properties(False)
    assert written["listener.security.protocol.map"] == "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT"
    assert not any(str(read_secret(tmp_path, name)) in str(written) for name in ("kafka", "kafka_broker"))
