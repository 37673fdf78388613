"""The lessons in each domain, with their own parameters, on a stack of that domain whose Kafka requires no sign-in."""

from __future__ import annotations

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
