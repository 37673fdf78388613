"""What every verb shares: the command itself, options with their help, and the two ways of printing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rtlib.config import DOMAINS, Settings, load_settings
from rtlib.services.parts import PART_NAMES
from rtlib.validators import finite

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
Seed = Annotated[int | None, typer.Option("--seed", help="Same seed, same random choices; times are the clock's.")]
PartName = Annotated[str, typer.Argument(help=f"One of: {', '.join(PART_NAMES)}.")]


def choose(
    *, domain: str | None, rate: float | None, trigger: str | None, seed: int | None, small: bool
) -> tuple[Settings, Mapping[str, object]]:
    """The settings with what the command line asks for, and what it asks for."""
    asked = {"domain": domain, "rate": rate, "trigger": trigger, "seed": seed, "profile": "small" if small else None}
    chosen = {name: value for name, value in asked.items() if value is not None}
    return load_settings(**chosen), chosen


def say(line: str) -> None:
    """Progress goes to standard error, so that what is printed can be piped.

    When nobody listens any more, because the terminal was closed or the pipe broke, the work must still come to its
    end: what was started is to be stopped.
    """
    try:
        typer.echo(line, err=True)
    except OSError:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  at its end Python would fail to write what is left


def print_json(told: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; a number that is none, or has no end, is null there."""
    typer.echo(json.dumps(finite(told), default=str, allow_nan=False))
