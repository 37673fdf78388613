"""Observe: the monitor of the whole pipeline, and the graph as it is at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib import graph as graphs
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.graph import Graph
from rtlib.pipeline.monitoring.kpi_board import NewestBoard
from rtlib.pipeline.monitoring.monitor import Monitor
from rtlib.pipeline.monitoring.probes.catalog import probe_factories
from rtlib.services import restarts, supervisor
from rtlib.wait import wait_until

LOOK_SECONDS = 8.0  # by then every probe has reported, or its part does not answer


def start_monitor(settings: Settings, *, utc: bool = False) -> Monitor:
    """Start the monitor of the whole pipeline; times in its reasons are by the domain's clocks, or in UTC."""
    parts = {
        component.probe: component.part
        for component in ARCHITECTURE_COMPONENTS_LIST
        if component.probe and component.part
    }

    def restart_loops() -> Mapping[str, str]:
        reasons = restarts.loops(settings)
        return {probe: reasons[part] for probe, part in parts.items() if part in reasons}

    board = NewestBoard(settings.domain)
    factories = probe_factories(board.publish, utc=utc)
    return Monitor(settings, factories, board=board.newest, restart_loops=restart_loops).start()


def look(settings: Settings, *, utc: bool = False) -> Graph:
    """The graph as it is now, once every probe has reported or its time is up; ``utc`` as in ``start_monitor``.

    Raises:
        ServiceError: No stack runs here, and no broker elsewhere is configured.
    """
    if settings.kafka_bootstrap_servers is None and supervisor.supervisor_pid(settings) is None:
        raise ServiceError("the stack is not running, so there is nothing to explain", cure="rtlib up")
    monitor = start_monitor(settings, utc=utc)
    try:
        wait_until(lambda: monitor.names <= monitor.observations().keys(), seconds=LOOK_SECONDS, interval=0.2)
        return graphs.build(monitor.observations(), now=datetime.now(UTC))
    finally:
        monitor.stop()
