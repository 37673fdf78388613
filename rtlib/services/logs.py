"""Logs: what the parts write, kept by the supervisor; the end of one, and the last error in it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rtlib.config import Settings

ERROR_BYTES = 64 * 1024
ERROR_LENGTH = 300
_ERROR = re.compile(r"rtlib: |.*\b(ERROR|FATAL|CRITICAL)\b|[\w.]*(Error|Exception)\b.*: |Error: |Exception in thread")


def path(settings: Settings, part: str) -> Path:
    """Where the supervisor writes what a part says."""
    return settings.home / "logs" / f"{part}.log"


def tail(file: Path, size: int) -> list[str]:
    """The lines in the last ``size`` bytes of a log, the first of them maybe cut; empty when there is no such log."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - size))
            return stream.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def last_error(settings: Settings, part: str) -> str:
    """The last line of a part's log that names an error, or else its last line, shortened; empty without a log."""
    lines = [line.strip() for line in tail(path(settings, part), ERROR_BYTES) if line.strip()]
    found = next((line for line in reversed(lines) if _ERROR.match(line)), lines[-1] if lines else "")
    return found[:ERROR_LENGTH]
