"""The verbs that measure: the streaming path, the forecasts, the staffing plans."""

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

bench = typer.Typer(help="Measure the pipeline, the forecasts or the plans.", invoke_without_command=True)
app.add_typer(bench, name="bench")

Quick = Annotated[bool, typer.Option("--quick", help="Score fewer days: less precise, several times faster.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Number of parallel processes.")]
BANK_RATIO, COVERAGE = 0.90, (0.75, 0.85)  # limits for the champion's error and for its 80 % interval
EVENTS_PER_DAY = 50 * 86_400  # of each simulated domain, whatever the rate of the stack, so that results compare
FORESIGHT_RATIO = 1.10  # limit for the cost of a simulated domain's plan, relative to perfect foresight


@bench.callback()
def bench_pipeline(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="Skip the load ramp; takes less than two minutes.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Write the table, the JSON and the plot to docs/bench.")] = False,
    as_json: Json = False,
) -> None:
    """Measure the pipeline, the forecasts or the plans.

    Without a subcommand: measure the streaming path on a temporary stack, as ratios of figures of the same run. Exit
    code 1 when a ratio misses its target.
    """
    if context.invoked_subcommand is not None:
        return
    from rtlib.app.bench_host import run_bench
    from rtlib.bench import report

    result = run_bench(load_settings(), quick=quick, notify=say)
    if save:
        report.save(result, project_root() / "docs" / "bench", notify=say)
    print_json(result.to_json()) if as_json else typer.echo(report.table(result))
    raise typer.Exit(0 if result.holds else 1)


@bench.command("interval")
def bench_interval(as_json: Json = False) -> None:
    """Compare checkpoint intervals of real-time mode.

    For each of 15, 30, 60 and 120 seconds, on a temporary stack at 500 events/s: the latency of KPIs, the longest
    pause between two of them, and what a kill of the stream costs. Takes about fifteen minutes.
    """
    from rtlib.app.bench_host import run_interval_trade
    from rtlib.bench.checkpoint_interval import table

    costs = run_interval_trade(load_settings(), notify=say)
    print_json({"intervals": [asdict(cost) for cost in costs]}) if as_json else typer.echo(table(costs))


@bench.command("forecast")
def bench_forecast(as_json: Json = False, quick: Quick = False, workers: Workers = 2) -> None:
    """Score every forecast model on a bank's real calls.

    Each day is forecast in intervals of five minutes, from earlier days only; prediction intervals come from earlier
    errors. Exit code 1 when the champion's error exceeds 0.9 of that of the four-week mean, or when its 80 % interval
    covers less than 75 % or more than 85 % of the values.
    """
    from rtlib.forecast.bank import score_bank

    bank = score_bank(quick=quick, workers=workers, notify=progress)
    low, high = COVERAGE
    ok = bank.ratio <= BANK_RATIO and low <= bank.scores[bank.champion].coverage_80 <= high
    if as_json:
        models = {name: {**asdict(score), "ratio": bank.ratio_of(name)} for name, score in bank.scores.items()}
        print_json({"champion": bank.champion, "ratio": bank.ratio, "ok": ok, "models": models,
                    "scored_days": bank.scored_days, "warm_up_days": bank.warm_up_days})  # fmt: skip
    else:
        _show_bank(bank)
    raise typer.Exit(0 if ok else 1)


@bench.command("staffing")
def bench_staffing(
    as_json: Json = False,
    quick: Quick = False,
    workers: Workers = 2,
    per_day: Annotated[int, typer.Option("--per-day", min=1, help="Simulated events per day.")] = EVENTS_PER_DAY,
    seed: Seed = None,
) -> None:
    """Compare the cost of staffing plans.

    Compares plans from the forecast, from perfect foresight, and from last week's load, for every simulated domain and
    for the bank's calls. Each day's plan is made the day before. Exit code 1 when a domain's plan costs more than 1.10
    times the plan with foresight, or the bank's plan is not cheaper than last week's.
    """
    from rtlib.bench.staffing_score import score_staffing
    from rtlib.config import load_settings

    settings = load_settings(**({} if seed is None else {"seed": seed}))
    bank, *domains = score_staffing(per_day=per_day, seed=settings.seed, quick=quick, workers=workers, notify=progress)
    ok = bank.against_last_week < 1 and all(score.against_foresight <= FORESIGHT_RATIO for score in domains)
    if as_json:
        plans = [{**asdict(score), "against_foresight": score.against_foresight,
                  "against_last_week": score.against_last_week} for score in (bank, *domains)]  # fmt: skip
        print_json({"ok": ok, "per_day": per_day, "plans": plans})
    else:
        _show_plans((bank, *domains), per_day)
    raise typer.Exit(0 if ok else 1)


def progress(done: int, tasks: int, what: str) -> None:
    """Report progress about ten times in all."""
    if done == tasks or done % max(1, tasks // 10) == 0:
        say(f"{done:4d} of {tasks}: {what}")


def _show_bank(bank: BankScore) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"Calls to a bank: {bank.scored_days} days, each forecast the day before, from {bank.calls:,} intervals"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("model", "MAE", "ratio", "WAPE", "MASE", "bias", "80 % cover", "pinball"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for name, score in sorted(bank.scores.items(), key=lambda item: item[1].mae):
        table.add_row(
            f"{name} *" if name == bank.champion else name,
            f"{score.mae:.2f}", f"{bank.ratio_of(name):.3f}", f"{score.wape:.2%}", f"{score.mase:.3f}",
            f"{score.bias:+.2%}", f"{score.coverage_80:.1%}", f"{score.pinball:.2f}",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    console.print("ratio: MAE relative to the four-week mean; 80 % cover: share of values within the 80 % interval")
    console.print(f"* the champion: best on the {bank.warm_up_days} days before the scored ones")


def _show_plans(scores: Sequence[PlanScore], per_day: int) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"Cost of plans made the day before; simulated domains with {per_day:,} events per day"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("plan for", "days", "level", "forecast", "foresight", "last week", "ratio", "to last"):
        table.add_column(heading, justify="left" if heading == "plan for" else "right", no_wrap=True)
    for score in scores:
        table.add_row(
            f"{score.name} {score.currency}", str(score.days), f"{score.quantile:.2f}", f"{score.forecast:,.0f}",
            f"{score.foresight:,.0f}", f"{score.last_week:,.0f}", f"{score.against_foresight:.3f}",
            f"{score.against_last_week:.3f}",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    console.print("cost: wages plus understaffed hours; level: the planned quantile of the load")
    console.print("ratio: relative to perfect foresight; to last: relative to planning with last week's load")
