"""Lineage: sources, models and whoever uses them, with what each is made of, from dbt's own manifest; plain data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.transform.project import target
from rtlib.transform.run import parse

KINDS = ("source", "seed", "model", "snapshot", "exposure")


@dataclass(frozen=True, slots=True)
class DbtNode:
    """One thing that rows come from or go to.

    Attributes:
        id: dbt's own name for it, for instance ``model.rtlib.interval_load``.
        name: What people call it; a source is called ``raw.events``.
        kind: One of ``KINDS``.
        layer: Its schema; for an exposure its type.
        about: The first sentence of its description: the grain.
        tests: How many data tests watch it.
        depth: How many steps it is from the sources, which are at 0; a column to draw it in.
    """

    id: str
    name: str
    kind: str
    layer: str
    about: str
    tests: int
    depth: int


@dataclass(frozen=True, slots=True)
class Edge:
    """Rows go from ``upstream`` to ``downstream``; both are ids of nodes."""

    upstream: str
    downstream: str


@dataclass(frozen=True, slots=True)
class DbtLineage:
    """All nodes, in the order in which they are built, and all edges."""

    nodes: tuple[DbtNode, ...]
    edges: tuple[Edge, ...]

    def find(self, name: str) -> DbtNode:
        """The node with this name or id.

        Raises:
            ConfigError: There is none.
        """
        for node in self.nodes:
            if name in (node.name, node.id):
                return node
        raise ConfigError(f"the dbt project has nothing called {name!r}", cure="rtlib dbt lineage")

    def upstream_of(self, name: str) -> tuple[str, ...]:
        """The names of everything this is made of, however far away, sorted."""
        return self._reached(name, [(one.downstream, one.upstream) for one in self.edges])

    def downstream_of(self, name: str) -> tuple[str, ...]:
        """The names of everything that is made of this, however far away, sorted."""
        return self._reached(name, [(one.upstream, one.downstream) for one in self.edges])

    def _reached(self, name: str, steps: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        start = self.find(name).id
        found, waiting = {start}, [start]
        while waiting:
            here = waiting.pop()
            fresh = [there for origin, there in steps if origin == here and there not in found]
            found.update(fresh)
            waiting.extend(fresh)
        return tuple(sorted(node.name for node in self.nodes if node.id in found - {start}))


def lineage(settings: Settings) -> DbtLineage:
    """The lineage of the project, as the last run saw it; dbt reads the project if none has run yet.

    Raises:
        ConfigError: The project cannot be read.
    """
    path = target(settings) / "manifest.json"
    if not path.exists():
        parse(settings)
    return of_manifest(json.loads(path.read_text(encoding="utf-8")))


def columns(settings: Settings, names: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    """The columns of some models and seeds as their YAML says it now: name, type in the warehouse, description.

    Raises:
        ConfigError: The project cannot be read.
    """
    parse(settings)
    manifest = json.loads((target(settings) / "manifest.json").read_text(encoding="utf-8"))
    return {
        one["name"]: [
            (name, str(told.get("data_type") or ""), " ".join((told.get("description") or "").split()))
            for name, told in one["columns"].items()
        ]
        for one in manifest["nodes"].values()
        if one["resource_type"] in ("model", "seed") and one["name"] in names
    }


def of_manifest(manifest: Mapping[str, Any]) -> DbtLineage:
    """The lineage that a manifest tells."""
    told = {**manifest["sources"], **manifest["nodes"], **manifest["exposures"]}
    chosen = {key: one for key, one in told.items() if one["resource_type"] in KINDS}
    parents = {key: [one for one in manifest["parent_map"].get(key, ()) if one in chosen] for key in chosen}
    tests = [one["attached_node"] for one in manifest["nodes"].values() if one["resource_type"] == "test"]
    depths = _depths(parents)
    nodes = (_node(key, one, tests=tests.count(key), depth=depths[key]) for key, one in chosen.items())
    edges = {Edge(parent, key) for key, own in parents.items() for parent in own}
    return DbtLineage(
        nodes=tuple(sorted(nodes, key=lambda one: (one.depth, KINDS.index(one.kind), one.name))),
        edges=tuple(sorted(edges, key=lambda one: (one.upstream, one.downstream))),
    )


def _node(key: str, told: Mapping[str, Any], *, tests: int, depth: int) -> DbtNode:
    kind = told["resource_type"]
    name = f"{told['source_name']}.{told['name']}" if kind == "source" else told["name"]
    layer = told["type"] if kind == "exposure" else told["schema"]
    about = " ".join((told.get("description") or "").split()).partition(". ")[0].rstrip(".")
    return DbtNode(key, name, kind, layer, about, tests, depth)


def _depths(parents: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The longest way from a node without parents to each; dbt has made sure that there is no circle."""
    depths: dict[str, int] = {}

    def depth(key: str) -> int:
        if key not in depths:
            depths[key] = max((depth(parent) + 1 for parent in parents[key]), default=0)
        return depths[key]

    for key in parents:
        depth(key)
    return depths
