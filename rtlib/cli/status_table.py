"""Status table: the parts of the stack as ``rtlib status`` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from rtlib.cli.common import print_json
from rtlib.config import Settings

if TYPE_CHECKING:
    from rtlib.services.status import StackStatus


def show_status(settings: Settings, *, as_json: bool) -> bool:
    """Print the status of the stack; True when every part is healthy."""
    from rtlib.pipeline.monitoring import health
    from rtlib.services.status import status as stack_status

    current = stack_status(settings, checks=health.checks())
    if as_json:
        print_json(current.to_json())
    elif not current.running:
        typer.echo("the stack is not running; start it with: rtlib up")
    else:
        print_table(current)
    return current.healthy


def print_table(status: StackStatus) -> None:
    """Print a line for each part, and the memory of the whole."""
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
