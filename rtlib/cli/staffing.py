"""The verbs of staffing: how many people a load needs, and the plan for a domain."""

from __future__ import annotations

from dataclasses import asdict
from time import monotonic
from typing import Annotated

import typer

from rtlib.cli.common import DomainName, Json, app, print_json
from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError

staffing = typer.Typer(help="Turn contacts into people: agents for a load, shifts for a domain.", no_args_is_help=True)
app.add_typer(staffing, name="staffing")


@staffing.command()
def erlang(
    calls: Annotated[float, typer.Option("--calls", help="How many contacts arrive in an interval.")],
    aht: Annotated[float, typer.Option("--aht", help="Seconds that one contact takes, on average.")],
    interval_minutes: Annotated[float, typer.Option("--interval-minutes", help="Length of that interval.")] = 30,
    target: Annotated[float, typer.Option("--target", help="Share of contacts to be answered in time.")] = 0.8,
    within: Annotated[float, typer.Option("--within", help="Seconds that count as in time.")] = 20,
    patience: Annotated[
        float | None, typer.Option("--patience", help="Seconds after which people give up, on average (Erlang A).")
    ] = None,
    shrinkage: Annotated[float, typer.Option("--shrinkage", help="Share of paid time not spent on contacts.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Say how many agents keep the promise, by Erlang C, or by Erlang A where people give up.

    The answer holds for a steady load: contacts that arrive at random, one line, agents who are all alike.
    """
    from rtlib.staffing import agents_needed, agents_needed_a, offered_load, rostered

    if not 0 < aht <= 86_400:
        raise ConfigError(f"{calls:g} contacts of {aht:g} s each", cure="give a handling time above 0 and within a day")
    if calls * aht > 1e9:
        raise ConfigError(f"{calls:g} contacts of {aht:g} s each", cure=f"give at most {1e9 / aht:,.0f} contacts")
    load = offered_load(calls, interval_minutes=interval_minutes, aht_seconds=aht)
    if patience is None:
        told = agents_needed(load, aht_seconds=aht, target=target, within_seconds=within)
    else:
        told = agents_needed_a(load, aht_seconds=aht, target=target, within_seconds=within, patience_seconds=patience)
    heads = rostered(told.agents, shrinkage)
    if as_json:
        print_json({**asdict(told), "load_erlangs": load, "rostered": heads, "model": "C" if patience is None else "A"})
        return
    typer.echo(f"{told.agents} agents for {load:.2f} Erlangs; {heads} on shift with a shrinkage of {shrinkage:.0%}")
    typer.echo(f"answered within {within:g} s: {told.service_level:.1%}; P(wait) {told.p_wait:.4f}")
    typer.echo(f"mean wait {told.asa_seconds:.1f} s; occupancy {told.occupancy:.1%}; give up {told.abandoned:.1%}")


@staffing.command("forecast")
def forecast_load(
    as_json: Json = False,
    domain: DomainName = None,
    days: Annotated[int, typer.Option("--days", min=1, max=14, help="How many days ahead.")] = 7,
    workers: Annotated[int, typer.Option("--workers", min=1, help="How many processes work side by side.")] = 2,
) -> None:
    """Forecast the load of every site from the dbt mart interval_load, and store the forecasts.

    Each model is tried on earlier days, and the best is chosen; the reason is printed. Run 'rtlib dbt build' first: a
    mart that lacks finished days is refused.
    """
    from rtlib.cli.bench import progress
    from rtlib.pipeline.planning import forecasting

    began = monotonic()
    found = forecasting.forecast(_settings(domain), days=days, workers=workers, notify=progress)
    if as_json:
        sites = [{"site": one.grid.unique_id, "champion": one.champion, "why": one.why,
                  "wape": one.scores[one.champion].wape} for one in found]  # fmt: skip
        print_json({"sites": sites, "days": [str(day) for day in found[0].days],
                    "seconds": round(monotonic() - began, 1)})  # fmt: skip
        return
    for one in found:
        typer.echo(f"{one.grid.unique_id}: {one.why}")


@staffing.command()
def plan(as_json: Json = False, domain: DomainName = None) -> None:
    """Plan people and shifts for the days that are forecast, and store the plan in the warehouse."""
    from rtlib.pipeline.planning import staff_plan

    planned = staff_plan.plan(_settings(domain))
    days = [
        {"site": one.site, "day": str(one.day), "wages": round(one.roster.wages, 2), "currency": one.roster.currency,
         "most": max(one.roster.staffed), "shifts": sum(number for _, number in one.roster.shifts),
         "open_hours": one.roster.missing_hours(one.needed)}
        for one in planned
    ]  # fmt: skip
    if as_json:
        print_json({"days": days})
        return
    for day in days:
        typer.echo(
            f"{day['day']} {day['site']}: {day['shifts']} shifts, at most {day['most']} people at once, "
            f"{day['wages']:,.2f} {day['currency']}; {day['open_hours']:g} hours left open"
        )


def _settings(domain: str | None) -> Settings:
    return load_settings(**({} if domain is None else {"domain": domain}))
