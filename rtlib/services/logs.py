"""Logs: the output of the parts, kept by the supervisor."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rtlib.config import Settings

ERROR_BYTES = 64 * 1024  # how far from the end of a log an error is looked for
ERROR_LENGTH = 300  # characters
_ERROR = re.compile(r"rtlib: |.*\b(ERROR|FATAL|CRITICAL)\b|[\w.]*(Error|Exception)\b.*: |Error: |Exception in thread")


def path(settings: Settings, part: str) -> Path:
    """The log file of a part."""
    return settings.home / "logs" / f"{part}.log"


def tail_log(settings: Settings, part: str, count: int) -> list[str]:
    """The last ``count`` lines of a part's log, without line ends; empty when there is none."""
    file = path(settings, part)
    if not file.exists():
        return []
    return file.read_text(errors="replace").splitlines()[-count:]


def tail(file: Path, size: int) -> list[str]:
    """The lines in the last ``size`` bytes of a log, the first maybe cut off; empty when there is no such log."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - size))
            return stream.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def last_error(settings: Settings, part: str) -> str:
    """The last line of a part's log that names an error, else its last line, shortened; empty without a log."""
    lines = [line.strip() for line in tail(path(settings, part), ERROR_BYTES) if line.strip()]
    error = next((line for line in reversed(lines) if _ERROR.match(line)), lines[-1] if lines else "")
    return error[:ERROR_LENGTH]
