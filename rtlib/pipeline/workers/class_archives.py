"""Class archives: makes those that the running JVMs lack."""

from __future__ import annotations

import logging
import time

from rtlib.config import Settings, inherited_environment
from rtlib.services import archive_maker
from rtlib.services.archive_maker import Run

PART = "class-archive"  # its memory is not the batch part's: 0.8 GB for a minute, once
log = logging.getLogger(__name__)


def environment() -> dict[str, str]:
    """The variables of Java while it makes an archive; with them a stop of the stack finds it after a crash too."""
    return {**inherited_environment(), "RTLIB_PART": PART}


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
