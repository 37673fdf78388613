"""The verbs that prove something: the ledger."""

from __future__ import annotations

from dataclasses import asdict

import typer

from rtlib.cli.common import Json, app, print_json
from rtlib.config import load_settings


@app.command("ledger")
def show_ledger(as_json: Json = False) -> None:
    """Prove that no event was lost and none doubled, or name those that were.

    It holds the simulator's own tally against Kafka, RAW.EVENTS, RAW.REJECTED and SPEED.KPIS of the running stack.
    Exit code 1 when something does not agree.
    """
    from rtlib import ledger

    taken = ledger.take(load_settings())
    if as_json:
        print_json({**asdict(taken), "reconciles": taken.reconciles})
    else:
        typer.echo(ledger.render(taken))
    raise typer.Exit(0 if taken.reconciles else 1)
