"""Parts: the local processes, each with the command that runs it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtlib.config import Settings
from rtlib.errors import ConfigError

# Resident memory is bounded by these: 3 GB in all for a laptop, 2 GB for the small profile.
HEAP_MB = {
    "laptop": {"broker": 512, "registry": 192, "stream": 1024},
    "small": {"broker": 288, "registry": 128, "stream": 640},
}
PROMISED_MB = {"laptop": 3 * 1024, "small": 2 * 1024}
# What each part may have resident, in MB, children included; what has more is named by ``rtlib status``.
MEMORY_MB = {
    "laptop": {
        **{"broker": 520, "registry": 290, "warehouse": 400, "receiver": 90},
        **{"stream": 1250, "loader": 190, "alerts": 210, "simulator": 122},
    },
    "small": {
        **{"broker": 330, "registry": 220, "warehouse": 320, "receiver": 80},
        **{"stream": 650, "loader": 150, "alerts": 190, "simulator": 108},
    },
}
# Serial collector: half the memory. The first compiler tier alone: a faster start, for what has little to do; the
# broker runs long enough for the second to pay.
THRIFTY = ("-XX:+UseSerialGC", "-Xss512k", "-XX:-UsePerfData")
FIRST_TIER = "-XX:TieredStopAtLevel=1"


@dataclass(frozen=True, slots=True)
class Part:
    """One supervised process.

    Attributes:
        name: What it is called in ``rtlib status`` and ``rtlib logs``.
        command: The words of its command line.
        layer: Parts of the same layer end together, before those of lower layers, which they need.
        autostart: Started with the supervisor; the others start once topics, schema and tables are there.
        stop_seconds: How long it may take to stop before it is killed.
    """

    name: str
    command: tuple[str, ...]
    layer: int = 2
    autostart: bool = True
    stop_seconds: int = 15


PART_NAMES = ("broker", "registry", "warehouse", "receiver", "stream", "loader", "alerts", "simulator")


def parts(settings: Settings, *, java: Path, jars: Mapping[str, tuple[Path, ...]]) -> tuple[Part, ...]:
    """The parts of the local stack, in the order in which they depend on each other.

    Args:
        settings: Ports, profile and state folder.
        java: The ``java`` executable.
        jars: The downloaded files of each set: ``kafka`` and ``registry``.
    """
    from rtlib.services.broker import broker_command
    from rtlib.services.registry import registry_command

    heap = HEAP_MB[settings.profile]
    python = (sys.executable, "-m")
    run = (*python, "rtlib", "run")
    registry = registry_command(settings, java=java, jars=jars["registry"], heap_mb=heap["registry"])
    warehouse = (*python, "rtlib.services.fakesnow", "--port", str(settings.ports["warehouse"]))
    database = ("--database", settings.snowflake_database)
    every = (
        Part("broker", broker_command(settings.home, java=java, jars=jars["kafka"], heap_mb=heap["broker"]), layer=0),
        Part("registry", registry, layer=1),
        Part("warehouse", (*warehouse, "--home", str(settings.home), *database), layer=1),
        Part("receiver", (*run, "receiver"), layer=1),
        Part("stream", (*run, "stream"), stop_seconds=25),
        Part("loader", (*run, "loader"), autostart=False),
        Part("alerts", (*run, "alerts"), autostart=False, stop_seconds=25),
        Part("simulator", (*run, "simulator"), autostart=False),
    )
    return tuple(part for part in every if _is_local(part.name, settings))


def _is_local(name: str, settings: Settings) -> bool:
    """A broker, registry or warehouse that runs elsewhere is not started here; with Teams no receiver is needed."""
    elsewhere = {
        "broker": settings.kafka_bootstrap_servers is not None,
        "registry": settings.registry_url is not None,
        "warehouse": not settings.local_warehouse,
        "receiver": settings.teams_webhook_url is not None,
    }
    return not elsewhere.get(name, False)


def known_part(name: str) -> str:
    """The name itself, when a part is called so.

    Raises:
        ConfigError: No part is called so; the message lists those there are.
    """
    if name not in PART_NAMES:
        raise ConfigError(f"no part is called {name!r}", cure=f"use one of: {', '.join(PART_NAMES)}")
    return name
