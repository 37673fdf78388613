"""Graph: the architecture as it is right now: components and observations in, nodes with status and lineage out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from rtlib import formatting
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, Component
from rtlib.domains import Severity
from rtlib.errors import ConfigError
from rtlib.records import Observation, Reading, Status


@dataclass(frozen=True, slots=True)
class KpiCard:
    """One KPI of the domain as the header shows it.

    ``at`` is when the value was true, None when it never was; ``history`` holds earlier values, oldest first.
    """

    name: str
    title: str
    unit: str
    value: float | None
    severity: Severity
    at: datetime | None
    history: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteBoard:
    """One site's KPIs."""

    title: str
    cards: tuple[KpiCard, ...]


@dataclass(frozen=True, slots=True)
class KpiBoard:
    """The header: the domain's title, its KPIs, and how many events were sent so far (None when unknown).

    ``sites`` has the same KPIs for each site that was heard of.
    """

    title: str
    cards: tuple[KpiCard, ...] = ()
    events: int | None = None
    sites: tuple[SiteBoard, ...] = ()


class Source(Protocol):
    """Where a view takes its facts from. Both calls return at once with the newest that is known; neither blocks."""

    def observations(self) -> Mapping[str, Observation]:
        """The newest observation of each probe, by the probe's name (see ``Component.probe``)."""
        ...

    def kpis(self) -> KpiBoard:
        """The newest KPIs of the domain."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """One component as it is now.

    Attributes:
        component: What it is.
        status: How it is.
        reason: Why, in words.
        readings: Its numbers; the first is the headline.
        upstream: Ids it reads from directly.
        downstream: Ids that read from it directly.
        headline: The first reading in words, empty when there is none.
        stale: True when the numbers must not be read as live.
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
    """Every node and every (from, to) edge at one moment."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    at: datetime

    def node(self, node_id: str) -> Node:
        """The node with this id.

        Raises:
            ConfigError: There is none; the message lists those there are.
        """
        for one in self.nodes:
            if one.id == node_id:
                return one
        known = ", ".join(one.id for one in self.nodes)
        raise ConfigError(f"no node is called {node_id!r}", cure=f"use one of: {known}")


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything data passes through before a node, and everything it reaches after it."""

    upstream: frozenset[str]
    downstream: frozenset[str]


def build(
    observations: Mapping[str, Observation],
    *,
    now: datetime,
    stale_after_seconds: float = 5,
    components: Sequence[Component] = ARCHITECTURE_COMPONENTS_LIST,
) -> Graph:
    """Put what the probes saw onto the components.

    Args:
        observations: The newest observation of each probe, by its name.
        now: The moment ages are counted from.
        stale_after_seconds: How much later than due a reading may be before its node counts as stale.
        components: What to draw.
    """
    pairs = tuple((source, one.id) for one in components for source in one.upstream)
    nodes = tuple(_node(one, observations, now, stale_after_seconds, pairs) for one in components)
    return Graph(nodes=nodes, edges=pairs, at=now)


def _node(
    component: Component,
    observations: Mapping[str, Observation],
    now: datetime,
    stale_after_seconds: float,
    pairs: tuple[tuple[str, str], ...],
) -> Node:
    seen = _observed(component, observations, now)
    ages = [max(0.0, (now - reading.at).total_seconds()) for reading in seen.readings]
    age = min(ages) if ages else None
    allowed = stale_after_seconds + component.period_seconds
    dead = seen.status in (Status.STOPPED, Status.UNKNOWN)
    return Node(
        component=component,
        status=seen.status,
        reason=seen.reason,
        readings=seen.readings,
        upstream=component.upstream,
        downstream=tuple(target for source, target in pairs if source == component.id),
        headline=formatting.format_quantity(seen.readings[0].value, seen.readings[0].unit) if seen.readings else "",
        stale=age is not None and (dead or age > allowed),
        age_seconds=age,
    )


def _observed(component: Component, observations: Mapping[str, Observation], now: datetime) -> Observation:
    if component.probe is None:
        return Observation(Status.PLANNED, "not built yet", now)
    return observations.get(component.probe) or Observation(Status.UNKNOWN, "no probe has answered yet", now)


def lineage(graph: Graph, node_id: str) -> Lineage:
    """Everything up- and downstream of a node.

    Raises:
        ConfigError: There is no such node.
    """
    start = graph.node(node_id).id
    back = tuple((target, source) for source, target in graph.edges)
    return Lineage(upstream=_reach(start, back), downstream=_reach(start, graph.edges))


def _reach(start: str, pairs: Sequence[tuple[str, str]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        fresh = {target for source, target in pairs if source == here} - seen
        seen |= fresh
        waiting.extend(fresh)
    return frozenset(seen - {start})


def summary(graph: Graph) -> tuple[Status, str]:
    """The state of the whole pipeline: the worst status, and one sentence that names the parts that are not well."""
    built = [node for node in graph.nodes if node.status not in (Status.PLANNED, Status.IDLE)]
    if not built:
        return Status.PLANNED, "Nothing is built yet."
    if all(node.status is Status.UNKNOWN for node in built):
        return Status.UNKNOWN, f"Waiting for the first answer: {built[0].reason}."
    for status, verb in ((Status.STOPPED, "stopped"), (Status.UNKNOWN, "not answering"), (Status.DEGRADED, "not well")):
        if bad := [node for node in built if node.status is status]:
            return status, _blame(bad, verb)
    if old := [node for node in built if node.stale]:
        names = formatting.join_words([node.component.title for node in old])
        oldest = formatting.duration(max(node.age_seconds or 0 for node in old))
        return Status.DEGRADED, f"Old numbers: {names} {_has(old)} said nothing new for {oldest}."
    count = f"All {len(built)} parts" if len(built) > 1 else built[0].component.title
    return Status.HEALTHY, f"{count} {'are' if len(built) > 1 else 'is'} healthy and the numbers are live."


def _blame(bad: list[Node], verb: str) -> str:
    """Name the parts, and the reason of the one nearest to the source: the others may only be its victims."""
    names = formatting.join_words([node.component.title for node in bad])
    reason = bad[0].reason.strip().rstrip(".")
    why = f": {reason}" if len(bad) == 1 else f". {bad[0].component.title}: {reason}"
    return f"{names} {'is' if len(bad) == 1 else 'are'} {verb}{why if reason else ''}."


def _has(nodes: list[Node]) -> str:
    return "has" if len(nodes) == 1 else "have"


class History:
    """The last values of every reading, for sparklines.

    Args:
        length: How many values to keep of each.
    """

    def __init__(self, *, length: int = 120) -> None:
        self._length = length
        self._values: dict[tuple[str, str], deque[float | None]] = {}
        self._newest: dict[tuple[str, str], datetime] = {}

    def add(self, graph: Graph) -> None:
        """Remember the readings that are newer than those remembered; a repeated reading is not a new one."""
        for node in graph.nodes:
            for reading in node.readings:
                key = (node.id, reading.name)
                if reading.at > self._newest.get(key, datetime.min.replace(tzinfo=UTC)):
                    self._newest[key] = reading.at
                    self._values.setdefault(key, deque(maxlen=self._length)).append(reading.value)

    def values(self, node_id: str, reading: str) -> tuple[float | None, ...]:
        """What is remembered of a reading, oldest first; empty when nothing is."""
        return tuple(self._values.get((node_id, reading), ()))
