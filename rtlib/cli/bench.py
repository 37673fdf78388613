"""The verbs that measure: how good the forecasts are, what the plans cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, Seed, app, print_json, say
from rtlib.config import load_settings, project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlib.bench.staffing_score import PlanScore
    from rtlib.forecast.bank import BankScore

bench = typer.Typer(
    help="Measure how good the parts are, and print the figures as a table.", invoke_without_command=True
)
app.add_typer(bench, name="bench")

Quick = Annotated[bool, typer.Option("--quick", help="Look at fewer days: a rougher answer, several times sooner.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="How many processes work side by side.")]
BANK_RATIO, COVERAGE = 0.90, (0.75, 0.85)  # what the champion must reach
FORESIGHT_RATIO = 1.10  # what a plan for a simulated domain may cost at most, as a multiple of foresight's


@bench.callback()
def bench_pipeline(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Less than two minutes; without growing load.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Write the table, the JSON and the plot to docs/bench.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the streaming path on a stack of its own, as ratios of figures of this one run.

    Exit code 1 when a ratio is not as wanted.
    """
    if context.invoked_subcommand is not None:
        return
    from rtlib import demo
    from rtlib.bench import report

    result = demo.run_bench(load_settings(), quick=quick, notify=say)
    if save:
        report.save(result, project_root() / "docs" / "bench", notify=say)
    print_json(result.to_json()) if as_json else typer.echo(report.table(result))
    raise typer.Exit(0 if result.holds else 1)


@bench.command("forecast")
def bench_forecast(as_json: Json = False, quick: Quick = False, workers: Workers = 2) -> None:
    """Score every model on a bank's real calls, five minutes by five minutes, asked about the next day.

    Each forecast knows only the days before it; intervals come from errors made before. Exit code 1 when the champion
    misses by more than 0.9 of what the four-week mean does, or its 80 % interval holds less than 75 or more than 85 %.
    """
    from rtlib.forecast.bank import score_bank

    found = score_bank(quick=quick, workers=workers, notify=progress)
    low, high = COVERAGE
    good = found.ratio <= BANK_RATIO and low <= found.scores[found.champion].coverage_80 <= high
    if as_json:
        models = {name: {**asdict(one), "ratio": found.ratio_of(name)} for name, one in found.scores.items()}
        print_json({"champion": found.champion, "ratio": found.ratio, "ok": good, "models": models,
                    "scored_days": found.scored_days, "warm_up_days": found.warm_up_days})  # fmt: skip
    else:
        _show_bank(found)
    raise typer.Exit(0 if good else 1)


@bench.command("staffing")
def bench_staffing(
    as_json: Json = False,
    quick: Quick = False,
    workers: Workers = 2,
    per_day: Annotated[
        int | None, typer.Option("--per-day", min=1, help="Simulated events a day; unset means the setting rate's.")
    ] = None,
    seed: Seed = None,
) -> None:
    """Compare what plans cost: made from the forecast, by perfect foresight, and the same as last week.

    On every simulated domain and on the bank's calls, day by day, each plan made the day before. Exit code 1 when a
    domain's plan costs more than 1.10 of foresight's, or the bank's does not cost less than last week's.
    """
    from rtlib.bench.staffing_score import score_staffing
    from rtlib.config import load_settings

    settings = load_settings(**({} if seed is None else {"seed": seed}))
    events = per_day or round(settings.rate * 86_400)
    bank, *worlds = score_staffing(per_day=events, seed=settings.seed, quick=quick, workers=workers, notify=progress)
    good = bank.against_last_week < 1 and all(one.against_foresight <= FORESIGHT_RATIO for one in worlds)
    if as_json:
        told = [{**asdict(one), "against_foresight": one.against_foresight,
                 "against_last_week": one.against_last_week} for one in (bank, *worlds)]  # fmt: skip
        print_json({"ok": good, "per_day": events, "plans": told})
    else:
        _show_plans((bank, *worlds), events)
    raise typer.Exit(0 if good else 1)


def progress(done: int, tasks: int, what: str) -> None:
    """Say now and then how far the work is."""
    if done == tasks or done % max(1, tasks // 10) == 0:
        say(f"{done:4d} of {tasks}: {what}")


def _show_bank(found: BankScore) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"Calls to a bank, {found.scored_days} days asked about the day before, {found.calls:,} intervals known"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("model", "MAE", "ratio", "WAPE", "MASE", "bias", "80 % held", "pinball"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for name, one in sorted(found.scores.items(), key=lambda item: item[1].mae):
        table.add_row(
            f"{name} *" if name == found.champion else name,
            f"{one.mae:.2f}", f"{found.ratio_of(name):.3f}", f"{one.wape:.2%}", f"{one.mase:.3f}", f"{one.bias:+.2%}",
            f"{one.coverage_80:.1%}", f"{one.pinball:.2f}",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    console.print("ratio: of the four-week mean's MAE; 80 % held: the share of values within the 80 % interval")
    console.print(f"* the champion: best on the {found.warm_up_days} days before those that are scored")


def _show_plans(scores: Sequence[PlanScore], per_day: int) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"Cost of plans made the day before; simulated domains at {per_day:,} events a day"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("plan for", "days", "level", "forecast", "foresight", "last week", "ratio", "to last"):
        table.add_column(heading, justify="left" if heading == "plan for" else "right", no_wrap=True)
    for one in scores:
        table.add_row(
            f"{one.name} {one.currency}", str(one.days), f"{one.quantile:.2f}", f"{one.forecast:,.0f}",
            f"{one.foresight:,.0f}", f"{one.last_week:,.0f}", f"{one.against_foresight:.3f}",
            f"{one.against_last_week:.3f}",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    console.print("cost: wages, and hours in which somebody was missing; level: the quantile that is planned for")
    console.print("ratio: of the cost with perfect foresight; to last: of the cost of planning as last week was")
