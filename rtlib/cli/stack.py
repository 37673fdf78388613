"""The verbs of the local stack: check, start, stop, inspect, reset, fill."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import (
    DomainName,
    Json,
    NoHistory,
    PartName,
    RateValue,
    Seed,
    Small,
    Trigger,
    app,
    choose,
    print_json,
    say,
)
from rtlib.config import DOMAINS, Settings, load_settings
from rtlib.errors import ConfigError, SupervisorSilent

if TYPE_CHECKING:
    from rtlib.services.status import StackStatus


@app.command()
def doctor(
    as_json: Json = False,
    browser: Annotated[bool, typer.Option("--browser", help="Also require a browser, which the tests need.")] = False,
    install: Annotated[bool, typer.Option("--install", help="Download what is missing.")] = False,
    security: Annotated[
        bool, typer.Option("--security", help="Check the guarantees of docs/security.md instead.")
    ] = False,
) -> None:
    """Check the machine and print a cure for every problem.

    With --security, check the running stack: file modes, listening sockets, secrets, and the requests that each server
    refuses.
    """
    from rtlib import doctor as machine

    settings = load_settings()
    if install:
        machine.install(settings, browser=browser)
    if security:
        from rtlib.security import checks

        results = checks(settings)
    else:
        results = machine.checks(settings, browser=browser)
    if as_json:
        print_json({"checks": [check.to_json() for check in results], "ok": machine.exit_code(results) == 0})
    else:
        typer.echo(machine.render(results))
    raise typer.Exit(machine.exit_code(results))


@app.command()
def up(
    as_json: Json = False,
    domain: DomainName = None,
    rate: RateValue = None,
    trigger: Trigger = None,
    seed: Seed = None,
    small: Small = False,
    no_history: NoHistory = False,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Write a chart of what the start takes its time for, as SVG.")
    ] = None,
) -> None:
    """Start the stack in the background.

    If it is already running, nothing changes. Four weeks of history, the marts, forecasts and the staffing plan follow
    by themselves; 'rtlib batch status' shows how far they are.
    """
    from rtlib.app import lifecycle
    from rtlib.services.start_trace import StartTrace, svg

    settings, chosen = choose(domain=domain, rate=rate, trigger=trigger, seed=seed, small=small, no_history=no_history)
    spans = StartTrace(settings.home if trace else None)
    started = lifecycle.start(settings, chosen, notify=say, trace=spans)
    if trace and started:
        trace.write_text(svg(spans.spans), encoding="utf-8")
    current = load_settings()
    if started and not as_json:
        say(f"up: Kafka at {current.bootstrap_servers}, registry at {current.schema_registry_url}")
        say("next: rtlib app (the graph), rtlib status, rtlib logs stream, rtlib down")
    _show_status(current, as_json=as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the stack, also after a crash."""
    from rtlib.services import stack

    stopped = stack.down(load_settings(), notify=say)
    if as_json:
        print_json({"stopped": stopped})
    else:
        typer.echo("the stack is stopped" if stopped else "nothing was running")


@app.command()
def status(as_json: Json = False) -> None:
    """Show the health and memory of every part.

    Exit code 1 when a part is unhealthy or the stack is not running.
    """
    try:
        healthy = _show_status(load_settings(), as_json=as_json)
    except SupervisorSilent as error:  # also an answer: the stack is unhealthy
        typer.echo(f"rtlib: {error}", err=True)
        healthy = False
    raise typer.Exit(0 if healthy else 1)


@app.command()
def logs(
    part: PartName,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Number of lines from the end.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show the log of a part."""
    from rtlib.services.logs import tail_log
    from rtlib.services.parts import known_part

    settings = load_settings()
    last_lines = tail_log(settings, known_part(part), lines)
    if as_json:
        print_json({"part": part, "lines": last_lines})
        return
    for line in last_lines:
        typer.echo(line)
    if not last_lines:
        say(f"the log of {part} is empty")
    if follow:
        _follow(settings, part)


@app.command()
def restart(part: PartName) -> None:
    """Stop a part and start it again."""
    from rtlib.services import supervisor
    from rtlib.services.parts import known_part

    settings = load_settings()
    supervisor.stop_part(settings, known_part(part))
    supervisor.start_part(settings, part)
    typer.echo(f"{part} was restarted")


@app.command()
def stop(part: PartName) -> None:
    """Stop a part until 'rtlib start' starts it again."""
    from rtlib.services import supervisor
    from rtlib.services.parts import known_part

    supervisor.stop_part(load_settings(), known_part(part))
    typer.echo(f"{part} is stopped; start it again with: rtlib start {part}")


@app.command()
def start(part: PartName) -> None:
    """Start a stopped part."""
    from rtlib.services import supervisor
    from rtlib.services.parts import known_part

    supervisor.start_part(load_settings(), known_part(part))
    typer.echo(f"{part} is started")


@app.command()
def reset(
    downloads: Annotated[bool, typer.Option("--downloads", help="Delete the downloaded jars as well.")] = False,
    progress: Annotated[bool, typer.Option("--progress", help="Delete your progress in the lessons too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete all topics, tables, checkpoints and logs.

    Empties the state folder except for the downloaded jars and your progress in the lessons.
    """
    from rtlib.services.state_folder import reset as empty_folder

    settings = load_settings()
    if not yes and not sys.stdin.isatty():
        raise ConfigError(f"there is no terminal to confirm that {settings.home} is emptied", cure="rtlib reset --yes")
    if not yes:
        typer.confirm(f"Empty {settings.home}?", abort=True)
    empty_folder(settings, downloads=downloads, progress=progress)
    kept = ["the downloaded jars"] * (not downloads) + ["your progress in the lessons"] * (not progress)
    typer.echo(f"{settings.home} is empty" + (f" except for {' and '.join(kept)}" if kept else ""))


@app.command()
def backfill(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="Number of days before today.")] = 28,
    all_domains: Annotated[
        bool, typer.Option("--all-domains", help="For every domain instead of the running one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Load simulated history into the warehouse.

    The batch lessons need it. It follows the same demand as the live stream, at the rate of the stack, and ends where
    the live stream begins. Half-hours that the warehouse holds already are skipped.
    """
    from rtlib.pipeline.backfill import Loaded
    from rtlib.pipeline.backfill import backfill as load_history

    settings, new = load_settings(), Loaded()
    for domain in DOMAINS if all_domains else (settings.domain,):
        say(f"{domain}: loading {days} days at {settings.rate:g} events per second")
        new += load_history(settings.model_copy(update={"domain": domain}), days=days, notify=say)
    if as_json:
        print_json({"new_events": new.events, **asdict(new)})
    else:
        typer.echo(
            f"{new.rolled_events:,} events in {new.intervals:,} half-hours of RAW.ROLLUPS, "
            f"{new.raw_events:,} events in RAW.EVENTS"
        )


@app.command()
def retention(
    days: Annotated[int | None, typer.Option("--days", min=2, max=30, help="Days that stay raw.")] = None,
    as_json: Json = False,
) -> None:
    """Roll up old raw events.

    The warehouse stays small that way. Each site, kind of event and half-hour keeps its count, sum, minimum and
    maximum; the events themselves are deleted. The marts do not change. By default events stay raw for the number of
    days in the setting RTLIB_RAW_DAYS.
    """
    from rtlib.pipeline.retention import roll_up

    settings = load_settings()
    rolled = roll_up(settings, days=days or settings.raw_days)
    if as_json:
        print_json({"events": rolled.events if rolled else 0, "until": rolled.until.isoformat() if rolled else None})
    elif rolled:
        typer.echo(f"{rolled.events:,} events before {rolled.until:%Y-%m-%d %H:%M} UTC are rollups now")
    else:
        typer.echo(f"no event is older than {days or settings.raw_days} days: nothing to do")


@app.command(hidden=True)
def run(part: PartName) -> None:
    """Run a part in this process, as the supervisor does."""
    import logging

    from rtlib.pipeline.workers.run import run_part

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("kafka", "py4j", "snowflake", "httpx", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    run_part(part, load_settings())


def _show_status(settings: Settings, *, as_json: bool) -> bool:
    from rtlib.pipeline.monitoring import health
    from rtlib.services.status import status as stack_status

    current = stack_status(settings, checks=health.checks())
    if as_json:
        print_json(current.to_json())
    elif not current.running:
        typer.echo("the stack is not running; start it with: rtlib up")
    else:
        _print_table(current)
    return current.healthy


def _print_table(status: StackStatus) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"rtlib, domain {status.domain}", title_justify="left", box=None, pad_edge=False)
    for heading in ("part", "health", "state", "up", "memory", "peak", "detail"):
        table.add_column(heading, justify="right" if heading in ("up", "memory", "peak") else "left")
    for part in status.parts:
        health = ("OVER MEMORY" if part.over_memory else "ok") if part.healthy else "UNHEALTHY"
        memory = f"{part.resident_mb:,.0f} MB" + (f" of {part.limit_mb:,.0f}" if part.limit_mb else "")
        up, peak = f"{part.uptime_seconds:,.0f} s", f"{part.peak_mb:,.0f} MB" if part.peak_mb else ""
        table.add_row(part.name, health, part.state.lower(), up, memory, peak, part.detail)
    console = Console(highlight=False)
    console.print(table)
    peak = f", at its peak {status.peak_mb / 1024:.2f} GB" if status.peak_mb else ""
    console.print(f"resident memory of the whole stack: {status.resident_mb / 1024:.2f} GB{peak}")


def _follow(settings: Settings, part: str) -> None:
    """Run tail, which waits for a missing log and continues when the supervisor rotates it."""
    import subprocess

    from rtlib.services.logs import path

    # Ctrl-C reaches both processes; main() turns it into exit code 130.
    subprocess.run(("tail", "-n", "0", "-F", str(path(settings, part))), stderr=subprocess.DEVNULL)
