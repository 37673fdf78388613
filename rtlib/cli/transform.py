"""The verbs of dbt: build the models, write their documentation, show their lineage."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings

if TYPE_CHECKING:
    from rtlib.pipeline.dbt import BuildReport

dbt = typer.Typer(help="Build the models of the warehouse with dbt, and look at what they are made of.")
app.add_typer(dbt, name="dbt", no_args_is_help=True)

Selected = Annotated[list[str] | None, typer.Argument(help="What, in dbt's own words, such as +interval_load.")]
NodeName = Annotated[str | None, typer.Argument(help="Show what this one is made of, and what is made of it.")]


@dbt.command()
def build(
    select: Selected = None,
    unit_tests: Annotated[bool, typer.Option(help="Also run the tests over made-up rows.")] = True,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Build incremental models anew.")] = False,
    as_json: Json = False,
) -> None:
    """Build the models and run their tests. Exit code 1 when one is not built or a test fails.

    Incremental models take in what is new. A second run without new rows touches none.
    """
    from rtlib.pipeline import dbt

    report = dbt.build(
        load_settings(), select=select or (), unit_tests=unit_tests, full_refresh=full_refresh, notify=say
    )
    if as_json:
        print_json({**asdict(report), "passed": report.passed, "ok": report.ok})
    else:
        _print_report(report)
    raise typer.Exit(0 if report.ok else 1)


@dbt.command()
def docs(as_json: Json = False) -> None:
    """Write the documentation of the models as one page, and say where it is."""
    from rtlib.pipeline import dbt

    page = dbt.docs(load_settings())
    if as_json:
        print_json({"page": str(page)})
    else:
        typer.echo(page.as_uri())


@dbt.command()
def lineage(name: NodeName = None, as_json: Json = False) -> None:
    """Show what every model is made of, from dbt's own manifest."""
    from rtlib.pipeline import dbt

    told = dbt.lineage(load_settings())
    if name is not None:
        around = {"name": name, "upstream": told.upstream_of(name), "downstream": told.downstream_of(name)}
        if as_json:
            print_json(around)
            return
        typer.echo(f"{name} is made of: {', '.join(around['upstream']) or 'nothing else'}")
        typer.echo(f"made of it: {', '.join(around['downstream']) or 'nothing'}")
    elif as_json:
        print_json(asdict(told))
    else:
        for node in told.nodes:
            typer.echo(f"{'  ' * node.depth}{node.name} ({node.kind}): {node.about}")


@dbt.command()
def env(as_json: Json = False) -> None:
    """Print what a stock dbt needs to do the same, for: eval "$(rtlib dbt env)".

    The local warehouse's secret is among it: repeat it after each rtlib up, which draws a new one.
    """
    from rtlib.pipeline import dbt

    variables, secrets = dbt.exports(load_settings())
    if as_json:
        print_json({"variables": variables, "not_printed": list(secrets)})
        return
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    for name in secrets:
        say(f"{name} is secret and is not printed; export it yourself")


def _print_report(report: BuildReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("schema", no_wrap=True)
    for heading in ("rows", "touched", "seconds", "tests"):
        table.add_column(heading, justify="right")
    for one in report.nodes:
        rows, touched = ("" if number is None else f"{number:,}" for number in (one.rows, one.touched))
        tests = f"{one.tests_passed}/{one.tests}"
        table.add_row(one.name, one.layer, rows, touched, f"{one.seconds:.2f}", tests)
    Console(highlight=False).print(table)
    for broken in report.broken:
        typer.echo(f"not built: {broken.name}: {broken.message or 'what it needs was not built, or failed a test'}")
    for failed in report.failed:
        typer.echo(f"failed: {failed.name}: {failed.summary}. {failed.message}")
    models, tests_run = len(report.nodes) - len(report.broken), len(report.checks)
    typer.echo(f"{models} models built, {report.passed} of {tests_run} tests passed, in {report.seconds:.1f} s")
