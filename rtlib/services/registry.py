"""Registry process: Apicurio Registry with a file store; it serves Confluent's API to its owner only."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rtlib import class_archive, private
from rtlib.class_archive import Jvm
from rtlib.config import Settings
from rtlib.errors import RegistryDamaged
from rtlib.run_state import LOCAL_USER
from rtlib.services.jvm import FIRST_COMPILER_TIER, LOW_MEMORY
from rtlib.services.logs import path as log_path
from rtlib.services.logs import tail

MAX_BODY = "2M"  # a schema is a few kilobytes
HEADERS, BLOCK = 2, 4096  # H2 keeps two copies of its header and accepts either
LOG_BYTES = 64 * 1024
# The last entry of a failed start's log, and the classes it names if the store is the cause.
FAILED = "Failed to start application"
STORE = re.compile(r"org\.h2\.|io\.apicurio\.registry\.storage\.|legacy 2\.x database")
# H2 errors with other causes: a full disk, a second process, a machine that is too busy to open it in time.
NOT_DAMAGE = ("No space left on device", "already in use", "Acquisition timeout")


def check_store(settings: Settings) -> None:
    """Refuse a damaged store, which H2 would replace by an empty store or would not open.

    Raises:
        RegistryDamaged: Both headers are damaged.
    """
    store = _store(settings)
    if not store.exists():
        return
    with store.open("rb") as file:
        headers = file.read(HEADERS * BLOCK)
    if not any(headers[number * BLOCK :].startswith(b"H:2,") for number in range(HEADERS)):
        raise _damaged(settings, "it has no header of H2")


def store_damage(settings: Settings) -> RegistryDamaged | None:
    """The damage that made the newest start fail, by the registry's log; None for any other reason."""
    log = "\n".join(tail(log_path(settings, "registry"), LOG_BYTES))
    _, failed, reason = log.rpartition(FAILED)
    if not failed or not STORE.search(reason) or any(text in reason for text in NOT_DAMAGE):
        return None
    return _damaged(settings, "the registry cannot start with it")


def _store(settings: Settings) -> Path:
    return settings.home / "registry" / "store.mv.db"


def _damaged(settings: Settings, why: str) -> RegistryDamaged:
    store = _store(settings)
    return RegistryDamaged(
        f"the registry's store {store} is damaged: {why}",
        cure=f"mv {store} {store}.torn; then rtlib up registers the schemas of the running domain again",
    )


def registry_command(settings: Settings, *, java: Path, jars: tuple[Path, ...], heap_mb: int) -> tuple[str, ...]:
    """The command line of the registry: the unpacked runner jar; the options are in a private file."""
    options = f"-Dquarkus.config.locations={_properties(settings).as_uri()}"
    archive = class_archive.options(settings.home, Jvm("registry", java, jars), record=settings.class_archives)
    return (str(java), f"-Xmx{heap_mb}m", *LOW_MEMORY, FIRST_COMPILER_TIER, *archive, options, "-jar", str(jars[0]))


def prepare_registry(settings: Settings) -> None:
    """Write the registry's options with today's port and secret.

    Raises:
        OSError: The disk is full, or the state folder cannot be written.
        ServiceError: There is no secret for the registry.
    """
    path = _properties(settings)
    private.make_folder(path.parent)
    options = {**_server(settings), **_guard(settings)}
    private.write(path, "".join(f"{name}={_escaped(value)}\n" for name, value in options.items()))


def _properties(settings: Settings) -> Path:
    return settings.home / "registry" / "registry.properties"


def _server(settings: Settings) -> dict[str, str]:
    """Address, logging and store.

    Without ``WRITE_DELAY=0`` H2 flushes twice a second, and a schema acknowledged just before a crash would be lost.
    """
    return {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": str(settings.ports["registry"]),
        "quarkus.http.limits.max-body-size": MAX_BODY,
        "quarkus.http.access-log.enabled": "false",
        "quarkus.management.enabled": "false",
        "quarkus.banner.enabled": "false",
        "quarkus.log.level": "WARN",
        'quarkus.log.category."io.apicurio".level': "WARN",
        "quarkus.log.console.format": "%d{yyyy-MM-dd HH:mm:ss} %p %c{2.} %s%e%n",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "h2",
        "apicurio.datasource.url": f"jdbc:h2:file:{settings.home / 'registry' / 'store'};WRITE_DELAY=0",
    }


def _guard(settings: Settings) -> dict[str, str]:
    """Access: the owner, with a secret, to Confluent's API; no page of another origin or host name."""
    port = settings.ports["registry"]
    return {
        # The secret: basic authentication of one user.
        "quarkus.http.auth.basic": "true",
        "quarkus.security.users.embedded.plain-text": "true",
        f"quarkus.security.users.embedded.users.{LOCAL_USER}": settings.local_secret("registry").get_secret_value(),
        f"quarkus.security.users.embedded.roles.{LOCAL_USER}": "owner",
        # The paths: Confluent's API and nothing else. The exact path is that API's own web page.
        "quarkus.http.auth.permission.api.paths": "/apis/ccompat/v7/*",
        "quarkus.http.auth.permission.api.policy": "authenticated",
        "quarkus.http.auth.permission.others.paths": "/*,/apis/ccompat/v7",
        "quarkus.http.auth.permission.others.policy": "deny",
        # The origin: a request from a foreign web page gets 403.
        "quarkus.http.cors.origins": f"http://127.0.0.1:{port}",
        # The host name: Apicurio can read a user's role from a header. The header is Host, and the roles are the names
        # of this server, so a page whose own name resolves to 127.0.0.1 has no role and gets 403.
        "apicurio.auth.role-based-authorization": "true",
        "apicurio.auth.role-source": "header",
        "apicurio.auth.role-source.header.name": "Host",
        "apicurio.auth.roles.admin": f"127.0.0.1:{port}",
        "apicurio.auth.roles.developer": f"localhost:{port}",
        "apicurio.auth.roles.readonly": f"localhost:{port}",
    }


def _escaped(value: str) -> str:
    """A value escaped for a Java properties file (JSON escapes alike) and for Quarkus, which expands ``$``."""
    return json.dumps(value)[1:-1].replace('\\"', '"').replace("$", "\\\\$")
