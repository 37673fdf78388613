"""The verb that goes back in time: what a query knew, batch by batch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, app, print_json
from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError

if TYPE_CHECKING:
    from rtlib.records import QueryProgress


@app.command()
def travel(
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="A moment in UTC, 12:03:10 or 2026-01-05T12:03:10, or with an offset: 14:03:10+02:00."
        ),
    ] = None,
    query: Annotated[str, typer.Option("--query", help="kpis or archive.")] = "kpis",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many batches, back from that moment.")] = 10,
    as_json: Json = False,
) -> None:
    """Show what a query knew at a moment: its offsets, watermark, state and dropped rows, batch by batch."""
    from rtlib.pipeline.telemetry.batch_history import history

    settings = load_settings()
    until = _moment(at)
    batches = [one for one in history(settings, query=query) if one.at <= until][-lines:]
    if as_json:
        print_json({"query": query, "until": until.isoformat(), "batches": [asdict(one) for one in batches]})
    else:
        _show(settings, batches)


def _show(settings: Settings, batches: list[QueryProgress]) -> None:
    if not batches:
        typer.echo("no batch is recorded until then")
        return
    typer.echo(f"{'began':<13}{'batch':>7}{'rows':>9}{'state':>9}{'dropped':>9}  {'watermark':<13}offsets after it")
    for one in batches:
        mark = f"{one.watermark:%H:%M:%S.%f}"[:12] if one.watermark else "-"
        offsets = " ".join(f"{name}:{end}" for name, end in sorted(one.end_offsets.items()))
        began = f"{one.at:%H:%M:%S.%f}"[:12]
        counts = f"{one.batch_id:>7}{one.input_rows:>9,}{one.state_rows:>9,}{one.dropped_late:>9,}"
        typer.echo(f"{began:<13}{counts}  {mark:<13}{offsets}")


def _moment(text: str | None) -> datetime:
    """Today's time of day or a full moment, in UTC unless it has an offset; now when nothing is asked.

    Raises:
        ConfigError: It is neither.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        told = _today(text) if ":" in text[:3] else datetime.fromisoformat(text)
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        cure = "write 12:03:10, or 2026-01-05T12:03:10, in UTC or with an offset as in 14:03:10+02:00"
        raise ConfigError(f"{text!r} is no moment", cure=cure) from None


def _today(text: str) -> datetime:
    """A time of day; it is today's where its offset holds."""
    told = time.fromisoformat(text)
    return datetime.combine(datetime.now(told.tzinfo or UTC), told)
