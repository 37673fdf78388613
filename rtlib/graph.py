"""Graph: the architecture as it is now; components and observations in, nodes with status and lineage out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from rtlib import formatting
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, Component, reachable
from rtlib.domains import Severity
from rtlib.errors import ConfigError
from rtlib.records import Observation, Reading, Status


@dataclass(frozen=True, slots=True)
class KpiCard:
    """A KPI of the domain in its last closed window, as the header shows it.

    Attributes:
        name, title, unit: Of the KPI.
        value: In the last closed window; None if nothing was measured in it.
        severity: Of the value.
        at: When the newest event behind the KPIs happened; None before the first.
        history: The closed windows of the last half-hour, oldest first; the last is ``value``.
        closed_at: When the last closed window ended; None before the end of the first.
        before: The value in the window before; None if it is not known.
        last_week: The value in the same window of the week before; None if it is not known.
        running: The value so far in the window after the last closed one; None if nothing was measured yet.
        relative: Whether a change is given as a share of the earlier value, as for counts and sums.
    """

    name: str
    title: str
    unit: str
    value: float | None
    severity: Severity
    at: datetime | None
    history: tuple[float | None, ...] = ()
    closed_at: datetime | None = None
    before: float | None = None
    last_week: float | None = None
    running: float | None = None
    relative: bool = False


@dataclass(frozen=True, slots=True)
class SiteBoard:
    """The KPIs of a site."""

    title: str
    cards: tuple[KpiCard, ...]


@dataclass(frozen=True, slots=True)
class KpiBoard:
    """The header: the domain's title, its KPIs, and the number of events so far (None if unknown).

    ``sites`` has the same KPIs for each site with data; ``window_seconds`` is the length of a window.
    """

    title: str
    cards: tuple[KpiCard, ...] = ()
    events: int | None = None
    sites: tuple[SiteBoard, ...] = ()
    window_seconds: int = 60


class Source(Protocol):
    """Where a view gets its data from. Both calls return the newest data at once; neither blocks."""

    def observations(self) -> Mapping[str, Observation]:
        """The newest observation of each probe, by the probe's name (see ``Component.probe``)."""
        ...

    def kpis(self) -> KpiBoard:
        """The newest KPIs of the domain."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """A component as it is now.

    Attributes:
        component: The component.
        status: Its status.
        reason: The reason for the status, in words.
        readings: Its numbers; the first is the headline.
        upstream: Ids that it reads from directly.
        downstream: Ids that read from it directly.
        headline: The first reading in words; empty without readings.
        stale: True if the numbers must not be taken for live.
        age_seconds: Age of the newest reading; None without readings.
    """

    component: Component
    status: Status
    reason: str
    readings: tuple[Reading, ...]
    upstream: tuple[str, ...]
    downstream: tuple[str, ...]
    headline: str
    stale: bool
    age_seconds: float | None

    @property
    def id(self) -> str:
        """The id of its component."""
        return self.component.id


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes and (from, to) edges at a moment."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    at: datetime

    def node(self, node_id: str) -> Node:
        """The node with this id.

        Raises:
            ConfigError: There is none; the message lists all ids.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        ids = ", ".join(node.id for node in self.nodes)
        raise ConfigError(f"there is no node {node_id!r}", cure=f"use one of: {ids}")


@dataclass(frozen=True, slots=True)
class Lineage:
    """The ids of all nodes that data passes through before a node, and of all that it reaches after it."""

    upstream: frozenset[str]
    downstream: frozenset[str]


def build(
    observations: Mapping[str, Observation],
    *,
    now: datetime,
    stale_after_seconds: float = 5,
    components: Sequence[Component] = ARCHITECTURE_COMPONENTS_LIST,
) -> Graph:
    """Combine the probes' observations with the components.

    Args:
        observations: The newest observation of each probe, by its name.
        now: The moment that ages are measured from (aware).
        stale_after_seconds: How late a reading may be before its node counts as stale.
        components: The components of the graph.
    """
    edges = tuple((source, target.id) for target in components for source in target.upstream)
    nodes = tuple(_node(component, observations, now, stale_after_seconds, edges) for component in components)
    return Graph(nodes=nodes, edges=edges, at=now)


def _node(
    component: Component,
    observations: Mapping[str, Observation],
    now: datetime,
    stale_after_seconds: float,
    edges: tuple[tuple[str, str], ...],
) -> Node:
    observation = _observation(component, observations, now)
    ages = [max(0.0, (now - reading.at).total_seconds()) for reading in observation.readings]
    age = min(ages) if ages else None
    allowed = stale_after_seconds + component.period_seconds
    dead = observation.status in (Status.STOPPED, Status.UNKNOWN)
    return Node(
        component=component,
        status=observation.status,
        reason=observation.reason,
        readings=observation.readings,
        upstream=component.upstream,
        downstream=tuple(target for source, target in edges if source == component.id),
        headline=formatting.format_quantity(observation.readings[0].value, observation.readings[0].unit)
        if observation.readings
        else "",
        stale=age is not None and (dead or age > allowed),
        age_seconds=age,
    )


def _observation(component: Component, observations: Mapping[str, Observation], now: datetime) -> Observation:
    if component.probe is None:
        return Observation(Status.PLANNED, "not built yet", now)
    return observations.get(component.probe) or Observation(Status.UNKNOWN, "no probe has answered yet", now)


def edge_rate(source: Node, target: Node) -> str:
    """How much moves along an edge per unit of time, with its unit; empty where that is not measured or not live."""
    for node, name in ((target, target.component.receives), (source, source.component.sends)):
        for reading in node.readings:
            if reading.name == name and reading.value is not None and not node.stale:
                return formatting.format_quantity(reading.value, reading.unit)
    return ""


def lineage(graph: Graph, node_id: str) -> Lineage:
    """All nodes up- and downstream of a node.

    Raises:
        ConfigError: There is no such node.
    """
    start = graph.node(node_id).id
    reversed_edges = [(target, source) for source, target in graph.edges]
    return Lineage(upstream=reachable(start, reversed_edges), downstream=reachable(start, graph.edges))


def summary(graph: Graph) -> tuple[Status, str]:
    """The state of the whole pipeline: the worst status, and a sentence that names the parts that are not well."""
    built = [node for node in graph.nodes if node.status not in (Status.PLANNED, Status.IDLE)]
    if not built:
        return Status.PLANNED, "Nothing is built yet."
    if all(node.status is Status.UNKNOWN for node in built):
        return Status.UNKNOWN, f"Waiting for the first answer: {built[0].reason}."
    for status, condition in (
        (Status.STOPPED, "stopped"),
        (Status.UNKNOWN, "not answering"),
        (Status.DEGRADED, "not well"),
    ):
        if affected := [node for node in built if node.status is status]:
            return status, _blame(affected, condition)
    if old := [node for node in built if node.stale]:
        names = formatting.join_words([node.component.title for node in old])
        oldest = formatting.duration(max(node.age_seconds or 0 for node in old))
        return Status.DEGRADED, f"Old numbers: {names} {_has(old)} reported nothing new for {oldest}."
    count = f"All {len(built)} parts" if len(built) > 1 else built[0].component.title
    return Status.HEALTHY, f"{count} {'are' if len(built) > 1 else 'is'} healthy and the numbers are live."


def _blame(nodes: list[Node], condition: str) -> str:
    """Name the parts, and the reason of the part nearest to the source: the others may only be its victims."""
    names = formatting.join_words([node.component.title for node in nodes])
    reason = nodes[0].reason.strip().rstrip(".")
    why = f": {reason}" if len(nodes) == 1 else f". {nodes[0].component.title}: {reason}"
    return f"{names} {'is' if len(nodes) == 1 else 'are'} {condition}{why if reason else ''}."


def _has(nodes: list[Node]) -> str:
    return "has" if len(nodes) == 1 else "have"


class History:
    """The last values of every reading, for sparklines.

    Args:
        length: Values kept of each reading.
    """

    def __init__(self, *, length: int = 120) -> None:
        self._length = length
        self._values: dict[tuple[str, str], deque[float | None]] = {}
        self._newest: dict[tuple[str, str], datetime] = {}

    def add(self, graph: Graph) -> None:
        """Append the readings that are newer than the last; a repeated reading is ignored."""
        for node in graph.nodes:
            for reading in node.readings:
                key = (node.id, reading.name)
                if reading.at > self._newest.get(key, datetime.min.replace(tzinfo=UTC)):
                    self._newest[key] = reading.at
                    self._values.setdefault(key, deque(maxlen=self._length)).append(reading.value)

    def values(self, node_id: str, reading: str) -> tuple[float | None, ...]:
        """The kept values of a reading, oldest first; empty for an unknown reading."""
        return tuple(self._values.get((node_id, reading), ()))
