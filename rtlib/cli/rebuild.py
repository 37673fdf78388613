"""The verbs that make a damaged part of the state anew from what the others still hold."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings
from rtlib.errors import ConfigError

if TYPE_CHECKING:
    from rtlib.pipeline.rebuild.warehouse import Rebuilt

rebuild = typer.Typer(help="Make a damaged part of the state anew from what the others still hold.")
app.add_typer(rebuild, name="rebuild", no_args_is_help=True)


@rebuild.command()
def warehouse(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False, as_json: Json = False
) -> None:
    """Make the local warehouse anew: from Kafka, from history's seeds, and from what is readable in the old file.

    The old file is kept beside it. What cannot come back is said at the end. A stack that does not run is started.
    """
    from rtlib.pipeline.rebuild.warehouse import rebuild_warehouse

    settings = load_settings()
    if not yes and not sys.stdin.isatty():
        raise ConfigError(
            f"there is no terminal to ask whether the warehouse of {settings.home} may be made anew",
            cure="rtlib rebuild warehouse --yes",
        )
    if not yes:
        typer.confirm(f"Make the warehouse of {settings.home} anew? The old file is kept.", abort=True)
    done = rebuild_warehouse(settings, notify=say)
    if as_json:
        print_json(asdict(done))
    else:
        _show(done)


@rebuild.command("checkpoint")
def checkpoint(
    query: Annotated[str, typer.Argument(help="kpis or archive.")],
    as_json: Json = False,
) -> None:
    """Put a query's checkpoint aside: it reads its topic again from the start.

    The archive leaves out what RAW has. KPIs are counted anew and replace the old ones, so windows of which Kafka has
    deleted some events come out lower: a topic of events keeps a week.
    """
    from rtlib.pipeline.rebuild.checkpoint import rebuild_checkpoint

    places = rebuild_checkpoint(load_settings(), query)
    if as_json:
        print_json({"query": query, "aside": [str(one) for one in places]})
        return
    for place in places:
        typer.echo(f"the old checkpoint is at {place}")
    typer.echo(f"{query} begins at the start of its topic" if places else f"{query} had no checkpoint")


def _show(done: Rebuilt) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("table", no_wrap=True)
    for heading in ("rows before", "carried over", "rows now"):
        table.add_column(heading, justify="right")
    for one in done.tables:
        before = "not readable" if one.before is None else f"{one.before:,}"
        table.add_row(one.table, before, f"{one.carried:,}", f"{one.after:,}")
    Console(highlight=False).print(table)
    for gone in done.gone:
        typer.echo(f"cannot come back: {gone}")
    typer.echo(f"the warehouse is there again, after {done.seconds:.0f} s; the old file is in {done.kept}")
