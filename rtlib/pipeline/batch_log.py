"""Batch log: the history, forecasts and plans made beside the stream, with the parameters to make them again.

History is drawn from a seed, so the seed and the density of each day reproduce its events. The log is in the state
folder and not in the warehouse, because it is needed when the warehouse's file is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from rtlib import private
from rtlib.config import Settings

FILE = "made.json"


def note_history(settings: Settings, days: Iterable[date], *, per_day: int) -> None:
    """Note the parameters of days of history before they are loaded; the notes of other days stay.

    If loading fails, the next attempt overwrites the note.
    """
    log = _read(settings)
    entries = log.setdefault("history", {}).setdefault(settings.domain, {})
    entries.update({day.isoformat(): [per_day, settings.seed] for day in days})
    _write(settings, log)


def note(settings: Settings, what: str, value: int) -> None:
    """Note a ``forecast`` (its length in days) or a ``plan``."""
    log = _read(settings)
    log.setdefault(what, {})[settings.domain] = value
    _write(settings, log)


def history_days(settings: Settings) -> dict[tuple[int, int], list[date]]:
    """The noted days of the domain's history by ``(per_day, seed)``."""
    days: dict[tuple[int, int], list[date]] = {}
    for day, (per_day, seed) in sorted(_read(settings).get("history", {}).get(settings.domain, {}).items()):
        days.setdefault((per_day, seed), []).append(date.fromisoformat(day))
    return days


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
