"""The verbs of staffing: how many people a load needs, and the plan for a domain."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from rtlib.cli.common import Json, app, print_json
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

    if not 0 < aht <= 86_400 or calls * aht > 1e9:
        raise ConfigError(f"{calls:g} contacts of {aht:g} s each", cure="give a handling time above 0 and within a day")
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
