"""What the registry is given before it starts, and what its log says of a damaged store.

Its access rules are tested on a running registry, in tests/integration.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import RegistryDamaged, ServiceError
from rtlib.run_state import make_secrets, read_secret
from rtlib.services.registry import prepare_registry, registry_command, store_damage


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


# --- what a power cut leaves of its store ----------------------------------------------------------------------------

# The words of Apicurio 3.0.9 over a store that was cut to two thirds, begins with zeros, or misses every other page.
NO_TABLE = (
    "Caused by: io.apicurio.registry.storage.impl.sql.jdb.RuntimeSqlException: "
    "org.h2.jdbc.JdbcSQLSyntaxErrorException: "
    'Table "VERSIONS" not found; SQL statement:'
)
NO_CHUNKS = (
    "Caused by: io.apicurio.registry.storage.error.RegistryStorageException: "
    'org.h2.jdbc.JdbcSQLNonTransientConnectionException: File corrupted while reading record: "store.mv.db". '
    "Possible solution: use the recovery tool [90030-230]"
)
NO_VERSION = (
    "Caused by: java.lang.RuntimeException: [Apicurio Registry 3.x] Detected legacy 2.x database.  Automatic upgrade "
    "from 2.x to 3.x is not supported.  Please see documentation for migration instructions."
)
FULL = 'Caused by: org.h2.jdbc.JdbcSQLNonTransientException: IO Exception: "No space left on device" [90031-230]'
IN_USE = "Caused by: org.h2.mvstore.MVStoreException: The file is locked: store.mv.db. Database may be already in use"
SLOW = (
    "Caused by: io.apicurio.registry.storage.error.RegistryStorageException: java.sql.SQLException: "
    "Acquisition timeout while waiting for new connection"
)
BUSY = "Caused by: io.quarkus.runtime.QuarkusBindException: Port(s) already bound: 8081"


def fails(reason: str) -> str:
    """The log of a start that failed."""
    return f"2026-11-29 12:23:21 ERROR io.qu.ru.Application Failed to start application: RuntimeException\n{reason}\n"


def with_log(home: Path, text: str) -> Settings:
    (home / "logs").mkdir()
    (home / "logs" / "registry.log").write_text(text)
    return Settings(home=home)


@pytest.mark.parametrize("reason", [NO_TABLE, NO_CHUNKS, NO_VERSION])
def test_a_store_with_which_the_registry_cannot_start_is_named_with_a_cure(tmp_path: Path, reason: str) -> None:
    damage = store_damage(with_log(tmp_path, fails(BUSY) + fails(reason)))
    store = tmp_path / "registry" / "store.mv.db"
    assert isinstance(damage, RegistryDamaged)
    assert damage.what == f"the registry's store {store} is damaged: the registry cannot start with it"
    assert damage.cure.startswith(f"mv {store} {store}.torn; then rtlib up")


@pytest.mark.parametrize("reason", [BUSY, FULL, IN_USE, SLOW, ""])
def test_a_start_that_failed_at_something_else_says_nothing_of_the_store(tmp_path: Path, reason: str) -> None:
    assert store_damage(with_log(tmp_path, fails(NO_TABLE) + fails(reason))) is None


@pytest.mark.parametrize("log", ["", "2026-11-29 12:23:21 WARN io.ag.pool org.h2.jdbc.JdbcSQLException: slow\n"])
def test_a_registry_that_never_failed_has_a_whole_store(tmp_path: Path, log: str) -> None:
    assert store_damage(with_log(tmp_path, log)) is None
