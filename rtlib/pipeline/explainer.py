"""Explainer: the text of a node, made from its live numbers and told in the domain's words."""

from __future__ import annotations

from collections.abc import Callable

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.explain.template import explain
from rtlib.graph import Graph, Node


def explainer(settings: Settings) -> Callable[[Node, Graph], str]:
    """What makes the plain-English text of a node of this domain's graph."""
    title = load_domain(settings.domain).title

    def say(node: Node, graph: Graph) -> str:
        return explain(node, graph=graph, domain=title)

    return say
