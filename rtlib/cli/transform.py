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

dbt = typer.Typer(help="Build, document and inspect the dbt models.")
app.add_typer(dbt, name="dbt", no_args_is_help=True)

Selected = Annotated[list[str] | None, typer.Argument(help="Models in dbt's selection syntax, such as +interval_load.")]
NodeName = Annotated[str | None, typer.Argument(help="Show only what this model depends on and what depends on it.")]


@dbt.command()
def build(
    select: Selected = None,
    unit_tests: Annotated[bool, typer.Option(help="Run dbt's unit tests as well.")] = True,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild incremental models completely.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build the models and run their tests.

    Incremental models process only new rows, so a second run without new rows changes nothing. Exit code 1 when a model
    is not built or a test fails.
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
    """Write the models' documentation and print its address."""
    from rtlib.pipeline import dbt

    page = dbt.docs(load_settings())
    if as_json:
        print_json({"page": str(page)})
    else:
        typer.echo(page.as_uri())


@dbt.command()
def lineage(name: NodeName = None, as_json: Json = False) -> None:
    """Show the dependencies of the models, from dbt's manifest."""
    from rtlib.pipeline import dbt

    graph = dbt.lineage(load_settings())
    if name is not None:
        neighbours = {"name": name, "upstream": graph.upstream_of(name), "downstream": graph.downstream_of(name)}
        if as_json:
            print_json(neighbours)
            return
        typer.echo(f"{name} depends on: {', '.join(neighbours['upstream']) or 'nothing'}")
        typer.echo(f"depending on it: {', '.join(neighbours['downstream']) or 'nothing'}")
    elif as_json:
        print_json(asdict(graph))
    else:
        for node in graph.nodes:
            typer.echo(f"{'  ' * node.depth}{node.name} ({node.kind}): {node.about}")


@dbt.command()
def env(as_json: Json = False) -> None:
    """Print the environment for your own dbt commands.

    Use it as: eval "$(rtlib dbt env)". It includes the local warehouse's secret, which every 'rtlib up' replaces.
    """
    from rtlib.pipeline import dbt

    variables, secrets = dbt.exports(load_settings())
    if as_json:
        print_json({"variables": variables, "not_printed": list(secrets)})
        return
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    for name in secrets:
        say(f"{name} is a secret and is not printed; export it yourself")


def _print_report(report: BuildReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    table.add_column("schema", no_wrap=True)
    for heading in ("rows", "touched", "seconds", "tests"):
        table.add_column(heading, justify="right")
    for node in report.nodes:
        rows, touched = ("" if number is None else f"{number:,}" for number in (node.rows, node.touched))
        tests = f"{node.tests_passed}/{node.tests}"
        table.add_row(node.name, node.layer, rows, touched, f"{node.seconds:.2f}", tests)
    Console(highlight=False).print(table)
    for broken in report.broken:
        typer.echo(f"not built: {broken.name}: {broken.message or 'a dependency was not built or failed a test'}")
    for failed in report.failed:
        typer.echo(f"failed: {failed.name}: {failed.summary}. {failed.message}")
    models, tests_run = len(report.nodes) - len(report.broken), len(report.checks)
    typer.echo(f"{models} models built, {report.passed} of {tests_run} tests passed, in {report.seconds:.1f} s")
