"""Probe catalog: the probes of the monitor, with the observations that each makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rtlib.graph import KpiBoard
from rtlib.pipeline.monitoring.probe import ProbeFactory
from rtlib.pipeline.monitoring.probes.batch import BatchProbe
from rtlib.pipeline.monitoring.probes.broker import BrokerProbe
from rtlib.pipeline.monitoring.probes.dashboard import DashboardProbe
from rtlib.pipeline.monitoring.probes.explain import ExplainProbe
from rtlib.pipeline.monitoring.probes.registry import RegistryProbe
from rtlib.pipeline.monitoring.probes.warehouse import WarehouseProbe
from rtlib.records import Heartbeat


class NewestHeartbeats:
    """The newest heartbeats: published by the probe that reads the progress topic, read by that of the batch jobs."""

    def __init__(self) -> None:
        self._heartbeats: Mapping[str, Heartbeat] = {}

    def publish(self, heartbeats: Mapping[str, Heartbeat]) -> None:
        """Replace the heartbeats."""
        self._heartbeats = dict(heartbeats)

    def newest(self) -> Mapping[str, Heartbeat]:
        """The heartbeats published last."""
        return self._heartbeats


def probe_factories(publish_board: Callable[[KpiBoard], None], *, utc: bool = False) -> Mapping[str, ProbeFactory]:
    """All probes by name.

    Args:
        publish_board: Receives each new board of KPIs from the warehouse's probe.
        utc: Times of forecast and plan are in UTC, not by the clocks of the domain.
    """
    heartbeats = NewestHeartbeats()
    return {
        "broker": ProbeFactory(
            ("broker", "rejected", "kpis", "archive", "loader", "simulator", "alerts"),
            partial(BrokerProbe, publish=heartbeats.publish),
        ),
        "registry": ProbeFactory(("registry",), RegistryProbe),
        "warehouse": ProbeFactory(("speed", "dwh"), partial(WarehouseProbe, publish_board=publish_board)),
        "dashboard": ProbeFactory(("dashboard",), DashboardProbe),
        "batch": ProbeFactory(
            ("dbt", "forecast", "staffing", "powerbi"), partial(BatchProbe, heartbeats=heartbeats.newest, utc=utc)
        ),
        "explain": ProbeFactory(("explain",), ExplainProbe),
    }
