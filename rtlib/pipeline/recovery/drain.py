"""Settling: the wait between the end of the simulator and the moment at which all that it sent has arrived."""

from __future__ import annotations

import time

from rtlib.config import Settings
from rtlib.notify import Notify
from rtlib.pipeline.audit.backlog import is_sending, outstanding

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 60.0  # a Spark that was killed is back within it, and tells its watermark every 15 s


def wait_until_drained(settings: Settings, *, notify: Notify, patience: float = PATIENCE_SECONDS) -> bool:
    """Wait until everything has arrived; True when it has. While a simulator sends there is nothing to wait for.

    Args:
        settings: Which domain.
        notify: Receives what is still outstanding, whenever that has changed.
        patience: It gives up once nothing has moved for so many seconds.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    moved, seen = time.monotonic(), None
    while not is_sending(settings):
        left = outstanding(settings)
        if left is None:
            return True
        if left != seen:
            moved, seen = time.monotonic(), left
            notify(f"  waiting: {left}")
        elif time.monotonic() - moved >= patience:
            notify(f"  nothing has moved for {patience:.0f} s: no longer waiting")
            return False
        time.sleep(LOOK_SECONDS)
    return False
