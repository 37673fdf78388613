"""Bench host: a stack of its own for the pipeline benchmark, removed afterwards."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rtlib.app.lifecycle import running_stack, scratch_folder
from rtlib.config import Settings, load_settings
from rtlib.notify import Notify
from rtlib.pipeline.telemetry import trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtlib.bench import Result
    from rtlib.bench.checkpoint_interval import IntervalCost


def run_bench(settings: Settings, *, quick: bool, notify: Notify) -> Result:
    """Measure the pipeline on a stack in a scratch folder; no data of it is kept.

    Raises:
        ConfigError: The environment pins the trigger, so both sides of the comparison would be the same.
        ServiceError: A stack is running and would share the machine, which would distort the figures.
    """
    from rtlib import bench

    with _streaming_alone(settings, notify=notify) as running:
        return bench.run(running, quick=quick, notify=notify)


def run_interval_trade(settings: Settings, *, notify: Notify) -> list[IntervalCost]:
    """Measure checkpoint intervals on a stack in a scratch folder; no data of it is kept.

    Raises:
        ConfigError: The environment pins the trigger or its interval.
        ServiceError: A stack is running and would share the machine, which would distort the figures.
    """
    from rtlib.bench import checkpoint_interval

    with _streaming_alone(settings, notify=notify) as running:
        return checkpoint_interval.trade(running, notify=notify)


@contextmanager
def _streaming_alone(settings: Settings, *, notify: Notify) -> Iterator[Settings]:
    """A stack whose simulator and batch jobs stay stopped: the bench sends its own events and measures the stream."""
    with scratch_folder(settings, "bench") as scratch:
        trigger.choose(scratch, "real-time")  # first, because it fails where the trigger cannot be changed
        with running_stack(load_settings(home=scratch.home), {}, notify=notify, idle=["simulator", "batch"]) as running:
            yield running
