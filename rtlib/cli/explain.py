"""The verb that explains a part from its live numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from rtlib.cli.common import Json, Utc, app, print_json
from rtlib.components import component
from rtlib.config import load_settings


@app.command()
def explain(
    node: Annotated[
        str,
        typer.Argument(
            help="A node of the graph (events, kpis, dwh, ...), kpi:<name>, alert:newest, forecast:all or :<site>."
        ),
    ],
    level: Annotated[str, typer.Option("--level", help="The reader: newcomer, practitioner or expert.")] = "newcomer",
    language: Annotated[
        str, typer.Option("--language", help="For the model: English, German, Japanese, Arabic, ...")
    ] = "English",
    question: Annotated[str, typer.Option("--ask", help="Your question about it.")] = "",
    utc: Utc = False,
    as_json: Json = False,
) -> None:
    """Explain a part, KPI, alert or forecast from live figures.

    With a Gemini key the model writes the text from these facts alone. It refers to every number, name and state by the
    id of a fact, and an answer that writes one itself is refused. Without a key, or after a refusal, the text is made
    here, in English.
    """
    from rtlib.pipeline.explanations.explainer import Level, explained, explained_subject
    from rtlib.pipeline.explanations.fact_builders import is_subject
    from rtlib.pipeline.monitoring.observe import look

    settings, chosen = load_settings(), Level(_level(level))
    if is_subject(node):
        explanation = explained_subject(settings, node, level=chosen, language=language, question=question, utc=utc)
    else:
        component(node)  # a wrong name fails before anything is observed
        graph = look(settings, utc=utc)
        explanation = explained(settings, graph, node, level=chosen, language=language, question=question)
    if as_json:
        print_json({"node": node, **asdict(explanation)})
        return
    typer.echo(explanation.text)
    typer.echo(f"({_origin(explanation.source, explanation.why, explanation.dollars)})")


def _origin(source: str, why: str, dollars: float | None) -> str:
    made = "made from the live numbers, without a model" if source == "facts" else f"by {source}, verified"
    cost = "; the cost is unknown" if dollars is None else ""
    cost = f"; cost {dollars:.5f} USD" if dollars else cost
    return f"{made}{f'; the model: {why}' if why else ''}{cost}"


def _level(text: str) -> str:
    from rtlib.errors import ConfigError

    if text not in ("newcomer", "practitioner", "expert"):
        raise ConfigError(f"there is no level {text!r}", cure="use one of: newcomer, practitioner, expert")
    return text
