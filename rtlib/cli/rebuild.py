"""The verbs that make anew what was damaged, from what the other parts still hold."""

from __future__ import annotations

from typing import Annotated

import typer

from rtlib.cli.common import Json, app, print_json
from rtlib.config import load_settings

rebuild = typer.Typer(help="Make anew what was damaged, from what the other parts still hold.", no_args_is_help=True)
app.add_typer(rebuild, name="rebuild")


@rebuild.command("checkpoint")
def checkpoint(
    query: Annotated[str, typer.Argument(help="kpis or archive.")],
    as_json: Json = False,
) -> None:
    """Put a query's checkpoint aside: it reads its topic again from the start; what it writes twice changes nothing."""
    from rtlib.pipeline.rebuild_checkpoint import rebuild_checkpoint

    places = rebuild_checkpoint(load_settings(), query)
    if as_json:
        print_json({"query": query, "aside": [str(one) for one in places]})
        return
    for place in places:
        typer.echo(f"the old checkpoint is at {place}")
    typer.echo(f"{query} begins at the start of its topic" if places else f"{query} had no checkpoint")
