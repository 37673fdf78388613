"""Recovery: a wait for what has not arrived says what that is, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.recovery import readiness
from rtlib.pipeline.recovery.readiness import wait_until_settled


@pytest.fixture(autouse=True)
def looks_in_quick_succession(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "LOOK_SECONDS", 0.001)


def outstanding(monkeypatch: pytest.MonkeyPatch, *looks: str | None | Exception) -> None:
    """What each look finds; the last answer repeats."""
    left: Iterator[str | None | Exception] = iter(looks)

    def look(settings: Settings) -> str | None:
        found = next(left, looks[-1])
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(readiness, "outstanding", look)


def test_what_is_outstanding_is_reported_until_nothing_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(readiness, "PROGRESS_SECONDS", 0.0)
    away = ServiceError("the broker does not answer", cure="rtlib up")
    outstanding(monkeypatch, "30 records on the way to RAW", away, "4 records on the way to RAW", None)
    lines: list[str] = []
    assert wait_until_settled(Settings(home=tmp_path), notify=lines.append)
    assert [line.partition("waiting: ")[2] for line in lines] == [
        "30 records on the way to RAW",
        "the broker does not answer",
        "4 records on the way to RAW",
    ]


def test_looks_in_quick_succession_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outstanding(monkeypatch, "30 records", "20 records", "10 records", None)
    lines: list[str] = []
    assert wait_until_settled(Settings(home=tmp_path), notify=lines.append)
    assert len(lines) == 1
    assert lines[0].endswith("waiting: 30 records")


@pytest.mark.parametrize("never", ["30 records", ServiceError("the broker does not answer", cure="rtlib up")])
def test_what_never_arrives_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, never: str | Exception
) -> None:
    outstanding(monkeypatch, never)
    assert not wait_until_settled(Settings(home=tmp_path), notify=lambda line: None, seconds=0.02)
