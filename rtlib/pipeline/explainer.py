"""Explainer: the text of a node, made from its live numbers and told in the domain's words; or a model's, if asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rtlib import graph as graphs
from rtlib.components import component
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.explain.facts import facts_of
from rtlib.explain.gemini import Level, ask
from rtlib.explain.template import explain
from rtlib.graph import Graph, Node
from rtlib.pipeline.monitor import monitor

__all__ = ["Explanation", "Level", "explained", "explainer", "look"]

LOOK_SECONDS = 8.0  # by then every probe has told something, or does not answer


def explainer(settings: Settings) -> Callable[[Node, Graph], str]:
    """What makes the plain-English text of a node of this domain's graph."""
    title = load_domain(settings.domain).title

    def say(node: Node, graph: Graph) -> str:
        return explain(node, graph=graph, domain=title)

    return say


@dataclass(frozen=True, slots=True)
class Explanation:
    """A node in plain words.

    Attributes:
        text: The words.
        source: The model's name, or ``facts``: made on this machine from the live numbers, without a model.
        why: Why no model's answer is shown, when one was asked; empty otherwise.
        dollars: What asking cost; None where that is not known.
    """

    text: str
    source: str
    why: str
    dollars: float | None


def explained(
    settings: Settings, graph: Graph, node_id: str, *, level: Level, language: str = "English", question: str = ""
) -> Explanation:
    """Explain a node; by the model if there is a key and the facts bear its answer out, else from the facts alone.

    Raises:
        ConfigError: There is no such node.
    """
    node = graph.node(component(node_id).id)
    plain = explain(node, graph=graph, domain=load_domain(settings.domain).title)
    if settings.gemini_api_key is None:
        return Explanation(plain, "facts", "no key is set (RTLIB_GEMINI_API_KEY)" if question else "", 0.0)
    answer = ask(
        facts_of(node, graph=graph),
        key=settings.gemini_api_key,
        model=settings.gemini_model,
        level=level,
        language=language,
        question=question,
        base_url=settings.gemini_base_url,
    )
    text, source = (plain, "facts") if answer.reason else (answer.text, settings.gemini_model)
    return Explanation(text, source, answer.reason, answer.dollars)


def look(settings: Settings) -> Graph:
    """The graph as it is now, once every built part has told something or has been given up."""
    from rtlib.pipeline.probes import PROBES

    watching = monitor(settings)
    try:
        Retrying(
            retry=retry_if_result(lambda seen: not set(PROBES) <= set(seen)),
            wait=wait_fixed(0.2),
            stop=stop_after_delay(LOOK_SECONDS),
            retry_error_callback=lambda state: None,
        )(watching.observations)
        return graphs.build(watching.observations(), now=datetime.now(UTC))
    finally:
        watching.stop()
