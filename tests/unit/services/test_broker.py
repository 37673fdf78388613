"""What the broker is given before it starts."""

from __future__ import annotations

import stat
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import EnvironmentProblem, ServiceError
from rtlib.run_state import make_secrets, read_secret
from rtlib.services import broker, broker_files, registry


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


IDENTITY = "#\nnode.id=1\ndirectory.id=LNT3jJg6Vbv8UKgRFUqghg\nversion=1\ncluster.id=_HVVtKujQWufp4KC-Iy6Jw\n"


@pytest.fixture
def properties(tmp_path: Path) -> Callable[[bool], dict[str, str]]:
    """Writes the broker's configuration of a formatted storage and returns it."""
    data = tmp_path / "kafka" / "data"
    (data / "__cluster_metadata-0").mkdir(parents=True)
    (data / "meta.properties").write_text(IDENTITY)
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


# --- what a power cut leaves -----------------------------------------------------------------------------------------


@pytest.fixture
def formatted(tmp_path: Path) -> Settings:
    """A state folder whose storage was formatted, and prepared once since then."""
    data = tmp_path / "kafka" / "data"
    (data / "__cluster_metadata-0").mkdir(parents=True)
    (data / "meta.properties").write_text(IDENTITY)
    settings = Settings(home=tmp_path)
    broker.prepare_broker(settings, java=Path("no java"), jars=())
    return settings


@pytest.mark.parametrize("left", ["", IDENTITY[:20], IDENTITY[:-4], None])
def test_a_torn_identity_of_the_storage_is_taken_from_its_copy(formatted: Settings, left: str | None) -> None:
    identity = formatted.home / "kafka" / "data" / "meta.properties"
    identity.unlink() if left is None else identity.write_text(left)
    broker.prepare_broker(formatted, java=Path("no java"), jars=())
    assert identity.read_text() == IDENTITY


def test_a_torn_identity_without_a_copy_is_named_with_the_cure(formatted: Settings) -> None:
    (formatted.home / "kafka" / "data" / "meta.properties").write_text("")
    (formatted.home / "kafka" / broker.IDENTITY_COPY).unlink()
    with pytest.raises(ServiceError, match="meta.properties is damaged") as damaged:
        broker.prepare_broker(formatted, java=Path("no java"), jars=())
    assert damaged.value.cure == "rtlib reset, then rtlib up"


@pytest.mark.parametrize("name", broker_files.OFFSETS)
@pytest.mark.parametrize("left", ["", "0\n", "0\n2\nevents 0 10\n", "0\n1\nevents 0\n"])
def test_a_torn_file_of_offsets_is_left_to_kafka_to_build_again(formatted: Settings, name: str, left: str) -> None:
    path = formatted.home / "kafka" / "data" / name
    path.write_text("0\n1\nevents 0 10\n")
    broker.prepare_broker(formatted, java=Path("no java"), jars=())
    assert path.exists()
    path.write_text(left)
    broker.prepare_broker(formatted, java=Path("no java"), jars=())
    assert not path.exists()


def test_a_registry_store_that_h2_would_replace_by_an_empty_one_is_named(tmp_path: Path) -> None:
    registry.check_store(Settings(home=tmp_path))
    store = tmp_path / "registry" / "store.mv.db"
    store.parent.mkdir()
    header = b"H:2,block:2,blockSize:1000".ljust(4096, b"\n")
    for whole in (header * 2, bytes(4096) + header):
        store.write_bytes(whole)
        registry.check_store(Settings(home=tmp_path))
    for torn in (b"", bytes(8192)):
        store.write_bytes(torn)
        with pytest.raises(ServiceError, match=r"store\.mv\.db is damaged") as damaged:
            registry.check_store(Settings(home=tmp_path))
        assert damaged.value.cure.startswith(f"mv {store} {store}.torn; then rtlib up")
