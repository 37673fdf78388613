"""State: the learner's progress in the state folder; a folder that cannot be written stops no lesson."""

from __future__ import annotations

from collections.abc import Callable

from filelock import Timeout

from rtlib.config import load_settings
from rtlib.lessons import progress
from rtlib.lessons.progress import Progress

_unwritten: list[Progress] = []  # of a folder that cannot be written: the seed must stay the same in a session


def kept(changed: Callable[[Progress], Progress]) -> Progress:
    """Change the progress and keep it; without a folder that can be written it is kept until the kernel ends."""
    home = load_settings().home
    try:
        return progress.change(home, changed)
    except (OSError, Timeout):
        after = changed(_unwritten[-1] if _unwritten else progress.load(home))
        _unwritten[:] = [after]
        return after


def current() -> Progress:
    """The progress now; a seed that had to be drawn is kept."""
    return kept(lambda before: before)
