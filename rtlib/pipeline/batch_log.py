"""Batch log: the history, forecasts and plans made beside the stream, with the parameters to make them again.

History is drawn from a seed, so seed, rate and period reproduce it. The log is in the state
folder and not in the warehouse, because it is needed when the warehouse's file is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rtlib import private
from rtlib.config import Settings

FILE = "made.json"


@dataclass(frozen=True, slots=True)
class HistoryPart:
    """A period of loaded history.

    Attributes:
        start, end: The period [start, end), in UTC.
        raw: Loaded as events; otherwise as rollups.
        rate: Events per second, on average over a year.
        seed: The seed of the draw.
    """

    start: datetime
    end: datetime
    raw: bool
    rate: float
    seed: int


def note_history(settings: Settings, parts: Iterable[HistoryPart]) -> None:
    """Note parts of history before they are loaded; the notes of other parts stay.

    If loading fails, the next attempt notes the same part again, which does no harm.
    """
    log = _read(settings)
    entries = log.setdefault("parts", {}).setdefault(settings.domain, [])
    for part in parts:
        entry = [part.start.isoformat(), part.end.isoformat(), part.raw, part.rate, part.seed]
        if entry not in entries:
            entries.append(entry)
    _write(settings, log)


def note(settings: Settings, what: str, value: int) -> None:
    """Note a ``forecast`` (its length in days) or a ``plan``."""
    log = _read(settings)
    log.setdefault(what, {})[settings.domain] = value
    _write(settings, log)


def history_parts(settings: Settings) -> list[HistoryPart]:
    """The noted parts of the domain's history, in the order in which they were loaded."""
    return [
        HistoryPart(datetime.fromisoformat(start), datetime.fromisoformat(end), raw, rate, seed)
        for start, end, raw, rate, seed in _read(settings).get("parts", {}).get(settings.domain, ())
    ]


def has_old_history(settings: Settings) -> bool:
    """True if the domain's history is of the form before rollups, which had another rate than the live stream."""
    return bool(_read(settings).get("history", {}).get(settings.domain))


def forget_old_history(settings: Settings) -> None:
    """Forget the domain's history of the form before rollups."""
    log = _read(settings)
    log.get("history", {}).pop(settings.domain, None)
    _write(settings, log)


def read_note(settings: Settings, what: str) -> int | None:
    """The note of the ``forecast`` or the ``plan``; None if there is none."""
    value: int | None = _read(settings).get(what, {}).get(settings.domain)
    return value


def _read(settings: Settings) -> dict[str, Any]:
    try:
        log = json.loads((settings.home / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # no log yet, or a log cut short by a full disk
        return {}
    return dict(log) if isinstance(log, Mapping) else {}


def _write(settings: Settings, log: Mapping[str, Any]) -> None:
    private.write(settings.home / FILE, json.dumps(log))
