"""The registry's options. Its access rules are tested on the real registry, in tests/integration."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.run_state import make_secrets, read_secret
from rtlib.services.registry import prepare_registry, registry_command


def test_the_secret_is_in_a_private_file_and_not_on_the_command_line(tmp_path: Path) -> None:
    settings, home = Settings(home=tmp_path / "a home, é"), tmp_path / "a home, é"
    home.mkdir()
    make_secrets(home)
    prepare_registry(settings)
    command = registry_command(settings, java=Path("java"), jars=(Path("runner.jar"),), heap_mb=64)
    secret, path = str(read_secret(home, "registry")), home / "registry" / "registry.properties"
    assert secret not in " ".join(command)
    assert f"-Dquarkus.config.locations={path.as_uri()}" in command
    assert "," not in path.as_uri()  # Quarkus would read a comma as a separator
    assert secret in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_secret_nothing_is_prepared(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="no secret for the local registry"):
        prepare_registry(Settings(home=tmp_path))
    assert not (tmp_path / "registry" / "registry.properties").exists()
