"""Facts: all that an explanation may state about a node: its numbers, its neighbours, its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from rtlib import formatting
from rtlib.records import Reading, Status


class Level(StrEnum):
    """The reader."""

    NEWCOMER = "newcomer"
    PRACTITIONER = "practitioner"
    EXPERT = "expert"


class Part(Protocol):
    """The description of a node (``rtlib.components.Component`` is one)."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def plain(self) -> str: ...  # noqa: D102
    @property
    def product(self) -> str: ...  # noqa: D102


class Observed(Protocol):
    """A node as it is now (``rtlib.graph.Node`` is one)."""

    @property
    def component(self) -> Part: ...  # noqa: D102
    @property
    def status(self) -> Status: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def readings(self) -> tuple[Reading, ...]: ...  # noqa: D102
    @property
    def upstream(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def downstream(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def stale(self) -> bool: ...  # noqa: D102
    @property
    def age_seconds(self) -> float | None: ...  # noqa: D102


class Picture(Protocol):
    """All nodes at one moment (``rtlib.graph.Graph`` is one)."""

    @property
    def nodes(self) -> Sequence[Observed]: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Fact:
    """A measured number: what it counts, its value and its unit."""

    name: str
    value: float
    unit: str

    @property
    def text(self) -> str:
        """The number with its unit, formatted as everywhere else."""
        return formatting.format_quantity(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an explanation is made of.

    Attributes:
        title: The name of the node, KPI, alert or forecast.
        plain: What it does, for a newcomer.
        status: Its state.
        reason: Why it is in that state.
        numbers: What was measured.
        age: How old the numbers are, in words; empty when they have no age.
        stale: Whether the numbers are too old to be called live.
        sources: Titles of the parts that it reads from.
        readers: Titles of the parts that read from it.
        trouble: Title of the nearest stopped part upstream; empty when there is none.
        product: The product behind it; empty for a KPI or an alert.
        site: The site with the worst value of a KPI; empty otherwise.
    """

    title: str
    plain: str
    status: Status
    reason: str
    numbers: tuple[Fact, ...]
    age: str
    stale: bool
    sources: tuple[str, ...]
    readers: tuple[str, ...]
    trouble: str
    product: str = ""
    site: str = ""


def facts_of(node: Observed, *, graph: Picture) -> Facts:
    """Collect the facts of a node; readings without a value are left out."""
    by_id = {other.component.id: other for other in graph.nodes}
    measured = [reading for reading in node.readings if formatting.format_number(reading.value) != formatting.NOTHING]
    return Facts(
        title=node.component.title,
        plain=node.component.plain.strip(),
        status=node.status,
        reason=node.reason.strip().rstrip("."),
        numbers=tuple(Fact(row.name, row.value, row.unit) for row in measured if row.value is not None),
        age=formatting.ago(node.age_seconds) if node.age_seconds is not None else "",
        stale=node.stale,
        sources=tuple(by_id[key].component.title for key in node.upstream if key in by_id),
        readers=tuple(by_id[key].component.title for key in node.downstream if key in by_id),
        trouble=_stopped_upstream(node, by_id),
        product=node.component.product,
    )


def _stopped_upstream(node: Observed, by_id: dict[str, Observed]) -> str:
    """The title of the nearest stopped part upstream, searched breadth first."""
    waiting, visited = list(node.upstream), {node.component.id}
    while waiting:
        here = waiting.pop(0)
        if here in visited or here not in by_id:
            continue
        visited.add(here)
        if by_id[here].status is Status.STOPPED:
            return by_id[here].component.title
        waiting.extend(by_id[here].upstream)
    return ""
