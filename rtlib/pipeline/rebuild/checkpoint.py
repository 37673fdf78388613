"""Rebuild a checkpoint: a query begins anew at the start of its topic, and what it writes twice changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.services import processes, supervisor
from rtlib.streaming.queries import ARCHIVE, KPIS, QUERIES, checkpoint


def rebuild_checkpoint(settings: Settings, query: str) -> tuple[Path, ...]:
    """Put a query's checkpoint aside, so that it reads its topic again from the earliest record that Kafka holds.

    The archive adds no event that RAW holds already, and the KPI query writes each window again under the same key. A
    running streaming application is stopped for it and started again.

    Args:
        settings: Which stack; it may be stopped.
        query: ``kpis`` or ``archive``.

    Returns:
        Where the old checkpoint now is: a folder for each trigger that has one; empty when there was none.

    Raises:
        ConfigError: There is no such query.
        ServiceError: The streaming application could not be stopped or started.
    """
    if query not in QUERIES:
        raise ConfigError(f"no query is called {query!r}", cure=f"use one of: {', '.join(QUERIES)}")
    state = supervisor.states(settings).get("stream")
    if state is not None:
        supervisor.stop_part(settings, "stream")
    elif any(part == "stream" for part, _ in processes.processes_of(settings.home)):
        raise ConfigError("the streaming application has outlived its supervisor", cure="rtlib down, then try again")
    try:
        return tuple(_aside(folder) for folder in _folders(settings, query) if folder.exists())
    finally:
        if state is not None and state.state != "STOPPED":
            supervisor.start_part(settings, "stream")


def _folders(settings: Settings, query: str) -> tuple[Path, ...]:
    names = (ARCHIVE,) if query == ARCHIVE else (f"{KPIS}-real-time", f"{KPIS}-micro-batch")
    return tuple(Path(checkpoint(settings, name)) for name in names)


def _aside(folder: Path) -> Path:
    place = private.make_folder(folder.parent / "torn") / f"{folder.name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    folder.replace(place)
    return place
