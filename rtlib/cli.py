"""The ``rtlib`` command: every verb of the project, for people and, with ``--json``, for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtlib.config import DOMAINS, Settings, load_settings
from rtlib.errors import RtlibError

if TYPE_CHECKING:
    from rtlib.services.stack import StackStatus

app = typer.Typer(
    name="rtlib",
    help="Learn a real-time data stack by running it: Kafka, Spark and a Snowflake-speaking warehouse on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]
DomainName = Annotated[str | None, typer.Option("--domain", help=f"Which world runs: {', '.join(DOMAINS)}.")]
RateValue = Annotated[float | None, typer.Option("--rate", help="Events per second, on average.")]
Trigger = Annotated[str | None, typer.Option("--trigger", help="How the KPI query runs: real-time or micro-batch.")]
Small = Annotated[bool, typer.Option("--small", help="Use at most 2 GB of memory instead of 3.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Same seed, same events.")]
PartName = Annotated[str, typer.Argument(help="broker, registry, warehouse, stream, loader or simulator.")]


@app.command()
def doctor(
    as_json: Json = False,
    browser: Annotated[bool, typer.Option("--browser", help="Also look for a browser, which the tests need.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Fetch what can be fetched.")] = False,
) -> None:
    """Check the machine, and say the exact cure for whatever is missing."""
    from rtlib import doctor as machine

    settings = load_settings()
    if install:
        machine.install(settings, browser=browser)
    found = machine.checks(settings, browser=browser)
    if as_json:
        _print_json({"checks": [asdict(one) for one in found], "ok": machine.exit_code(found) == 0})
    else:
        typer.echo(machine.render(found))
    raise typer.Exit(machine.exit_code(found))


@app.command()
def up(
    as_json: Json = False,
    domain: DomainName = None,
    rate: RateValue = None,
    trigger: Trigger = None,
    seed: Seed = None,
    small: Small = False,
) -> None:
    """Start the stack in the background. Starting it twice is harmless."""
    from rtlib import demo

    settings, chosen = _choose(domain=domain, rate=rate, trigger=trigger, seed=seed, small=small)
    began = demo.start(settings, chosen, tell=_say)
    now = load_settings()
    if began and not as_json:
        _say(f"up: Kafka at {now.bootstrap_servers}, registry at {now.schema_registry_url}")
        _say("next: rtlib app (the graph), rtlib status, rtlib logs stream, rtlib down")
    _show_status(now, as_json=as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop everything that up began, also after a crash."""
    from rtlib.services import stack

    stopped = stack.down(load_settings(), tell=_say)
    if as_json:
        _print_json({"stopped": stopped})
    else:
        typer.echo("the stack is stopped" if stopped else "nothing was running")


@app.command()
def status(as_json: Json = False) -> None:
    """Ask every part how it is, and add up its memory. Exit code 1 when something is not well."""
    healthy = _show_status(load_settings(), as_json=as_json)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def logs(
    part: PartName,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines from the end.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a part has said."""
    from rtlib.services import stack
    from rtlib.services.parts import known_part

    settings = load_settings()
    said = stack.last_lines(settings, known_part(part), lines)
    if as_json:
        _print_json({"part": part, "lines": said})
        return
    for line in said:
        typer.echo(line)
    if follow:
        _follow(settings, part)


@app.command()
def restart(part: PartName) -> None:
    """Stop one part and start it again, to see how the others take it."""
    from rtlib.services import supervise
    from rtlib.services.parts import known_part

    settings = load_settings()
    supervise.stop_part(settings, known_part(part))
    supervise.start_part(settings, part)
    typer.echo(f"{part} was stopped and started again")


@app.command()
def reset(
    downloads: Annotated[bool, typer.Option("--downloads", help="Throw the downloaded jars away as well.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Empty the state folder: topics, tables, checkpoints, logs. The downloaded jars stay."""
    from rtlib.services import stack

    settings = load_settings()
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Empty {settings.home}?", abort=True)
    stack.reset(settings, downloads=downloads)
    typer.echo(f"{settings.home} is empty" + ("" if downloads else ", but for the downloaded jars"))


@app.command("demo")
def run_demo(
    headless: Annotated[bool, typer.Option("--headless", help="No browser: run, reconcile, print, stop.")] = False,
    seconds: Annotated[int, typer.Option("--seconds", min=1, help="How long a headless run streams events.")] = 60,
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
    for each path, and exits 0 only if they agree.
    """
    from rtlib import demo

    settings, chosen = _choose(domain=domain, rate=rate, trigger=trigger, seed=seed, small=small)
    if not headless:
        demo.run_app(settings, chosen, tell=_say, browser=not no_browser)
        return
    result = demo.run_headless(settings, chosen, seconds=seconds, tell=_say)
    if as_json:
        _print_json({**asdict(result), "reconciles": result.reconciles})
    else:
        typer.echo(demo.report(result))
    raise typer.Exit(0 if result.reconciles else 1)


@app.command("app")
def open_app(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve it, but open no browser.")] = False,
) -> None:
    """Serve the clickable graph of the running stack by Voilà, until Ctrl-C."""
    from rtlib import demo

    demo.serve_app(load_settings(), tell=_say, browser=not no_browser)


@app.command()
def lab(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Serve it, but open no browser.")] = False,
) -> None:
    """Open the lessons in JupyterLab, until Ctrl-C."""
    from rtlib import demo

    demo.serve_lab(load_settings(), browser=not no_browser)


@app.command()
def backfill(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How many days, up to last midnight.")] = 28,
    per_day: Annotated[int, typer.Option("--per-day", min=1, max=200_000, help="Events a day.")] = 5_000,
    as_json: Json = False,
) -> None:
    """Load simulated history into the warehouse of the running stack, so that batch lessons have data."""
    from rtlib import pipeline

    _say(f"loading {days} days of about {per_day:,} events")
    new = pipeline.backfill(load_settings(), days=days, per_day=per_day)
    if as_json:
        _print_json({"new_events": new})
    else:
        typer.echo(f"{new:,} new events in RAW.EVENTS")


@app.command(hidden=True)
def run(part: PartName) -> None:
    """Run one part in this process; the supervisor calls this."""
    import logging

    from rtlib.pipeline.run_part import run_part

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("kafka", "py4j", "snowflake"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    run_part(part, load_settings())


def main() -> None:
    """Run the command; an error is one screen that says what to do, and an exit code that is not 0."""
    try:
        app()
    except RtlibError as error:
        typer.echo(f"rtlib: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _choose(
    *, domain: str | None, rate: float | None, trigger: str | None, seed: int | None, small: bool
) -> tuple[Settings, Mapping[str, object]]:
    """The settings with what the command line asks for, and what it asks for."""
    asked = {"domain": domain, "rate": rate, "trigger": trigger, "seed": seed, "profile": "small" if small else None}
    chosen = {name: value for name, value in asked.items() if value is not None}
    return load_settings(**chosen), chosen


def _show_status(settings: Settings, *, as_json: bool) -> bool:
    from rtlib.pipeline import health
    from rtlib.services import stack

    told = stack.status(settings, checks=health.checks())
    healthy = told.running and all(part.healthy for part in told.parts)
    if as_json:
        _print_json({**asdict(told), "healthy": healthy})
    elif not told.running:
        typer.echo("the stack is not running; start it with: rtlib up")
    else:
        _print_table(told)
    return healthy


def _print_table(told: StackStatus) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"rtlib, domain {told.domain}", title_justify="left", box=None, pad_edge=False)
    for heading in ("part", "", "state", "up", "memory", "says"):
        table.add_column(heading, justify="right" if heading in ("up", "memory") else "left")
    for part in told.parts:
        mark = "ok" if part.healthy else "NOT WELL"
        memory = f"{part.resident_mb:,.0f} MB"
        table.add_row(part.name, mark, part.state.lower(), f"{part.uptime_seconds:,.0f} s", memory, part.said)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"resident memory of the whole stack: {told.resident_mb / 1024:.2f} GB")


def _follow(settings: Settings, part: str) -> None:
    import time

    from rtlib.services import stack

    with stack.log_path(settings, part).open(errors="replace") as log:
        log.seek(0, 2)
        while True:  # until Ctrl-C, which the command turns into exit code 130
            line = log.readline()
            if line:
                typer.echo(line, nl=False)
            else:
                time.sleep(0.2)


def _say(line: str) -> None:
    """Progress goes to standard error, so that what is printed can be piped."""
    typer.echo(line, err=True)


def _print_json(told: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(told, default=str))
