"""The teaching kit: complete, written from the exercises, with plans that add up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtlib.config import PREFIX, Settings
from rtlib.lessons.exercises import exercises, of_lesson
from support.project import ROOT, script

write_teaching = script("write_teaching")
KIT: Path = write_teaching.KIT
README = (KIT / "README.md").read_text(encoding="utf-8")
PLANS = ("Half a day", "One day", "Two days")
NUMBERS = sorted({exercise.lesson for exercise in exercises().values()})
LESSON = re.compile(r"\blesson (\d\d)\b", re.IGNORECASE)
EXERCISE = re.compile(r"\b\d\d\.\d+\b")


def tables(text: str) -> Iterator[list[list[str]]]:
    """The tables of a document: their rows, without the head, as cells."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()[2:]]
        yield [[cell.strip().strip("*").strip() for cell in row] for row in rows]


def section(text: str, heading: str) -> str:
    """The text under a heading of the second level."""
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("number", NUMBERS)
def test_the_page_of_a_lesson_has_its_exercises_and_misconceptions(number: str) -> None:
    text = write_teaching.page(number).read_text(encoding="utf-8")
    for exercise in of_lesson(number):
        written = text.partition(f"### {exercise.id} ")[2].partition("\n###")[0]
        absent = [each.id for each in exercise.misconceptions if f"`{each.id}`" not in written]
        assert written and not absent, (exercise.id, absent)


def test_the_pages_are_written_from_the_exercises() -> None:
    stale = [path.name for path, text in write_teaching.pages() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run scripts/write_teaching.py"


@pytest.mark.parametrize("number", NUMBERS)
def test_each_misconception_has_a_question_to_ask(number: str) -> None:
    text = write_teaching.page(number).read_text(encoding="utf-8")
    (rows,) = tables(section(text, "Questions to ask"))
    covered: set[tuple[str, str]] = set()
    for name, beliefs, question, answer in rows:
        known = {each.id for each in exercises()[name].misconceptions}
        named = known if beliefs == "all" else set(re.findall(r"[\w-]+", beliefs))
        assert named <= known, (name, named - known)
        assert question.endswith("?") and answer, name
        covered |= {(name, belief) for belief in named}
    needed = {(exercise.id, each.id) for exercise in of_lesson(number) for each in exercise.misconceptions}
    assert needed <= covered, sorted(needed - covered)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_page_of_a_lesson_has_an_objective_cuts_and_three_questions(number: str) -> None:
    text = write_teaching.page(number).read_text(encoding="utf-8")
    assert "can" in section(text, "Objective")
    assert tables(section(text, "What to cut"))
    assert len(re.findall(r"^\d\. .*?\?$", section(text, "To talk about"), re.MULTILINE | re.DOTALL)) == 3


@pytest.mark.parametrize("name", PLANS)
def test_the_minutes_of_a_plan_add_up(name: str) -> None:
    found = list(tables(section(README, name)))
    assert len(found) == (2 if name == "Two days" else 1)
    for *rows, (activity, *_, total) in found:
        assert activity == "Total"
        for what, text, work, minutes in rows:
            listed = EXERCISE.findall(work)
            asked = [each for number in LESSON.findall(what) for each in of_lesson(number)] if work == "all" else []
            works = sum(exercises()[each].minutes for each in listed) + sum(each.minutes for each in asked)
            assert int(text) + works == int(minutes), what
            lessons = LESSON.findall(what)
            assert {exercise.partition(".")[0] for exercise in listed} <= set(lessons), what
            assert all(int(text) <= write_teaching.lesson_minutes(number) for number in lessons), what
        assert sum(int(minutes) for *_, minutes in rows) == int(total), name


def test_two_days_have_every_exercise() -> None:
    rows = [row for table in tables(section(README, "Two days")) for row in table]
    assert [number for what, _, work, _ in rows if work == "all" for number in LESSON.findall(what)] == NUMBERS


def test_the_messages_of_common_problems_are_those_of_the_code() -> None:
    sources = [
        ROOT / "rtlib" / "doctor.py",
        *(ROOT / "rtlib").glob("services/*.py"),
        *(ROOT / "rtlib").glob("lessons/*.py"),
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    (rows,) = tables(section((KIT / "room.md").read_text(encoding="utf-8"), "Common problems"))
    quoted = {re.sub(r"^FAIL |^<part> ", "", text) for row in rows for text in re.findall(r"`([^`]{2,})`", row[0])}
    assert len(quoted) > 10
    assert [text for text in sorted(quoted - {"FAIL"}) if text not in code] == []


@pytest.mark.parametrize("path", sorted(KIT.glob("*.md")), ids=lambda path: path.name)
def test_what_a_page_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(LESSON.findall(text)) <= {"00", *NUMBERS}
    assert set(EXERCISE.findall(text)) <= set(exercises())
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", text)) <= settings
    links = [link for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text) if "://" not in link]
    assert not [link for link in links if not (path.parent / link).exists()]


@pytest.mark.parametrize("path", [KIT / "README.md", *map(write_teaching.page, NUMBERS)], ids=lambda path: path.name)
def test_a_part_of_a_lesson_that_a_page_names_is_a_heading_there(path: Path) -> None:
    sources = (ROOT / "notebooks" / "py").glob(f"{path.stem.partition('-')[2]}*.py")
    headings = {each for source in sources for each in re.findall(r"^# ## (.+)$", source.read_text(), re.MULTILINE)}
    by_hand = write_teaching.PART.sub("", path.read_text(encoding="utf-8"))
    named = {" ".join(each.split()) for each in re.findall(r"(?<!\*)\*([A-Z][^*]{5,}?)\*(?!\*)", by_hand)}
    assert sorted(named - headings - {"Try it"}) == []


def test_the_first_page_links_to_every_page() -> None:
    assert not [path.name for path in KIT.glob("*.md") if path.name != "README.md" and f"]({path.name})" not in README]
