"""The verbs that prove something: the ledger, the fault menu, the soak."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from rtlib.cli.common import DomainName, Json, Small, app, choose, print_json, say
from rtlib.config import load_settings
from rtlib.errors import RtlibError


@app.command("ledger")
def show_ledger(as_json: Json = False) -> None:
    """Prove that no event was lost and none doubled, or name those that were.

    It holds the simulator's own tally against Kafka, RAW.EVENTS, RAW.REJECTED and SPEED.KPIS of the running stack.
    Once the simulator has stopped it waits until all that was sent has arrived. Exit code 0: it reconciles. 1: it does
    not, and it says which events or counts. 9: not final yet, and it says what is in flight, and where.
    """
    from rtlib import ledger
    from rtlib.pipeline.recovery.drain import wait_until_drained

    settings = load_settings()
    wait_until_drained(settings, notify=say)
    taken = ledger.take(settings, notify=say)
    if as_json:
        print_json(ledger.to_dict(taken))
    else:
        typer.echo(ledger.render(taken))
    raise typer.Exit(taken.verdict.exit_code)


@app.command()
def fault(
    name: Annotated[str | None, typer.Argument(help="Which; without a name they are listed.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same fault.")] = 1,
    as_json: Json = False,
) -> None:
    """Hurt the running pipeline in a known way, watch it recover, and say what happened.

    What should happen is said first. Exit code 1 when the pipeline did not recover by itself, or the fault did not do
    what was said: copies that were not left out, late events that nobody counted, and so on.
    """
    from rtlib import faults
    from rtlib.app import lifecycle

    if name is None:
        menu = {one.name: one.title for one in faults.MENU.values()}
        print_json(menu) if as_json else typer.echo("\n".join(f"{one:<20} {title}" for one, title in menu.items()))
        return
    with lifecycle.interrupt_on_signal():
        report = faults.run(load_settings(), name, seed=seed, notify=say)
    if as_json:
        print_json({**asdict(report), "recovered": report.recovered, "as_expected": report.as_expected})
    else:
        typer.echo(report.happened)
    raise typer.Exit(0 if report.as_expected else 1)


# The load must not depend on the hour at which somebody soaks.
STEADY = {"steady": True}


@app.command()
def soak(
    seconds: Annotated[int, typer.Option("--seconds", min=30, help="How long events flow.")] = 300,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same faults at the same moments.")] = 1,
    count: Annotated[int, typer.Option("--faults", min=0, help="How many faults, of different kinds.")] = 5,
    rate: Annotated[float, typer.Option("--rate", help="Events per second, at whatever hour.")] = 500,
    domain: DomainName = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="So many runs, each with the next seed and afresh.")] = 1,
    record_bytes: Annotated[
        int,
        typer.Option("--record-bytes", min=0, max=1_000_000, help="Send 200 records a second of this size as well."),
    ] = 0,
    small: Small = False,
    as_json: Json = False,
) -> None:
    """Run under load with faults at seeded moments, then let the ledger judge.

    It starts a stack if none is running; one that runs keeps its own rate and demand, and sends afterwards as before.
    With --runs each run has a stack of its own, and a table is printed. With --record-bytes records come besides that
    are no events, and memory must stay within a fifth more than the profile promises; what waits to be archived needs
    room on the disk. Exit code 1 when anything was lost or doubled, or had not arrived some minutes after the end, or
    state or memory grew.
    """
    if runs > 1:
        _soaks(runs, seconds=seconds, seed=seed, faults=count, rate=rate, domain=domain, as_json=as_json)
    from rtlib import ledger
    from rtlib.app import lifecycle
    from rtlib.faults.soak import soak as run_soak

    settings, chosen = choose(domain=domain, rate=rate, trigger=None, seed=seed, small=small)
    with lifecycle.running_stack(settings, {**chosen, **STEADY}, notify=say) as running:
        result = run_soak(running, seed=seed, seconds=seconds, faults=count, notify=say, record_bytes=record_bytes)
    bounds = {
        "state_rows": result.state_rows, "judges_state": result.judges_state, "memory_growth": result.memory_growth
    }  # fmt: skip
    if as_json:
        print_json({**asdict(result), **bounds, "reconciles": result.ledger.reconciles, "holds": result.holds})
    else:
        typer.echo(ledger.render(result.ledger))
        typer.echo("\n".join(result.bounds()))
    raise typer.Exit(0 if result.holds else 1)


def _soaks(
    runs: int, *, seconds: int, seed: int, faults: int, rate: float, domain: str | None, as_json: bool
) -> NoReturn:
    """Soak again and again, and print a row for each run; one that fails is told as such, and the next is begun."""
    from rtlib.app import lifecycle
    from rtlib.faults import soak_table
    from rtlib.faults.soak import soak as run_soak

    rows: list[soak_table.Row] = []
    for number in range(seed, seed + runs):
        _, chosen = choose(domain=domain, rate=rate, trigger=None, seed=number, small=False)
        with lifecycle.scratch_folder(load_settings(), "soak") as own:
            try:
                with lifecycle.running_stack(own, {**chosen, **STEADY}, notify=say) as running:
                    done = run_soak(running, seed=number, seconds=seconds, faults=faults, notify=say)
                rows.append(soak_table.row(number, done))
            except RtlibError as error:
                rows.append(soak_table.Row(number, failed=str(error)))
        say(f"seed {number}: {rows[-1].said}")
    good = all(one.holds for one in rows)
    if as_json:
        print_json({"runs": [asdict(one) for one in rows], "holds": good})
    else:
        typer.echo(soak_table.table(rows))
    raise typer.Exit(0 if good else 1)
