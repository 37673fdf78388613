"""The verb that explains a part from its live figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from rtlib.cli.common import Json, app, print_json
from rtlib.components import component
from rtlib.config import load_settings


@app.command()
def explain(
    node: Annotated[
        str,
        typer.Argument(
            help="A node of the graph (events, kpis, dwh, ...), kpi:<name>, alert:newest, or forecast:<site or all>."
        ),
    ],
    level: Annotated[str, typer.Option("--level", help="The reader: newcomer, practitioner or expert.")] = "newcomer",
    language: Annotated[
        str, typer.Option("--language", help="With a model: English, German, French, Spanish, Italian, Dutch, ...")
    ] = "English",
    question: Annotated[str, typer.Option("--ask", help="A question about it.")] = "",
    as_json: Json = False,
) -> None:
    """Explain a part, KPI, alert or forecast from live figures.

    With a Gemini key, a model writes the explanation from these facts only, and its answer is shown only if every
    number, name and state in it is one of the facts. Otherwise the text is generated locally, in English.
    """
    from rtlib.pipeline.explanations.explainer import Level, explained, explained_subject, look
    from rtlib.pipeline.explanations.fact_builders import is_subject

    settings, chosen = load_settings(), Level(_level(level))
    if is_subject(node):
        answer = explained_subject(settings, node, level=chosen, language=language, question=question)
    else:
        component(node)  # reports a wrong name before anything is measured
        answer = explained(settings, look(settings), node, level=chosen, language=language, question=question)
    if as_json:
        print_json({"node": node, **asdict(answer)})
        return
    typer.echo(answer.text)
    typer.echo(f"({_source_note(answer.source, answer.why, answer.dollars)})")


def _source_note(source: str, why: str, dollars: float | None) -> str:
    origin = "generated from the live figures, without a model" if source == "facts" else f"by {source}, checked"
    cost = "; the cost of the model is unknown" if dollars is None else ""
    cost = f"; the model cost {dollars:.5f} USD" if dollars else cost
    return f"{origin}{f'; the model: {why}' if why else ''}{cost}"


def _level(text: str) -> str:
    from rtlib.errors import ConfigError

    if text not in ("newcomer", "practitioner", "expert"):
        raise ConfigError(f"there is no level {text!r}", cure="use one of: newcomer, practitioner, expert")
    return text
