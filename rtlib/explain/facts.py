"""Facts: what an explanation may say about a node: its numbers, its neighbours, its state; nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from rtlib import formatting
from rtlib.records import Reading, Status


class Level(StrEnum):
    """Who reads it."""

    NEWCOMER = "newcomer"
    PRACTITIONER = "practitioner"
    EXPERT = "expert"


class Part(Protocol):
    """The words that belong to a node (``rtlib.components.Component`` has them)."""

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
    """One number that may be said: what it counts, and how it is written."""

    name: str
    value: float
    unit: str

    @property
    def text(self) -> str:
        """The number with its unit, as it is written everywhere."""
        return formatting.format_quantity(self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Facts:
    """All an explanation is made of.

    ``trouble`` names the nearest upstream part that is stopped, empty when none is; ``age`` is in words; ``product`` is
    what plays the part, empty for a KPI or an alert.
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


def facts_of(node: Observed, *, graph: Picture) -> Facts:
    """Collect the facts of a node; readings without a value are no facts."""
    by_id = {one.component.id: one for one in graph.nodes}
    measured = [one for one in node.readings if formatting.format_number(one.value) != formatting.NOTHING]
    return Facts(
        title=node.component.title,
        plain=node.component.plain.strip(),
        status=node.status,
        reason=node.reason.strip().rstrip("."),
        numbers=tuple(Fact(one.name, one.value, one.unit) for one in measured if one.value is not None),
        age=formatting.ago(node.age_seconds) if node.age_seconds is not None else "",
        stale=node.stale,
        sources=tuple(by_id[one].component.title for one in node.upstream if one in by_id),
        readers=tuple(by_id[one].component.title for one in node.downstream if one in by_id),
        trouble=_trouble(node, by_id),
        product=node.component.product,
    )


def _trouble(node: Observed, by_id: dict[str, Observed]) -> str:
    """The nearest stopped part upstream, searched breadth first."""
    waiting, seen = list(node.upstream), {node.component.id}
    while waiting:
        here = waiting.pop(0)
        if here in seen or here not in by_id:
            continue
        seen.add(here)
        if by_id[here].status is Status.STOPPED:
            return by_id[here].component.title
        waiting.extend(by_id[here].upstream)
    return ""
