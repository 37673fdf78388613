"""Explainer: the text of a node, made from its live numbers and told in the domain's words; or a model's, if asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from rtlib import graph as graphs
from rtlib.components import component
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.explain.facts import Fact, Facts, Level, facts_of
from rtlib.explain.gemini import Answer, ask
from rtlib.explain.language import CODES
from rtlib.explain.template import explain, noted
from rtlib.graph import Graph, Node
from rtlib.pipeline.explanations.fact_builders import is_subject, subject
from rtlib.pipeline.monitoring.monitor import Monitor, monitor

__all__ = ["LANGUAGES", "Explanation", "Level", "answers", "explained", "explained_subject", "explainer", "look"]

LANGUAGES = tuple(sorted(one.capitalize() for one in CODES.values()))  # those in which an answer can be checked
ENGLISH = ("english", "en", "")
LOOK_SECONDS = 8.0  # by then every probe has told something, or does not answer


def explainer(settings: Settings) -> Callable[[Node, Graph], str]:
    """What makes the plain-English text of a node of this domain's graph."""
    title = load_domain(settings.domain).title

    def say(node: Node, graph: Graph) -> str:
        return explain(node, graph=graph, domain=title)

    return say


@dataclass(frozen=True, slots=True)
class Explanation:
    """A node, a KPI, an alert or a forecast in words.

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
    plain = explain(node, graph=graph, domain=load_domain(settings.domain).title, level=level)
    return _told(settings, facts_of(node, graph=graph), plain, level, language, question)


def explained_subject(
    settings: Settings, name: str, *, level: Level, language: str = "English", question: str = ""
) -> Explanation:
    """Explain a KPI, an alert or a forecast in the same way; see ``rtlib.pipeline.explanations.fact_builders``.

    Raises:
        ConfigError: There is no such thing, or nothing is known of it yet.
        WarehouseError: The warehouse does not answer.
    """
    told = subject(settings, name)
    plain = noted(told.facts) if level is Level.EXPERT else told.text
    return _told(settings, told.facts, plain, level, language, question)


def _told(settings: Settings, facts: Facts, plain: str, level: Level, language: str, question: str) -> Explanation:
    if settings.gemini_api_key is None:
        missed = question or language.strip().lower() not in ENGLISH  # what only a model could have done
        return Explanation(plain, "facts", "no key is set (RTLIB_GEMINI_API_KEY)" if missed else "", 0.0)
    answer = _answer(settings, facts, plain, level, language, question)
    text, source = (plain, "facts") if answer.reason else (answer.text, settings.gemini_model)
    return Explanation(text, source, answer.reason, answer.dollars)


@dataclass
class Asked:
    """What was asked of the model in this process."""

    questions: int = 0
    refused: int = 0
    dollars: float = 0.0


ASKED = Asked()
_GOOD: dict[tuple[object, ...], Answer] = {}  # by everything that was asked; what was refused is asked again
KEPT = 256


def _answer(settings: Settings, facts: Facts, plain: str, level: Level, language: str, question: str) -> Answer:
    """Ask the model, unless it was asked the same about the same facts before; that costs nothing.

    They are the same while they read the same: numbers as they are shown, and however old; the model is told no age.
    """
    assert settings.gemini_api_key is not None
    shown = replace(facts, age="", numbers=tuple(Fact(one.text, 0.0, one.name) for one in facts.numbers))
    asked = (shown, settings.gemini_model, settings.gemini_base_url, level, language, question)
    if asked in _GOOD:
        return replace(_GOOD[asked], dollars=0.0)
    answer = ask(
        facts,
        key=settings.gemini_api_key,
        model=settings.gemini_model,
        level=level,
        language=language,
        question=question,
        said=plain,
        base_url=settings.gemini_base_url,
    )
    ASKED.questions += 1
    ASKED.refused += bool(answer.reason)
    ASKED.dollars += answer.dollars or 0.0
    if not answer.reason:
        _GOOD[asked] = answer
        for oldest in list(_GOOD)[:-KEPT]:
            del _GOOD[oldest]
    return answer


def answers(settings: Settings, watching: Monitor) -> Callable[[Any], Explanation]:
    """What answers the app's questions, from the facts as they are when it is asked."""

    def ask_about(question: Any) -> Explanation:
        how = {"level": Level(question.level), "language": question.language, "question": question.text}
        if is_subject(question.about):
            return explained_subject(settings, question.about, **how)
        graph = graphs.build(watching.observations(), now=datetime.now(UTC))
        return explained(settings, graph, question.about, **how)

    return ask_about


def look(settings: Settings) -> Graph:
    """The graph as it is now, once every built part has told something or has been given up.

    Raises:
        ServiceError: No stack runs here, and no broker elsewhere is set.
    """
    from rtlib.pipeline.monitoring.probes.catalog import PROBES
    from rtlib.services import supervisor

    if settings.kafka_bootstrap_servers is None and supervisor.supervisor_pid(settings) is None:
        raise ServiceError("the stack is not running, so there is nothing to explain", cure="rtlib up")

    every = {name for make in PROBES.values() for name in getattr(make, "names", ())}
    watching = monitor(settings)
    try:
        Retrying(
            retry=retry_if_result(lambda seen: not every <= set(seen)),
            wait=wait_fixed(0.2),
            stop=stop_after_delay(LOOK_SECONDS),
            retry_error_callback=lambda state: None,
        )(watching.observations)
        return graphs.build(watching.observations(), now=datetime.now(UTC))
    finally:
        watching.stop()
