"""The lessons in each domain, with their own parameters, on a stack of that domain whose Kafka requires no sign-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtlib.config import DOMAINS
from support.notebooks import every_lesson, run_lesson
from support.stack import Stack, running_stack

pytestmark = [pytest.mark.integration, pytest.mark.release]


@pytest.fixture(scope="module", params=DOMAINS)
def of_domain(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that runs one domain."""
    with running_stack("--rate", "100", "--domain", request.param) as running:
        yield running


@every_lesson
def test_a_lesson_runs_in_every_domain(of_domain: Stack, lesson: Path) -> None:
    done = run_lesson(lesson, of_domain.home)
    assert done.returncode == 0, done.stdout[-4000:]


def test_every_check_of_the_solved_lessons_passes_in_every_domain(of_domain: Stack, tmp_path: Path) -> None:
    done = of_domain.rtlib("course", "run", "--solved", "--to", str(tmp_path), "--json")
    assert done.returncode == 0, done.stdout[-4000:]
    lessons = json.loads(done.stdout)["lessons"]
    assert len(lessons) == 10
    assert all(lesson["checks"] for lesson in lessons)
