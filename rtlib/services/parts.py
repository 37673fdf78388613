"""Parts: the processes of the local stack. A new process is an entry in `PARTS`, and a function if it runs Python.

`rtlib.pipeline.workers` maps the name of each worker to its function. Everything else reads `PARTS`: the supervisor's
configuration, health checks, memory limits, recovery, and the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.services.broker import broker_command
from rtlib.services.registry import registry_command
from rtlib.services.supervisor import Program

PROMISED_MB = {"laptop": 3 * 1024, "small": 2 * 1024}  # resident memory of the whole stack, by profile


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a command line is built from: the settings, the ``java`` executable, and the jars of each set."""

    settings: Settings
    java: Path
    jars: Mapping[str, tuple[Path, ...]]


def _never(settings: Settings) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Part:
    """A process of the local stack.

    Attributes:
        name: Its name in ``rtlib status`` and ``rtlib logs``; a worker's name is also that of its function.
        memory_mb: Profile to the resident memory it may take, in MB, children included.
        command: Builds its command line; None for a worker, which ``rtlib run <name>`` runs.
        layer: Parts of one layer stop together, before the lower layers that they need.
        server: It must answer before topics, schema and tables are created; the others are awaited after that.
        autostart: It starts with the supervisor; the others start once topics, schema and tables exist.
        restart: It is started again whenever it ends.
        stop_seconds: How long it may take to stop before it is killed.
        heartbeats: Names of its heartbeats on the progress topic. They are its health check, unless
            ``rtlib.pipeline.monitoring.health`` has one of its own for it.
        group: Its consumer group, after ``rtlib.<domain>.``: the committed offsets are how far it has read.
        writes: It writes to the warehouse, so a rebuild of the warehouse stops it.
        recovers: A recovery is complete only when it answers.
        runs_elsewhere: True for settings with which no local process is needed.
    """

    name: str
    memory_mb: Mapping[str, int]
    command: Callable[[Runtime], tuple[str, ...]] | None = None
    layer: int = 2
    server: bool = False
    autostart: bool = False
    restart: bool = True
    stop_seconds: int = 15
    heartbeats: tuple[str, ...] = ()
    group: str = ""
    writes: bool = False
    recovers: bool = False
    runs_elsewhere: Callable[[Settings], bool] = _never

    @property
    def is_worker(self) -> bool:
        """True when it runs Python code of the pipeline."""
        return self.command is None

    def program(self, runtime: Runtime) -> Program:
        """What the supervisor runs."""
        command = self.command(runtime) if self.command else (sys.executable, "-m", "rtlib", "run", self.name)
        return Program(
            self.name,
            command,
            layer=self.layer,
            autostart=self.autostart,
            restart=self.restart,
            stop_seconds=self.stop_seconds,
        )


def _broker(runtime: Runtime) -> tuple[str, ...]:
    settings, heap_mb = runtime.settings, {"laptop": 512, "small": 288}[runtime.settings.profile]
    return broker_command(
        settings.home,
        java=runtime.java,
        jars=runtime.jars["kafka"],
        heap_mb=heap_mb,
        record=settings.class_archives,
    )


def _registry(runtime: Runtime) -> tuple[str, ...]:
    heap_mb = {"laptop": 192, "small": 128}[runtime.settings.profile]
    return registry_command(runtime.settings, java=runtime.java, jars=runtime.jars["registry"], heap_mb=heap_mb)


def _warehouse(runtime: Runtime) -> tuple[str, ...]:
    settings = runtime.settings
    return (
        *(sys.executable, "-m", "rtlib.services.fakesnow", "--port", str(settings.ports["warehouse"])),
        *("--home", str(settings.home), "--database", settings.snowflake_database),
    )


PARTS = (
    Part(
        "broker",
        {"laptop": 480, "small": 310},
        _broker,
        layer=0,
        server=True,
        autostart=True,
        recovers=True,
        runs_elsewhere=lambda settings: settings.kafka_bootstrap_servers is not None,
    ),
    Part(
        "registry",
        {"laptop": 270, "small": 200},
        _registry,
        layer=1,
        server=True,
        autostart=True,
        recovers=True,
        runs_elsewhere=lambda settings: settings.registry_url is not None,
    ),
    Part(
        "warehouse",
        {"laptop": 400, "small": 300},
        _warehouse,
        layer=1,
        server=True,
        autostart=True,
        recovers=True,
        runs_elsewhere=lambda settings: not settings.local_warehouse,
    ),
    Part(
        "receiver",
        {"laptop": 80, "small": 60},
        layer=1,
        server=True,
        autostart=True,
        runs_elsewhere=lambda settings: settings.teams_webhook_url is not None,  # cards go to Teams
    ),
    # Starts with the supervisor, because a JVM takes seconds to start.
    Part(
        "stream",
        {"laptop": 1180, "small": 610},
        autostart=True,
        stop_seconds=25,
        heartbeats=("kpis", "archive"),
        writes=True,
        recovers=True,
    ),
    Part("loader", {"laptop": 130, "small": 100}, heartbeats=("loader",), group="loader", writes=True, recovers=True),
    Part("alerts", {"laptop": 160, "small": 140}, stop_seconds=25, heartbeats=("alerts",), writes=True),
    Part("simulator", {"laptop": 102, "small": 98}, heartbeats=("simulator",)),
    Part("batch", {"laptop": 270, "small": 230}, stop_seconds=25, heartbeats=("batch",), writes=True),
)  # in the order in which they depend on each other
BY_NAME: Mapping[str, Part] = {part.name: part for part in PARTS}
PART_NAMES = tuple(BY_NAME)
HEARTBEATS = tuple(name for part in PARTS for name in part.heartbeats)


def programs(settings: Settings, *, java: Path, jars: Mapping[str, tuple[Path, ...]]) -> tuple[Program, ...]:
    """What the supervisor runs with these settings, in the order in which the parts depend on each other.

    Args:
        settings: Ports, profile and state folder.
        java: The ``java`` executable.
        jars: The downloaded files of each set: ``kafka`` and ``registry``.
    """
    runtime = Runtime(settings, java, jars)
    return tuple(part.program(runtime) for part in PARTS if not part.runs_elsewhere(settings))


def consumer_groups(settings: Settings) -> tuple[str, ...]:
    """The consumer groups of all parts in the domain of these settings."""
    return tuple(consumer_group(settings, part.name) for part in PARTS if part.group)


def consumer_group(settings: Settings, name: str) -> str:
    """The consumer group of a part in the domain of these settings."""
    return f"rtlib.{settings.domain}.{BY_NAME[name].group}"


def known_part(name: str) -> str:
    """Return the name unchanged if a part has it.

    Raises:
        ConfigError: No part has this name; the message lists those that exist.
    """
    if name not in BY_NAME:
        raise ConfigError(f"there is no part {name!r}", cure=f"use one of: {', '.join(PART_NAMES)}")
    return name
