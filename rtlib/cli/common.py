"""Shared by every verb: the command itself, common options with their help, and printing."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rtlib.config import DOMAINS, Settings, load_settings
from rtlib.services.parts import PART_NAMES
from rtlib.validators import finite

# The order of the verbs in `rtlib --help`: first steps, then the stack, checks, batch work, measurements, repair.
VERB_ORDER = (
    *("demo", "app", "lab", "course", "cards", "explain"),
    *("doctor", "up", "status", "logs", "stop", "start", "restart", "down", "reset"),
    *("ledger", "travel", "fault", "soak"),
    *("batch", "backfill", "retention", "dbt", "staffing", "bi"),
    *("bench", "rebuild"),
)


class OrderedGroup(TyperGroup):
    """Lists the verbs in ``VERB_ORDER``."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all verbs; one that is missing from the order comes last."""
        ranks = {name: rank for rank, name in enumerate(VERB_ORDER)}
        return sorted(self.commands, key=lambda name: ranks.get(name, len(ranks)))


app = typer.Typer(
    name="rtlib",
    cls=OrderedGroup,
    help="Learn a real-time data stack by running it: Kafka, Spark and a Snowflake-compatible warehouse, all local.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
Utc = Annotated[bool, typer.Option("--utc", help="Print times in UTC, not by the clocks of the site.")]
DomainName = Annotated[str | None, typer.Option("--domain", help=f"The simulated business: {', '.join(DOMAINS)}.")]
RateValue = Annotated[float | None, typer.Option("--rate", help="Average number of events per second.")]
Trigger = Annotated[str | None, typer.Option("--trigger", help="Mode of the KPI query: real-time or micro-batch.")]
Small = Annotated[bool, typer.Option("--small", help="Use at most 2 GB of memory instead of 3 GB.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Seed of the random choices; times still come from the clock.")
]
PartName = Annotated[str, typer.Argument(help=f"One of: {', '.join(PART_NAMES)}.")]


NoHistory = Annotated[
    bool, typer.Option("--no-history", help="Load no simulated history; forecasts then wait for days of events.")
]


def choose(
    *,
    domain: str | None,
    rate: float | None,
    trigger: str | None,
    seed: int | None,
    small: bool,
    no_history: bool = False,
) -> tuple[Settings, Mapping[str, object]]:
    """Settings with the options of the command line, and those options by name."""
    options = {
        "domain": domain,
        "rate": rate,
        "trigger": trigger,
        "seed": seed,
        "profile": "small" if small else None,
        "history_days": 0 if no_history else None,
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    return load_settings(**chosen), chosen


def say(line: str) -> None:
    """Print progress on standard error, so that the result on standard output can be piped.

    After the terminal was closed or the pipe broke, lines are dropped and the work continues, so that everything that
    was started is stopped.
    """
    try:
        typer.echo(line, err=True)
    except OSError:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  Python flushes it at exit and must not fail


def print_json(fields: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output; NaN and infinite numbers become null."""
    typer.echo(json.dumps(finite(fields), default=str, allow_nan=False))
