"""The verbs that verify the pipeline: the ledger, faults, the soak test."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from rtlib.cli.common import DomainName, Json, Small, app, choose, print_json, say
from rtlib.config import NO_BATCH_JOBS, load_settings
from rtlib.errors import RtlibError


@app.command("ledger")
def show_ledger(as_json: Json = False) -> None:
    """Prove that no event was lost or doubled.

    Compares the simulator's tally with Kafka, RAW.EVENTS, RAW.REJECTED and SPEED.KPIS of the running stack. If the
    simulator is stopped, waits until all sent records have arrived. Exit code 0: it reconciles. 1: it does not; the
    events or counts are listed. 9: not final yet; the records in flight are listed with their place.
    """
    from rtlib import ledger
    from rtlib.pipeline.recovery.drain import wait_until_drained

    settings = load_settings()
    wait_until_drained(settings, notify=say)
    result = ledger.take(settings, notify=say)
    if as_json:
        print_json(ledger.to_dict(result))
    else:
        typer.echo(ledger.render(result))
    raise typer.Exit(result.verdict.exit_code)


@app.command()
def fault(
    name: Annotated[str | None, typer.Argument(help="The fault; without a name all faults are listed.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed; the same seed gives the same fault.")] = 1,
    as_json: Json = False,
) -> None:
    """Inject a fault and report how the pipeline recovers.

    The expected effect is printed first. Exit code 1 when the pipeline did not recover on its own, or when the effect
    differed: for example, duplicates were not removed, or late events not counted.
    """
    from rtlib import faults
    from rtlib.app import lifecycle

    if name is None:
        titles = {entry.name: entry.title for entry in faults.MENU.values()}
        print_json(titles) if as_json else typer.echo("\n".join(f"{key:<20} {text}" for key, text in titles.items()))
        return
    with lifecycle.interrupt_on_signal():
        report = faults.run(load_settings(), name, seed=seed, notify=say)
    if as_json:
        print_json({**asdict(report), "recovered": report.recovered, "as_expected": report.as_expected})
    else:
        typer.echo(report.happened)
    raise typer.Exit(0 if report.as_expected else 1)


# The load must depend neither on the time of day nor on batch jobs.
STEADY = {"steady": True, **NO_BATCH_JOBS}


@app.command()
def soak(
    seconds: Annotated[int, typer.Option("--seconds", min=30, help="Duration of the stream of events.")] = 300,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed; the same seed gives the same faults at the same times.")
    ] = 1,
    count: Annotated[int, typer.Option("--faults", min=0, help="Number of faults, of different kinds.")] = 5,
    rate: Annotated[float, typer.Option("--rate", help="Events per second, independent of the time of day.")] = 500,
    domain: DomainName = None,
    runs: Annotated[
        int, typer.Option("--runs", min=1, help="Number of runs, each with the next seed and a new stack.")
    ] = 1,
    record_bytes: Annotated[
        int,
        typer.Option(
            "--record-bytes", min=0, max=1_000_000, help="Also send 200 invalid records of this size per second."
        ),
    ] = 0,
    small: Small = False,
    as_json: Json = False,
) -> None:
    """Run under load with random faults, then check the ledger.

    Starts a stack if none is running; a running stack keeps its rate and demand curve, and its simulator is restored
    afterwards. With --runs each run gets its own stack, and a table is printed. With --record-bytes invalid records are
    sent as well; memory may then exceed the profile's limit by a fifth, and records waiting for the archive need disk
    space. Exit code 1 when an event was lost or doubled, or had not arrived some minutes after the end, or when state
    or memory grew.
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
    """Repeat the soak test and print a row for each run; a failed run is reported in its row."""
    from rtlib.app import lifecycle
    from rtlib.faults import soak_table
    from rtlib.faults.soak import soak as run_soak

    rows: list[soak_table.Row] = []
    for number in range(seed, seed + runs):
        _, chosen = choose(domain=domain, rate=rate, trigger=None, seed=number, small=False)
        with lifecycle.scratch_folder(load_settings(), "soak") as scratch:
            try:
                with lifecycle.running_stack(scratch, {**chosen, **STEADY}, notify=say) as running:
                    result = run_soak(running, seed=number, seconds=seconds, faults=faults, notify=say)
                rows.append(soak_table.row(number, result))
            except RtlibError as error:
                rows.append(soak_table.Row(number, failed=str(error)))
        say(f"seed {number}: {rows[-1].summary}")
    ok = all(row.holds for row in rows)
    if as_json:
        print_json({"runs": [asdict(row) for row in rows], "holds": ok})
    else:
        typer.echo(soak_table.table(rows))
    raise typer.Exit(0 if ok else 1)
