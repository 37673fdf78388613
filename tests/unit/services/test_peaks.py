"""Peaks of memory: kept across samples, of each part and of the whole, for a running stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtlib.services import peaks


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_each_part_and_the_whole_keep_the_most_of_all_samples(home: Path) -> None:
    peaks.note(home, {"stream": 900.4, "batch": 90.0})
    assert peaks.note(home, {"stream": 800.0, "batch": 250.0}) == {"stream": 900.0, "batch": 250.0, "stack": 1050.0}
    assert peaks.read(home) == {"stream": 900.0, "batch": 250.0, "stack": 1050.0}


def test_a_stack_that_starts_has_no_peaks_yet(home: Path) -> None:
    peaks.note(home, {"stream": 900.0})
    peaks.forget(home)
    peaks.forget(home)
    assert peaks.read(home) == {}


@pytest.mark.parametrize("content", ["", "[1]", '{"stream": "much"}', '{"stream": 9'])
def test_a_file_that_cannot_be_read_counts_as_no_sample(home: Path, content: str) -> None:
    (home / "run" / "peaks.json").write_text(content)
    assert peaks.read(home) == {}
    assert peaks.note(home, {"stream": 5.0}) == {"stream": 5.0, "stack": 5.0}


def test_a_sample_without_processes_changes_nothing(home: Path) -> None:
    assert peaks.note(home, {}) == {}
    assert not (home / "run" / "peaks.json").exists()
