"""Rebuild a checkpoint: a query starts again at the beginning of its topic; what it writes twice changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.services import processes, supervisor
from rtlib.streaming.queries import ARCHIVE, KPIS, QUERIES, checkpoint


def rebuild_checkpoint(settings: Settings, query: str) -> tuple[Path, ...]:
    """Move a query's checkpoint away, so that it reads its topic again from the earliest record that Kafka holds.

    The archive adds no event that RAW already holds, and the KPI query writes each window again under the same key. A
    running streaming application is stopped and started again.

    Args:
        settings: Which stack; it may be stopped.
        query: ``kpis`` or ``archive``.

    Returns:
        The new places of the old checkpoint: a folder for each trigger that has a checkpoint; empty if there was none.

    Raises:
        ConfigError: There is no such query.
        ServiceError: The streaming application could not be stopped or started.
    """
    if query not in QUERIES:
        raise ConfigError(f"there is no query named {query!r}", cure=f"use one of: {', '.join(QUERIES)}")
    state = supervisor.states(settings).get("stream")
    if state is not None:
        supervisor.stop_part(settings, "stream")
    elif any(part == "stream" for part, _ in processes.processes_of(settings.home)):
        raise ConfigError("the streaming application has outlived its supervisor", cure="rtlib down, then try again")
    try:
        return tuple(_move_away(folder) for folder in _folders(settings, query) if folder.exists())
    finally:
        if state is not None and state.state != "STOPPED":
            supervisor.start_part(settings, "stream")


def _folders(settings: Settings, query: str) -> tuple[Path, ...]:
    names = (ARCHIVE,) if query == ARCHIVE else (f"{KPIS}-real-time", f"{KPIS}-micro-batch")
    return tuple(Path(checkpoint(settings, name)) for name in names)


def _move_away(folder: Path) -> Path:
    target = private.make_folder(folder.parent / "torn") / f"{folder.name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    folder.replace(target)
    return target
