"""Retention: turns old raw events of a domain into rollups."""

from __future__ import annotations

from contextlib import closing

from rtlib.config import Settings
from rtlib.pipeline.runs import recorded
from rtlib.records import BatchJob
from rtlib.simulator.interval_counts import INTERVAL_MINUTES
from rtlib.warehouse import rollups
from rtlib.warehouse.connection import connect
from rtlib.warehouse.rollups import RolledUp


def roll_up(settings: Settings, *, days: int) -> RolledUp | None:
    """Move events older than ``days`` to RAW.ROLLUPS, as aggregates of each site, kind and half-hour.

    Returns:
        What was moved; None if no event is that old.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; nothing was changed.
    """
    with recorded(settings, BatchJob.RETENTION) as run, closing(connect(settings)) as connection:
        rolled = rollups.roll_up(connection, settings.domain, days=days, interval_minutes=INTERVAL_MINUTES)
        run.rows = rolled.events if rolled else 0
    return rolled
