"""Lineage: sources, models and exposures with their dependencies, from dbt's manifest; plain data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rtlib.components import reachable
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.transform.project import target
from rtlib.transform.run import parse

KINDS = ("source", "seed", "model", "snapshot", "exposure")


@dataclass(frozen=True, slots=True)
class DbtNode:
    """A source, seed, model, snapshot or exposure.

    Attributes:
        id: dbt's unique id, for instance ``model.rtlib.interval_load``.
        name: Its name; of a source, for instance ``raw.events``.
        kind: One of ``KINDS``.
        layer: Its schema; the type of an exposure.
        about: The first sentence of its description: the grain.
        tests: Number of data tests on it.
        depth: Longest distance from a source, in edges; the column in which it is drawn.
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
    """An edge between the nodes with these ids."""

    upstream: str
    downstream: str


@dataclass(frozen=True, slots=True)
class DbtLineage:
    """All nodes, sorted by depth, and all edges."""

    nodes: tuple[DbtNode, ...]
    edges: tuple[Edge, ...]

    def find(self, name: str) -> DbtNode:
        """The node with this name or id.

        Raises:
            ConfigError: There is no such node.
        """
        for node in self.nodes:
            if name in (node.name, node.id):
                return node
        raise ConfigError(f"the dbt project has no node called {name!r}", cure="rtlib dbt lineage")

    def upstream_of(self, name: str) -> tuple[str, ...]:
        """The names of all direct and indirect inputs of a node, sorted."""
        return self._reachable(name, [(edge.downstream, edge.upstream) for edge in self.edges])

    def downstream_of(self, name: str) -> tuple[str, ...]:
        """The names of all nodes that depend on a node directly or indirectly, sorted."""
        return self._reachable(name, [(edge.upstream, edge.downstream) for edge in self.edges])

    def _reachable(self, name: str, steps: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        reached = reachable(self.find(name).id, steps)
        return tuple(sorted(node.name for node in self.nodes if node.id in reached))


def lineage(settings: Settings) -> DbtLineage:
    """The lineage of the project as of the last run; before the first run dbt parses the project.

    Raises:
        ConfigError: The project cannot be read.
    """
    path = target(settings) / "manifest.json"
    if not path.exists():
        parse(settings)
    return of_manifest(json.loads(path.read_text(encoding="utf-8")))


def columns(settings: Settings, names: Sequence[str]) -> dict[str, list[tuple[str, str, str]]]:
    """The columns that the YAML of models and seeds declares now: name, type in the warehouse, description.

    Raises:
        ConfigError: The project cannot be read.
    """
    parse(settings)
    manifest = json.loads((target(settings) / "manifest.json").read_text(encoding="utf-8"))
    return {
        node["name"]: [
            (name, str(column.get("data_type") or ""), " ".join((column.get("description") or "").split()))
            for name, column in node["columns"].items()
        ]
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed") and node["name"] in names
    }


def of_manifest(manifest: Mapping[str, Any]) -> DbtLineage:
    """The lineage in a manifest."""
    entries = {**manifest["sources"], **manifest["nodes"], **manifest["exposures"]}
    chosen = {key: entry for key, entry in entries.items() if entry["resource_type"] in KINDS}
    parents = {key: [parent for parent in manifest["parent_map"].get(key, ()) if parent in chosen] for key in chosen}
    tests = [entry["attached_node"] for entry in manifest["nodes"].values() if entry["resource_type"] == "test"]
    depths = _depths(parents)
    nodes = (_node(key, entry, tests=tests.count(key), depth=depths[key]) for key, entry in chosen.items())
    edges = {Edge(parent, key) for key, own in parents.items() for parent in own}
    return DbtLineage(
        nodes=tuple(sorted(nodes, key=lambda node: (node.depth, KINDS.index(node.kind), node.name))),
        edges=tuple(sorted(edges, key=lambda edge: (edge.upstream, edge.downstream))),
    )


def _node(key: str, entry: Mapping[str, Any], *, tests: int, depth: int) -> DbtNode:
    kind = entry["resource_type"]
    name = f"{entry['source_name']}.{entry['name']}" if kind == "source" else entry["name"]
    layer = entry["type"] if kind == "exposure" else entry["schema"]
    about = " ".join((entry.get("description") or "").split()).partition(". ")[0].rstrip(".")
    return DbtNode(key, name, kind, layer, about, tests, depth)


def _depths(parents: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The longest path from a node without parents to each; dbt guarantees that the graph is acyclic."""
    depths: dict[str, int] = {}

    def depth(key: str) -> int:
        if key not in depths:
            depths[key] = max((depth(parent) + 1 for parent in parents[key]), default=0)
        return depths[key]

    for key in parents:
        depth(key)
    return depths
