"""Backlog: what is in Kafka and has not arrived in the warehouse yet. Cheap to check, and no proof."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from rtlib.broker.topic_scan import contents
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.formatting import format_quantity
from rtlib.pipeline.audit.in_flight import merged_offsets, unmerged
from rtlib.pipeline.audit.tallies import is_running, runs
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect
from rtlib.warehouse.windows import WindowComparison, compare_windows


def outstanding(settings: Settings) -> str | None:
    """What is in Kafka and has not arrived, in a few words; None once everything has.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    # The warehouse comes first: where nothing runs, its client fails sooner than Kafka's.
    with closing(connect(settings)) as connection:
        ends = end_offsets(settings, settings.topic("events"))
        reached = audit.archive_progress(connection, settings.domain).offsets
        behind = sum(abs(ends.get(number, 0) - reached.get(number, 0)) for number in ends.keys() | reached.keys())
        if behind and not _only_markers(settings, ends, reached):
            return f"{format_quantity(behind, 'records')} on the way to RAW"
        waiting = unmerged(settings, merged_offsets(settings)).count
        if waiting:
            return f"{format_quantity(waiting, 'KPI records')} on the way to SPEED"
        return _unexplained(compare_windows(connection, settings.domain, window_seconds=settings.window_seconds))


def _unexplained(comparison: WindowComparison) -> str | None:
    if not comparison.unexplained:
        return None
    apart = sum(abs(window.raw_events - window.kpi_events) for window in comparison.unexplained)
    windows = format_quantity(len(comparison.unexplained), "windows")
    return f"{windows} that SPEED and RAW count differently, by {format_quantity(apart, 'events')}"


def _only_markers(settings: Settings, ends: Mapping[int, int], reached: Mapping[int, int]) -> bool:
    """True if no record, only transaction markers are left between these offsets and the end.

    The marker at the end of a transaction, and each record of an aborted one, has an offset that no reader receives.
    """
    if any(reached[number] > ends.get(number, 0) for number in reached):
        return False  # the topic was created anew: it is not the log that was archived
    with closing(contents(settings, settings.topic("events"), since=reached)) as left:
        return next(left, None) is None


def is_sending(settings: Settings) -> bool:
    """True while a simulator sends.

    Raises:
        ServiceError: The file of a run is damaged.
    """
    return any(is_running(settings, run) for run in runs(settings))
