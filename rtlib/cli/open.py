"""The verbs that open a page: the demo, the app, the cards, the lessons."""

from __future__ import annotations

from typing import Annotated

import typer

from rtlib.cli.common import DomainName, Json, NoHistory, RateValue, Seed, Small, Trigger, app, choose, print_json, say
from rtlib.config import load_settings
from rtlib.errors import ConfigError

HEADLESS_SECONDS = 60


@app.command("demo")
def run_demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Without the app: stream, reconcile, print, stop.")
    ] = False,
    seconds: Annotated[
        int | None, typer.Option("--seconds", min=1, help="Duration of a headless run; 60 by default.")
    ] = None,
    domain: DomainName = None,
    rate: RateValue = None,
    trigger: Trigger = None,
    seed: Seed = None,
    small: Small = False,
    no_history: NoHistory = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve the app but open no browser.")] = False,
    as_json: Json = False,
) -> None:
    """Start the stack, stream events and open the app.

    Ctrl-C stops everything that the command started. With --headless it streams for some seconds, compares every count
    with the simulator's, and prints one line for each path; --json also has the number of nodes of the graph that were
    healthy, degraded, idle or stopped when streaming ended. Exit code 0: the counts agree. 1: they do not. 9: something
    had not arrived in time.
    """
    from rtlib.app import demo
    from rtlib.ledger import to_dict

    for name, given in (("--json", as_json), ("--seconds", seconds is not None)):
        if given and not headless:
            raise ConfigError(f"{name} is for headless runs only", cure="add --headless")
    settings, chosen = choose(domain=domain, rate=rate, trigger=trigger, seed=seed, small=small, no_history=no_history)
    if not headless:
        demo.run_app(settings, chosen, notify=say, browser=not no_browser)
        return
    result, nodes = demo.run_headless(settings, chosen, seconds=seconds or HEADLESS_SECONDS, notify=say)
    if as_json:
        print_json({**to_dict(result), **nodes})
    else:
        typer.echo(demo.report(result))
    raise typer.Exit(result.verdict.exit_code)


@app.command("app")
def open_app(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve the page but open no browser.")] = False,
) -> None:
    """Serve the app, the live graph of the running stack.

    Voilà serves it until Ctrl-C.
    """
    from rtlib.app import servers

    servers.serve_app(load_settings(), notify=say, browser=not no_browser)


@app.command()
def cards(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address but open no browser.")] = False,
) -> None:
    """Open the page of alert cards, the local stand-in for Teams."""
    from rtlib.app import servers

    servers.open_cards(load_settings(), notify=say, browser=not no_browser)


@app.command()
def lab(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve the page but open no browser.")] = False,
) -> None:
    """Open the lessons in JupyterLab until Ctrl-C."""
    from rtlib.app import servers

    servers.serve_lab(load_settings(), browser=not no_browser)
