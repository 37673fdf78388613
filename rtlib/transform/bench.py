"""Bench: one model, built in this process and by the command line, side by side."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from rtlib.config import Settings
from rtlib.errors import WarehouseError
from rtlib.transform.project import profile_folder
from rtlib.transform.run import arguments, build

MODEL = "calendar"  # small, and made of seeds alone
PROGRAM = "from dbt.cli.main import cli; cli()"


@dataclass(frozen=True, slots=True)
class Race:
    """How long one model takes, in seconds: the best of ``rounds``, which other work on the machine disturbed least."""

    model: str
    rounds: int
    in_process: float
    command_line: float

    @property
    def times_faster(self) -> float:
        """How many runs in this process fit into one of the command line."""
        return self.command_line / self.in_process


def race(settings: Settings, *, model: str = MODEL, rounds: int = 3) -> Race:
    """Build one model in both ways. The first run in this process, which also imports dbt, is not counted.

    That first run builds everything: tests hold the model against others, which a warehouse that is new has not got.

    Raises:
        WarehouseError: The model could not be built.
    """
    _in_process(settings)
    # One kind after the other: each keeps what it has parsed for its own next run.
    inside = [_in_process(settings, model) for _ in range(rounds)]
    outside = [_command_line(settings, model) for _ in range(rounds)]
    return Race(model=model, rounds=rounds, in_process=min(inside), command_line=min(outside))


def _in_process(settings: Settings, *select: str) -> float:
    began = time.perf_counter()
    report = build(settings, select=select, unit_tests=False)
    took = time.perf_counter() - began
    if not report.ok:
        said = "; ".join(
            [*(one.said for one in report.failed), *(f"{one.name}: {one.message}" for one in report.broken)]
        )
        raise WarehouseError(
            f"dbt could not build {' '.join(select) or 'all'}: {said[:400]}", cure="rtlib dbt build tells what fails"
        )
    return took


def _command_line(settings: Settings, model: str) -> float:
    with profile_folder(settings) as profiles:
        words = ["build", "--select", model, "--exclude-resource-type", "unit_test", *arguments(settings, profiles)]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True)
        took = time.perf_counter() - began
    if done.returncode:
        raise WarehouseError(f"dbt could not build {model}: {done.stdout[-400:]}", cure="rtlib dbt build")
    return took
