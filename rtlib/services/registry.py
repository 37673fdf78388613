"""Registry process: Apicurio Registry with its store in a file, answering Confluent's API to its owner alone."""

from __future__ import annotations

import json
from pathlib import Path

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.run_state import LOCAL_USER
from rtlib.services.jvm import FIRST_COMPILER_TIER, LOW_MEMORY

MAX_BODY = "2M"  # a schema is a few kilobytes
HEADERS, BLOCK = 2, 4096  # H2 keeps two copies of its header, and reads either


def check_store(settings: Settings) -> None:
    """Refuse a store that H2 would replace by an empty one, or would not open.

    Raises:
        ServiceError: Both of its headers are gone.
    """
    store = settings.home / "registry" / "store.mv.db"
    if not store.exists():
        return
    with store.open("rb") as file:
        begins = file.read(HEADERS * BLOCK)
    if not any(begins[number * BLOCK :].startswith(b"H:2,") for number in range(HEADERS)):
        raise ServiceError(
            f"the registry's store {store} is damaged: it does not begin as H2 writes it",
            cure=f"mv {store} {store}.torn, then rtlib up registers the schemas of the running domain again",
        )


def registry_command(settings: Settings, *, java: Path, jars: tuple[Path, ...], heap_mb: int) -> tuple[str, ...]:
    """The command line of the registry; its only jar is the unpacked runner, its options are in a private file."""
    options = f"-Dquarkus.config.locations={_properties(settings).as_uri()}"
    return (str(java), f"-Xmx{heap_mb}m", *LOW_MEMORY, FIRST_COMPILER_TIER, options, "-jar", str(jars[0]))


def prepare_registry(settings: Settings) -> None:
    """Write the registry's options with today's port and secret.

    Raises:
        OSError: The disk is full, or the state folder cannot be written.
        ServiceError: No secret was drawn for the registry.
    """
    path = _properties(settings)
    private.make_folder(path.parent)
    options = {**_server(settings), **_guard(settings)}
    private.write(path, "".join(f"{name}={_escaped(value)}\n" for name, value in options.items()))


def _properties(settings: Settings) -> Path:
    return settings.home / "registry" / "registry.properties"


def _server(settings: Settings) -> dict[str, str]:
    """Where it listens, what it logs, and its store.

    ``WRITE_DELAY=0``: otherwise H2 flushes twice a second, and a schema acknowledged right before a crash is lost.
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
    """Who may ask what: the owner, by a secret, for Confluent's API; never a page of another origin or host name."""
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
        # The origin: a request of a web page elsewhere gets 403.
        "quarkus.http.cors.origins": f"http://127.0.0.1:{port}",
        # The host name: Apicurio can read a user's role from a header; it is read from Host, and a role is a name that
        # this server has. A page that had its own name resolve to 127.0.0.1 has no role, so it gets 403.
        "apicurio.auth.role-based-authorization": "true",
        "apicurio.auth.role-source": "header",
        "apicurio.auth.role-source.header.name": "Host",
        "apicurio.auth.roles.admin": f"127.0.0.1:{port}",
        "apicurio.auth.roles.developer": f"localhost:{port}",
        "apicurio.auth.roles.readonly": f"localhost:{port}",
    }


def _escaped(value: str) -> str:
    """A value as Java reads it from a file of properties (JSON escapes as it does) and Quarkus, which expands ``$``."""
    return json.dumps(value)[1:-1].replace('\\"', '"').replace("$", "\\\\$")
