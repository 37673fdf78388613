"""Drain: the wait from the end of the simulator until all its records have arrived."""

from __future__ import annotations

import math
import time

from rtlib.config import Settings
from rtlib.errors import RtlibError
from rtlib.notify import Notify
from rtlib.pipeline.audit.backlog import is_sending, outstanding

LOOK_SECONDS = 1.0
PROGRESS_SECONDS = 5.0  # between two lines about what is outstanding
PATIENCE_SECONDS = 60.0  # a killed Spark is back within this time, and reports its watermark every 15 s


def wait_until_drained(
    settings: Settings, *, notify: Notify, patience: float = PATIENCE_SECONDS, after_faults: bool = False
) -> bool:
    """Wait until everything that was sent has arrived; give up once nothing moves any more.

    Args:
        settings: Which domain.
        notify: Receives what is outstanding when it changes, at most every ``PROGRESS_SECONDS``.
        patience: Give up after this many seconds without a change.
        after_faults: Parts may still be recovering, and a killed simulator leaves its tally open: neither an error
            nor an open tally ends the wait.

    Returns:
        True if everything has arrived; False if it gave up, or at once while a simulator sends.

    Raises:
        ServiceError: The broker does not answer; not with ``after_faults``.
        WarehouseError: The warehouse does not answer; not with ``after_faults``.
    """
    previous, changed_at, notified_at = None, time.monotonic(), -math.inf
    while after_faults or not is_sending(settings):
        remaining = _outstanding_or_error(settings) if after_faults else outstanding(settings)
        if remaining is None:
            return True
        now = time.monotonic()
        if remaining != previous:
            previous, changed_at = remaining, now
            if now - notified_at >= PROGRESS_SECONDS:
                notified_at = now
                notify(f"  waiting: {remaining}")
        elif now - changed_at >= patience:
            notify(f"  nothing has moved for {patience:.0f} s: no longer waiting for {remaining}")
            return False
        time.sleep(LOOK_SECONDS)
    return False


def _outstanding_or_error(settings: Settings) -> str | None:
    try:
        return outstanding(settings)
    except RtlibError as error:
        return str(error).splitlines()[0]
