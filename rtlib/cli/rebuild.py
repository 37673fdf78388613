"""The verbs that rebuild a damaged part of the state from the other parts."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings
from rtlib.errors import ConfigError

if TYPE_CHECKING:
    from rtlib.pipeline.rebuild.result import Rebuilt

rebuild = typer.Typer(help="Rebuild a damaged warehouse or checkpoint.")
app.add_typer(rebuild, name="rebuild", no_args_is_help=True)


@rebuild.command()
def warehouse(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Rebuild the local warehouse.

    Its rows come from Kafka, from the seeds of the history, and from the readable part of the old file, which is kept.
    Data that cannot be restored is listed at the end. A stopped stack is started.
    """
    from rtlib.pipeline.rebuild.warehouse import rebuild_warehouse

    settings = load_settings()
    if not yes and not sys.stdin.isatty():
        raise ConfigError(
            f"there is no terminal to confirm that the warehouse of {settings.home} is rebuilt",
            cure="rtlib rebuild warehouse --yes",
        )
    if not yes:
        typer.confirm(f"Rebuild the warehouse of {settings.home}? The old file is kept.", abort=True)
    rebuilt = rebuild_warehouse(settings, notify=say)
    if as_json:
        print_json(asdict(rebuilt))
    else:
        _show(rebuilt)


@rebuild.command("checkpoint")
def checkpoint(
    query: Annotated[str, typer.Argument(help="The query: kpis or archive.")],
    as_json: Json = False,
) -> None:
    """Reset a query, so that it reads its topic from the start.

    The old checkpoint is kept in another folder. The archive skips rows that RAW has. KPIs are recomputed and replace
    the old ones: windows whose events Kafka has partly deleted, after a week, get lower counts.
    """
    from rtlib.pipeline.rebuild.checkpoint import rebuild_checkpoint

    places = rebuild_checkpoint(load_settings(), query)
    if as_json:
        print_json({"query": query, "aside": [str(place) for place in places]})
        return
    for place in places:
        typer.echo(f"the old checkpoint is at {place}")
    typer.echo(f"{query} starts at the beginning of its topic" if places else f"{query} had no checkpoint")


def _show(rebuilt: Rebuilt) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("table", no_wrap=True)
    for heading in ("rows before", "copied", "rows now"):
        table.add_column(heading, justify="right")
    for row in rebuilt.tables:
        before = "not readable" if row.before is None else f"{row.before:,}"
        table.add_row(row.table, before, f"{row.carried:,}", f"{row.after:,}")
    Console(highlight=False).print(table)
    for loss in rebuilt.gone:
        typer.echo(f"cannot be restored: {loss}")
    typer.echo(f"the warehouse was rebuilt in {rebuilt.seconds:.0f} s; the old file is in {rebuilt.kept}")
