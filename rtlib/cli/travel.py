"""The verb that goes back in time: the state of a query, batch by batch."""

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
        typer.Option("--at", help="A time in UTC, 12:03:10 or 2026-01-05T12:03:10, or with an offset: 14:03:10+02:00."),
    ] = None,
    query: Annotated[str, typer.Option("--query", help="The query: kpis or archive.")] = "kpis",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Number of batches up to that time.")] = 10,
    as_json: Json = False,
) -> None:
    """Show the batches of a query up to a point in time.

    Each line has the offsets, the watermark, the size of the state, and the number of dropped rows.
    """
    from rtlib.pipeline.telemetry.batch_history import history

    settings = load_settings()
    until = _moment(at)
    batches = [batch for batch in history(settings, query=query) if batch.at <= until][-lines:]
    if as_json:
        print_json({"query": query, "until": until.isoformat(), "batches": [asdict(batch) for batch in batches]})
    else:
        _show(settings, batches)


def _show(settings: Settings, batches: list[QueryProgress]) -> None:
    if not batches:
        typer.echo("no batch was recorded before that time")
        return
    typer.echo(f"{'start, UTC':<13}{'batch':>7}{'rows':>9}{'state':>9}{'dropped':>9}  {'watermark':<13}end offsets")
    for batch in batches:
        watermark = f"{batch.watermark:%H:%M:%S.%f}"[:12] if batch.watermark else "-"
        offsets = " ".join(f"{partition}:{end}" for partition, end in sorted(batch.end_offsets.items()))
        start = f"{batch.at:%H:%M:%S.%f}"[:12]
        counts = f"{batch.batch_id:>7}{batch.input_rows:>9,}{batch.state_rows:>9,}{batch.dropped_late:>9,}"
        typer.echo(f"{start:<13}{counts}  {watermark:<13}{offsets}")


def _moment(text: str | None) -> datetime:
    """Parse a time of today or a date and time, in UTC unless it has an offset; None is now.

    Raises:
        ConfigError: It is neither.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        moment = _today(text) if ":" in text[:3] else datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        cure = "write 12:03:10, or 2026-01-05T12:03:10, in UTC or with an offset as in 14:03:10+02:00"
        raise ConfigError(f"{text!r} is not a time", cure=cure) from None


def _today(text: str) -> datetime:
    """A time of day on the current date in its own time zone."""
    clock = time.fromisoformat(text)
    return datetime.combine(datetime.now(clock.tzinfo or UTC), clock)
