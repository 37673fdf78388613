"""Bench host: a stack of its own for the pipeline benchmark, removed afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtlib.app.lifecycle import running_stack, scratch_folder
from rtlib.config import Settings, load_settings
from rtlib.notify import Notify
from rtlib.pipeline.telemetry import trigger

if TYPE_CHECKING:
    from rtlib.bench import Result


def run_bench(settings: Settings, *, quick: bool, notify: Notify) -> Result:
    """Measure the pipeline on a stack in a scratch folder; no data of it is kept.

    Raises:
        ConfigError: The environment pins the trigger, so both sides of the comparison would be the same.
        ServiceError: A stack is running and would share the machine, which would distort the figures.
    """
    from rtlib import bench

    with scratch_folder(settings, "bench") as scratch:
        trigger.choose(scratch, "real-time")  # first, because it fails where the trigger cannot be changed
        # The bench sends its own events and measures the stream alone, so simulator and batch jobs stay stopped.
        with running_stack(load_settings(home=scratch.home), {}, notify=notify, idle=["simulator", "batch"]) as running:
            return bench.run(running, quick=quick, notify=notify)
