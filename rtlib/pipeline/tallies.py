"""Tallies: what each run of the simulator says it sent, one file a run; the ground truth of every reconciliation."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rtlib.config import Settings
from rtlib.records import Tally


def write_tally(settings: Settings, run: str, tally: Tally) -> None:
    """Write a run's tally in one step, so that a reader never sees half of it."""
    path = _folder(settings) / f"{run}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps({**asdict(tally), "last_sequence": dict(tally.last_sequence)}))
    draft.replace(path)


def total_tally(settings: Settings) -> Tally:
    """What all runs of the simulator sent for the domain since the state folder was last emptied."""
    total = Tally()
    for path in sorted(_folder(settings).glob("*.json")):
        total = _sum(total, Tally(**json.loads(path.read_text())))
    return total


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        events=one.events + other.events,
        duplicates=one.duplicates + other.duplicates,
        malformed=one.malformed + other.malformed,
        late=one.late + other.late,
        out_of_order=one.out_of_order + other.out_of_order,
        too_late=one.too_late + other.too_late,
        last_sequence={**one.last_sequence, **other.last_sequence},
    )


def _folder(settings: Settings) -> Path:
    return settings.home / "tally" / settings.domain
