"""Peaks: the most memory that each part of the running stack took, from samples of the batch part and of ``status``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rtlib import private

WHOLE = "stack"  # the sum over all parts; they do not all peak at the same moment


def note(home: Path, sizes: Mapping[str, float]) -> dict[str, float]:
    """Add a sample, part to its resident memory in MB, and return the peaks.

    Two writers at the same time may lose a sample; the next brings it back unless it was the very peak.
    """
    known = read(home)
    if not sizes:  # no stack runs
        return known
    sample = {**sizes, WHOLE: sum(sizes.values())}
    peaks = known | {name: max(float(round(size)), known.get(name, 0.0)) for name, size in sample.items()}
    if peaks != known:
        with suppress(OSError):  # a full disk, or a stack that has just been removed: a status is shown all the same
            private.write(_file(home), json.dumps(peaks))
    return peaks


def read(home: Path) -> dict[str, float]:
    """Part, and ``stack`` for the whole, to its peak in MB; empty before the first sample."""
    try:
        peaks = json.loads(_file(home).read_text())
        return {str(name): float(size) for name, size in peaks.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # missing, or not written to its end
        return {}


def forget(home: Path) -> None:
    """Begin anew, for a stack that starts."""
    _file(home).unlink(missing_ok=True)


def _file(home: Path) -> Path:
    return home / "run" / "peaks.json"
