"""The race between this process and the command line, without running either."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.errors import WarehouseError
from rtlib.transform import BuildReport, NodeResult, Race, bench

BUILT = NodeResult("calendar", "model", "MARTS", "table", "success", 1, 1, 0.1)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[list[str]]]:
    """Puts a command line in place that ends with an exit code, and returns its calls."""

    def put(code: int) -> list[list[str]]:
        commands: list[list[str]] = []

        def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
            commands.append(words)
            return subprocess.CompletedProcess(words, code, "no such table", "")

        monkeypatch.setattr(bench.subprocess, "run", run)
        return commands

    monkeypatch.setattr(bench, "build", lambda *_, **__: BuildReport("build", "1", datetime.now(UTC), 0.1, (BUILT,)))
    return put


def test_the_speed_up_is_the_ratio_of_the_times() -> None:
    assert Race("calendar", 3, in_process=0.5, command_line=6.0).times_faster == 12


def test_each_round_runs_the_same_model_in_both_ways(outside: Callable[[int], list[list[str]]], tmp_path: Path) -> None:
    commands = outside(0)
    race = bench.race(Settings(home=tmp_path), model="calendar", rounds=2)
    assert (race.model, race.rounds, len(commands)) == ("calendar", 2, 2)
    assert all(words[words.index("--select") + 1] == "calendar" for words in commands)
    assert race.in_process > 0 < race.command_line


def test_a_failing_command_line_is_an_error_with_its_output(
    outside: Callable[[int], list[list[str]]], tmp_path: Path
) -> None:
    outside(1)
    with pytest.raises(WarehouseError, match="no such table"):
        bench.race(Settings(home=tmp_path))
