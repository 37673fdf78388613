"""Class archives: makes those that the running JVMs lack."""

from __future__ import annotations

import logging
import time

from rtlib.config import Settings
from rtlib.services import archive_maker
from rtlib.services.archive_maker import Run

log = logging.getLogger(__name__)


def make_missing(settings: Settings, *, run: Run) -> bool:
    """Make the missing archives one after another; True when there is nothing left to do.

    Args:
        settings: The state folder.
        run: Runs a command to its end and returns its exit code.

    Raises:
        ServiceError: The stack stops.
        OSError: The disk is full.
    """
    for classes in archive_maker.missing(settings.home):
        began = time.monotonic()
        made = archive_maker.make(classes, run=run)
        seconds = time.monotonic() - began
        log.info("%s: %s (%.1f s)", classes.stem, "class archive made" if made else "no class archive", seconds)
    return not archive_maker.missing(settings.home)
