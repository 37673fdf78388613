"""Made: what was loaded into the local warehouse or made from it, beside the stream: enough to make it once more.

History is drawn from a seed, so the seed and the density of each day bring the same events back. Kept in the state
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
    """Note with what these days of history are about to be made; of days that were loaded before, the note stays right.

    A day that was noted and then not loaded is noted anew when it is.
    """
    told = _read(settings)
    known = told.setdefault("history", {}).setdefault(settings.domain, {})
    known.update({day.isoformat(): [per_day, settings.seed] for day in days})
    private.write(settings.home / FILE, json.dumps(told))


def note(settings: Settings, what: str, value: int) -> None:
    """Note that ``forecast`` (its days) or ``plan`` was made."""
    told = _read(settings)
    told.setdefault(what, {})[settings.domain] = value
    private.write(settings.home / FILE, json.dumps(told))


def history_of(settings: Settings) -> dict[tuple[int, int], list[date]]:
    """The noted days of the domain's history by ``(per_day, seed)``."""
    found: dict[tuple[int, int], list[date]] = {}
    for day, (per_day, seed) in sorted(_read(settings).get("history", {}).get(settings.domain, {}).items()):
        found.setdefault((per_day, seed), []).append(date.fromisoformat(day))
    return found


def noted(settings: Settings, what: str) -> int | None:
    """The note of ``forecast`` or ``plan``; None where it was never made."""
    value: int | None = _read(settings).get(what, {}).get(settings.domain)
    return value


def _read(settings: Settings) -> dict[str, Any]:
    try:
        told = json.loads((settings.home / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # no note, or one that a full disk cut short
        return {}
    return dict(told) if isinstance(told, Mapping) else {}
