"""The ``rtlib`` command: every verb of the project, for people and, with ``--json``, for programs.

Each module of this package holds a group of verbs and registers them on ``app`` when it is imported here.
"""

from __future__ import annotations

import sys

import typer

from rtlib.cli import batch, bench, bi, course, explain, open, rebuild, stack, staffing, transform, travel, verify
from rtlib.cli.common import app
from rtlib.errors import RtlibError

__all__ = [
    "app",
    "batch",
    "bench",
    "bi",
    "course",
    "explain",
    "main",
    "open",
    "rebuild",
    "stack",
    "staffing",
    "transform",
    "travel",
    "verify",
]


def main() -> None:
    """Run the command; an error is printed with its cure and sets the exit code."""
    try:
        app()
    except RtlibError as error:
        typer.echo(f"rtlib: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
