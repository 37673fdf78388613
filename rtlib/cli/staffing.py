"""The verbs of staffing: agents for a load, and forecast and plan for a domain."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtlib import formatting
from rtlib.cli.common import DomainName, Json, Utc, app, print_json
from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError

if TYPE_CHECKING:
    from rtlib.domains import Domain
    from rtlib.pipeline.planning.staff_plan import PlannedDay

staffing = typer.Typer(help="Compute agents for a load, forecasts and shift plans.", no_args_is_help=True)
app.add_typer(staffing, name="staffing")


@staffing.command()
def erlang(
    calls: Annotated[float, typer.Option("--calls", help="Contacts per interval.")],
    aht: Annotated[float, typer.Option("--aht", help="Average handling time of a contact, in seconds.")],
    interval_minutes: Annotated[float, typer.Option("--interval-minutes", help="Length of the interval.")] = 30,
    target: Annotated[float, typer.Option("--target", help="Target share of contacts answered in time.")] = 0.8,
    within: Annotated[float, typer.Option("--within", help="Waiting time that counts as in time, in seconds.")] = 20,
    patience: Annotated[
        float | None,
        typer.Option("--patience", help="Average patience before a caller gives up, in seconds (Erlang A)."),
    ] = None,
    shrinkage: Annotated[float, typer.Option("--shrinkage", help="Share of paid time not spent on contacts.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Compute the number of agents for a service level.

    Uses Erlang C, or Erlang A with --patience; assumes steady load, random arrivals, one queue and identical agents.
    """
    from rtlib.staffing import agents_needed, agents_needed_a, offered_load, rostered

    if not 0 < aht <= 86_400:
        raise ConfigError(f"a contact cannot take {aht:g} s", cure="use a handling time above 0 s and up to one day")
    if calls * aht > 1e9:
        raise ConfigError(
            f"{calls:g} contacts of {aht:g} s each are too many", cure=f"use at most {1e9 / aht:,.0f} contacts"
        )
    load = offered_load(calls, interval_minutes=interval_minutes, aht_seconds=aht)
    if patience is None:
        result = agents_needed(load, aht_seconds=aht, target=target, within_seconds=within)
    else:
        result = agents_needed_a(load, aht_seconds=aht, target=target, within_seconds=within, patience_seconds=patience)
    heads = rostered(result.agents, shrinkage)
    if as_json:
        print_json(
            {**asdict(result), "load_erlangs": load, "rostered": heads, "model": "C" if patience is None else "A"}
        )
        return
    typer.echo(f"{result.agents} agents for {load:.2f} Erlangs; {heads} on shift with a shrinkage of {shrinkage:.0%}")
    typer.echo(f"answered within {within:g} s: {result.service_level:.1%}; P(wait) {result.p_wait:.4f}")
    typer.echo(
        f"mean wait {result.asa_seconds:.1f} s; occupancy {result.occupancy:.1%}; abandoned {result.abandoned:.1%}"
    )


@staffing.command("forecast")
def forecast_load(
    as_json: Json = False,
    domain: DomainName = None,
    days: Annotated[int, typer.Option("--days", min=1, max=14, help="Number of days ahead.")] = 7,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Number of parallel processes.")] = 2,
) -> None:
    """Forecast the load of every site and store it.

    The load comes from the dbt mart interval_load.

    Each model is tried on earlier days, and the best is chosen; the reason is printed. Run 'rtlib dbt build' first: a
    mart that lacks finished days is refused.
    """
    from rtlib.cli.bench import progress
    from rtlib.pipeline.planning import forecasting

    began = monotonic()
    results = forecasting.forecast(_settings(domain), days=days, workers=workers, notify=progress)
    if as_json:
        sites = [{"site": result.grid.unique_id, "time_zone": result.grid.time_zone,
                  "champion": result.champion, "why": result.why,
                  "wape": result.scores[result.champion].wape} for result in results]  # fmt: skip
        print_json({"sites": sites, "days": [str(day) for day in results[0].days],
                    "seconds": round(monotonic() - began, 1)})  # fmt: skip
        return
    for result in results:
        typer.echo(f"{result.grid.unique_id}: {result.why}")


@staffing.command()
def plan(as_json: Json = False, domain: DomainName = None, utc: Utc = False) -> None:
    """Plan staff and shifts for the forecast days.

    The plan is stored in the warehouse. A day is that of the site, or of the domain for people who serve all sites.
    """
    from rtlib.domains import load_domain
    from rtlib.pipeline.planning import staff_plan

    settings = _settings(domain)
    world = load_domain(settings.domain)
    days = [_day(planned, world) for planned in staff_plan.plan(settings)]
    if as_json:
        print_json({"days": days})
        return
    for day in days:
        peak = formatting.local_time(
            datetime.fromisoformat(day["peak_at"]),
            "UTC" if utc else day["time_zone"],
            form="%Y-%m-%d %H:%M" if utc else "%H:%M",
        )
        typer.echo(
            f"{day['day']} {day['site']}: {day['shifts']} shifts, at most {day['most']} people at once, from {peak}, "
            f"{day['wages']:,.2f} {day['currency']}; {day['open_hours']:g} hours understaffed"
        )


def _day(plan: PlannedDay, domain: Domain) -> dict[str, Any]:
    """A planned day in numbers; ``peak_at`` is the begin of the first interval with the most people, UTC."""
    roster = plan.roster
    most = max(roster.staffed)
    return {
        "site": plan.site,
        "day": str(plan.day),
        "time_zone": domain.time_zone_of(plan.site),
        "wages": round(roster.wages, 2),
        "currency": roster.currency,
        "most": most,
        "peak_at": plan.starts[roster.staffed.index(most)].replace(tzinfo=UTC).isoformat(),
        "shifts": sum(number for _, number in roster.shifts),
        "open_hours": roster.missing_hours(plan.needed),
    }


def _settings(domain: str | None) -> Settings:
    return load_settings(**({} if domain is None else {"domain": domain}))
