"""Write the exercises into the pages of the teaching kit: docs/teaching/lesson-<number>.md.

Run it after a change to an exercise or to the minutes of a lesson: ``.venv/bin/python scripts/write_teaching.py``. The
part of a page between ``<!-- exercises -->`` and ``<!-- /exercises -->`` is written from the exercises; the rest of the
page is written by hand. With ``--check`` nothing is written; exit code 1 if something would change.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rtlib.lessons.exercise import Exercise
from rtlib.lessons.exercises import exercises, of_lesson

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "docs" / "teaching"
PART = re.compile(r"(?<=<!-- exercises -->\n).*?(?=<!-- /exercises -->)", re.DOTALL)
DURATION = re.compile(r"takes\s+about\s+(fifteen\s+minutes|twenty\s+minutes|half\s+an\s+hour)")
MINUTES = {"fifteen minutes": 15, "twenty minutes": 20, "half an hour": 30}


def main() -> None:
    """Write what differs, or list it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing; exit code 1 if something would change")
    only_check: bool = arguments.parse_args().check
    stale = [(path, text) for path, text in pages() if path.read_text(encoding="utf-8") != text]
    for path, text in stale:
        sys.stdout.write(f"{'differs' if only_check else 'written'}: {path.relative_to(ROOT)}\n")
        if not only_check:
            path.write_text(text, encoding="utf-8")
    sys.exit(1 if only_check and stale else 0)


def pages() -> Iterator[tuple[Path, str]]:
    """The page of each lesson with exercises, and the text that it should have."""
    for number in sorted({exercise.lesson for exercise in exercises().values()}):
        path = page(number)
        text = path.read_text(encoding="utf-8")
        assert len(PART.findall(text)) == 1, f"{path} needs exactly one part between the marks of the exercises"
        yield path, PART.sub(lambda _, number=number: written(number), text)


def page(number: str) -> Path:
    """The page of a lesson."""
    return KIT / f"lesson-{number}.md"


def written(number: str) -> str:
    """The part about the exercises of a lesson."""
    text, work = lesson_minutes(number), exercise_minutes(number)
    total = f"Minutes: {text} for the lesson + {work} for the exercises = {text + work}."
    return "\n".join([total, "", *(_section(exercise) for exercise in of_lesson(number))])


def _section(exercise: Exercise) -> str:
    rows = "".join(f"| `{each.id}` | {_cell(each.reason)} |\n" for each in exercise.misconceptions)
    head = f"### {exercise.id} {exercise.title}\n\n{exercise.kind.capitalize()}, {exercise.minutes} minutes.\n"
    return f"{head}\n| misconception | what the learner reads |\n|---|---|\n{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def exercise_minutes(number: str) -> int:
    """How long the exercises of a lesson take together."""
    return sum(exercise.minutes for exercise in of_lesson(number))


def lesson_minutes(number: str) -> int:
    """How long a lesson takes without its exercises, as its first cell states."""
    (source,) = (ROOT / "notebooks" / "py").glob(f"{number}_*.py")
    head = " ".join(line.removeprefix("#") for line in source.read_text(encoding="utf-8").splitlines()[:40])
    found = DURATION.search(head.replace("It takes", "takes"))
    assert found, f"the head of {source} does not say how long the lesson takes"
    return MINUTES[" ".join(found[1].split())]


if __name__ == "__main__":
    main()
