"""Restarts: parts that keep ending, found in the supervisor's log."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime

from rtlib.config import Settings
from rtlib.services.logs import last_error, tail

# A part that a fault ended once or twice and that runs again is healthy; the third end in two minutes is a loop.
LOOP, WITHIN_SECONDS = 3, 120.0
TAIL_BYTES = 64 * 1024
_EVENT = re.compile(r"(?P<at>[\d-]+ [\d:]+),\d+ \w+ +(?P<what>exited: |stopped: |supervisord started)(?P<part>\S*)")


def restarts(settings: Settings, *, now: float | None = None) -> Mapping[str, int]:
    """How often each part has ended on its own in the last two minutes, not counting ends before the last stop."""
    since = (now or time.time()) - WITHIN_SECONDS
    return Counter(part for part, moments in _ends(settings).items() for at in moments if at >= since)


def loops(settings: Settings, *, now: float | None = None) -> Mapping[str, str]:
    """A message for each part that keeps ending, with the last error in its log."""
    minutes = f"{WITHIN_SECONDS / 60:.0f} minutes"
    return {
        part: ": ".join(filter(None, (f"restarted {count} times in the last {minutes}", last_error(settings, part))))
        for part, count in restarts(settings, now=now).items()
        if count >= LOOP
    }


def _ends(settings: Settings) -> Mapping[str, list[float]]:
    ends = defaultdict[str, list[float]](list)
    for line in tail(settings.home / "logs" / "supervisor.log", TAIL_BYTES):
        if event := _EVENT.match(line):
            if event["what"] == "exited: ":  # on its own, or by a signal
                ends[event["part"]].append(datetime.fromisoformat(event["at"]).timestamp())
            elif event["what"] == "stopped: ":  # by command: earlier ends no longer matter
                ends[event["part"]].clear()
            else:
                ends.clear()
    return ends
