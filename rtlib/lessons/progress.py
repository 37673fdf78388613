"""Progress: what a learner has answered, in ``course.json`` of the state folder."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from rtlib import private
from rtlib.lessons.verdict import Status, Verdict

FILE_NAME = "course.json"
FORMAT = 1
LOCK_SECONDS = 5.0
MAX_GUESS = 100  # characters


@dataclass(frozen=True, slots=True)
class Record:
    """What a learner did in an exercise.

    Attributes:
        attempts: Answers that were checked; blanks do not count.
        hints: Hints that were read.
        misconceptions: Those that wrong answers showed, in their order, each once.
        right_at: When the first right answer came, as ISO time in UTC; empty before.
        solution_seen: Whether the solution was shown before that.
    """

    attempts: int = 0
    hints: int = 0
    misconceptions: tuple[str, ...] = ()
    right_at: str = ""
    solution_seen: bool = False

    def after(self, verdict: Verdict) -> Record:
        """The record after one more answer."""
        if verdict.status is Status.UNANSWERED:
            return self
        new = verdict.misconception and verdict.misconception not in self.misconceptions
        return replace(
            self,
            attempts=self.attempts + 1,
            misconceptions=(*self.misconceptions, verdict.misconception) if new else self.misconceptions,
            right_at=self.right_at or (_now() if verdict.right else ""),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """A learner's progress.

    Attributes:
        seed: From which the numbers of the exercises are drawn.
        records: By exercise.
        guesses: The predictions, as text, by their id, with whether they were right.
    """

    seed: int
    records: Mapping[str, Record] = field(default_factory=dict)
    guesses: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    def record(self, exercise: str) -> Record:
        """The record of an exercise."""
        return self.records.get(exercise, Record())

    def share(self, exercises: tuple[str, ...]) -> float:
        """The share of these exercises that are solved, from 0 to 1; 0 if there are none."""
        solved = sum(bool(self.record(exercise).right_at) for exercise in exercises)
        return solved / len(exercises) if exercises else 0.0

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        return {"format": FORMAT, **asdict(self)}


def load(home: Path) -> Progress:
    """The progress in a state folder; new, with a seed drawn now, if there is none or the file is torn."""
    try:
        content = json.loads((home / FILE_NAME).read_text(encoding="utf-8"))
        records = {
            name: Record(**{**record, "misconceptions": tuple(record["misconceptions"])})
            for name, record in content["records"].items()
        }
        guesses = {name: (str(guess), bool(right)) for name, (guess, right) in content["guesses"].items()}
        return Progress(int(content["seed"]), records, guesses)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Progress(secrets.randbelow(2**31))


def change(home: Path, changed: Callable[[Progress], Progress]) -> Progress:
    """Change the stored progress; a second notebook waits until the first has written.

    Raises:
        OSError: The state folder cannot be written.
        filelock.Timeout: Another notebook has held the file for five seconds.
    """
    private.make_folder(home)
    with FileLock(home / f"{FILE_NAME}.lock", timeout=LOCK_SECONDS, mode=private.FILE_MODE):
        path, before = home / FILE_NAME, load(home)
        _keep_torn(path)
        after = changed(before)
        private.write(path, json.dumps(after.to_json(), indent=1))
    return after


def with_record(progress: Progress, exercise: str, changed: Callable[[Record], Record]) -> Progress:
    """The progress with a changed record."""
    return replace(progress, records={**progress.records, exercise: changed(progress.record(exercise))})


def with_guess(progress: Progress, prediction: str, guess: object, *, right: bool) -> Progress:
    """The progress with a prediction."""
    return replace(progress, guesses={**progress.guesses, prediction: (repr(guess)[:MAX_GUESS], right)})


def _keep_torn(path: Path) -> None:
    """Set a file aside that is not JSON, before a new one replaces it."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except ValueError:
        path.replace(path.with_suffix(".torn"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
