"""Bench: the same model, built in this process and by the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from rtlib.config import Settings
from rtlib.errors import WarehouseError
from rtlib.transform.project import profile_folder
from rtlib.transform.run import arguments, build

MODEL = "calendar"  # small, and built from seeds only
PROGRAM = "from dbt.cli.main import cli; cli()"


@dataclass(frozen=True, slots=True)
class Race:
    """Build times of a model in seconds: the best of ``rounds``, which is disturbed least by other work."""

    model: str
    rounds: int
    in_process: float
    command_line: float

    @property
    def times_faster(self) -> float:
        """The time by the command line as a multiple of the time in this process."""
        return self.command_line / self.in_process


def race(settings: Settings, *, model: str = MODEL, rounds: int = 3) -> Race:
    """Build a model in both ways. The first run in this process, which imports dbt, is not counted.

    That first run builds everything, because tests compare the model with others, which a new warehouse does not have.

    Raises:
        WarehouseError: The model could not be built.
    """
    _in_process(settings)
    # All rounds of a kind in a row: each kind caches its parsed project for its next run.
    in_process = [_in_process(settings, model) for _ in range(rounds)]
    command_line = [_command_line(settings, model) for _ in range(rounds)]
    return Race(model=model, rounds=rounds, in_process=min(in_process), command_line=min(command_line))


def _in_process(settings: Settings, *select: str) -> float:
    began = time.perf_counter()
    report = build(settings, select=select, unit_tests=False)
    seconds = time.perf_counter() - began
    if not report.ok:
        failures = [check.summary for check in report.failed]
        failures += [f"{node.name}: {node.message}" for node in report.broken]
        raise WarehouseError(
            f"dbt could not build {' '.join(select) or 'all'}: {'; '.join(failures)[:400]}", cure="rtlib dbt build"
        )
    return seconds


def _command_line(settings: Settings, model: str) -> float:
    with profile_folder(settings) as profiles:
        words = ["build", "--select", model, "--exclude-resource-type", "unit_test", *arguments(settings, profiles)]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True)
        seconds = time.perf_counter() - began
    if done.returncode:
        raise WarehouseError(f"dbt could not build {model}: {done.stdout[-400:]}", cure="rtlib dbt build")
    return seconds
