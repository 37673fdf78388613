"""Registry process: Apicurio Registry with its store in a file, answering Confluent's API."""

from __future__ import annotations

from pathlib import Path

from rtlib.config import Settings
from rtlib.services.parts import FIRST_TIER, THRIFTY


def registry_command(settings: Settings, *, java: Path, jars: tuple[Path, ...], heap_mb: int) -> tuple[str, ...]:
    """The command line of the registry; its only file is the unpacked runner jar.

    ``WRITE_DELAY=0``: otherwise H2 flushes twice a second, and a schema acknowledged right before a crash is lost.
    """
    store = settings.home / "registry" / "store"
    options = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": str(settings.ports["registry"]),
        "quarkus.management.enabled": "false",
        "quarkus.http.access-log.enabled": "false",
        "quarkus.banner.enabled": "false",
        "quarkus.log.level": "WARN",
        'quarkus.log.category."io.apicurio".level': "WARN",
        "quarkus.log.console.format": "%d{yyyy-MM-dd HH:mm:ss} %p %c{2.} %s%e%n",
        "apicurio.storage.kind": "sql",
        "apicurio.storage.sql.kind": "h2",
        "apicurio.datasource.url": f"jdbc:h2:file:{store};WRITE_DELAY=0",
    }
    return (
        str(java),
        f"-Xmx{heap_mb}m",
        *THRIFTY,
        FIRST_TIER,
        *(f"-D{name}={value}" for name, value in options.items()),
        "-jar",
        str(jars[0]),
    )
