"""The verbs that open something to look at: the demo, the app, the lessons."""

from __future__ import annotations

from typing import Annotated

import typer

from rtlib.cli.common import DomainName, Json, RateValue, Seed, Small, Trigger, app, choose, print_json, say
from rtlib.config import load_settings
from rtlib.errors import ConfigError

SECONDS = 60  # of a headless run


@app.command("demo")
def run_demo(
    headless: Annotated[bool, typer.Option("--headless", help="No browser: run, reconcile, print, stop.")] = False,
    seconds: Annotated[
        int | None, typer.Option("--seconds", min=1, help="How long a headless run streams events; else 60.")
    ] = None,
    domain: DomainName = None,
    rate: RateValue = None,
    trigger: Trigger = None,
    seed: Seed = None,
    small: Small = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve the app, but open no browser.")] = False,
    as_json: Json = False,
) -> None:
    """Start the stack, stream events and open the app. Ctrl-C stops everything it began.

    With --headless it streams for some seconds, holds every count against the simulator's own tally, prints one line
    for each path, and exits 0 only if they agree; 1 when they do not, 9 when something had not arrived in time.
    """
    from rtlib.app import demo
    from rtlib.ledger import to_dict

    for name, given in (("--json", as_json), ("--seconds", seconds is not None)):
        if given and not headless:
            raise ConfigError(f"{name} is for a run that ends by itself", cure="add --headless")
    settings, chosen = choose(domain=domain, rate=rate, trigger=trigger, seed=seed, small=small)
    if not headless:
        demo.run_app(settings, chosen, notify=say, browser=not no_browser)
        return
    result = demo.run_headless(settings, chosen, seconds=seconds or SECONDS, notify=say)
    if as_json:
        print_json(to_dict(result))
    else:
        typer.echo(demo.report(result))
    raise typer.Exit(result.verdict.exit_code)


@app.command("app")
def open_app(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve it, but open no browser.")] = False,
) -> None:
    """Serve the clickable graph of the running stack by Voilà, until Ctrl-C."""
    from rtlib.app import servers

    servers.serve_app(load_settings(), notify=say, browser=not no_browser)


@app.command()
def cards(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, but open no browser.")] = False,
) -> None:
    """Open the page with the cards that the local receiver took in the place of Teams."""
    from rtlib.app import servers

    servers.open_cards(load_settings(), notify=say, browser=not no_browser)


@app.command()
def lab(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve it, but open no browser.")] = False,
) -> None:
    """Open the lessons in JupyterLab, until Ctrl-C."""
    from rtlib.app import servers

    servers.serve_lab(load_settings(), browser=not no_browser)
