"""Explainer: the text of a node, KPI, alert or forecast, from its live numbers; by a model where there is a key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rtlib import graph as graphs
from rtlib.components import component
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.explain.facts import Fact, Facts, Level, facts_of
from rtlib.explain.gemini import Answer, ask
from rtlib.explain.number_words import languages
from rtlib.explain.template import explain, notes
from rtlib.graph import Graph, Node
from rtlib.pipeline.explanations.fact_builders import is_subject, subject
from rtlib.pipeline.monitoring.monitor import Monitor

__all__ = ["Explanation", "Level", "answers", "explained", "explained_subject", "explainer", "languages"]

ENGLISH = ("english", "en", "")


def explainer(settings: Settings) -> Callable[[Node, Graph], str]:
    """A function that makes the plain-English text of a node of this domain's graph."""
    title = load_domain(settings.domain).title

    def text(node: Node, graph: Graph) -> str:
        return explain(node, graph=graph, domain=title)

    return text


@dataclass(frozen=True, slots=True)
class Explanation:
    """A node, a KPI, an alert or a forecast in words.

    Attributes:
        text: The words.
        source: The model's name, or ``facts``: made on this machine from the live numbers, without a model.
        why: Why no model's answer is shown, when a model was asked; empty otherwise.
        dollars: The cost; None when unknown.
    """

    text: str
    source: str
    why: str
    dollars: float | None


def explained(
    settings: Settings, graph: Graph, node_id: str, *, level: Level, language: str = "English", question: str = ""
) -> Explanation:
    """Explain a node; by the model if there is a key and its answer is verified, else by template.

    Raises:
        ConfigError: There is no such node.
    """
    node = graph.node(component(node_id).id)
    plain = explain(node, graph=graph, domain=load_domain(settings.domain).title, level=level)
    return _explanation(settings, facts_of(node, graph=graph), plain, level, language, question)


def explained_subject(
    settings: Settings, name: str, *, level: Level, language: str = "English", question: str = "", utc: bool = False
) -> Explanation:
    """Explain a KPI, an alert or a forecast in the same way; see ``rtlib.pipeline.explanations.fact_builders``.

    Times are by the clocks of the site, or in UTC.

    Raises:
        ConfigError: There is no such subject, or nothing was measured for it yet.
        WarehouseError: The warehouse does not answer.
    """
    built = subject(settings, name, utc=utc)
    plain = notes(built.facts) if level is Level.EXPERT else built.text
    return _explanation(settings, built.facts, plain, level, language, question)


def _explanation(
    settings: Settings, facts: Facts, plain: str, level: Level, language: str, question: str
) -> Explanation:
    if settings.gemini_api_key is None:
        missed = question or language.strip().lower() not in ENGLISH  # what only a model can do
        return Explanation(plain, "facts", "no key is set (RTLIB_GEMINI_API_KEY)" if missed else "", 0.0)
    answer = _answer(settings, facts, level, language, question)
    text, source = (plain, "facts") if answer.reason else (answer.text, settings.gemini_model)
    return Explanation(text, source, answer.reason, answer.dollars)


_CACHE: dict[tuple[object, ...], Answer] = {}  # by request; a refused answer is requested again
CACHED = 256


def _answer(settings: Settings, facts: Facts, level: Level, language: str, question: str) -> Answer:
    """Ask the model, unless it answered the same question about the same facts before; that costs nothing.

    Facts are the same while they read the same: numbers as they are shown. Their age is not part of an answer.
    """
    assert settings.gemini_api_key is not None
    shown = replace(facts, age="", numbers=tuple(Fact(fact.text, 0.0, fact.name) for fact in facts.numbers))
    request = (shown, settings.gemini_model, settings.gemini_base_url, level, language, question)
    if request in _CACHE:
        return replace(_CACHE[request], dollars=0.0)
    answer = ask(
        facts,
        key=settings.gemini_api_key,
        model=settings.gemini_model,
        level=level,
        language=language,
        question=question,
        base_url=settings.gemini_base_url,
    )
    if not answer.reason:
        _CACHE[request] = answer
        for oldest in list(_CACHE)[:-CACHED]:
            del _CACHE[oldest]
    return answer


def answers(settings: Settings, watching: Monitor) -> Callable[[Any], Explanation]:
    """A function that answers the app's questions, from the facts at that moment."""

    def ask_about(question: Any) -> Explanation:
        options = {"level": Level(question.level), "language": question.language, "question": question.text}
        if is_subject(question.about):
            return explained_subject(settings, question.about, **options)
        graph = graphs.build(watching.observations(), now=datetime.now(UTC))
        return explained(settings, graph, question.about, **options)

    return ask_about
