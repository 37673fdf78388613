"""The verbs of Power BI: make the project, check it, and write its rows to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings

bi = typer.Typer(help="A Power BI report over the warehouse: make it, check it, export its rows.")
app.add_typer(bi, name="bi", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--folder", help="The project's folder; powerbi/ of the working copy.")]


@bi.command()
def build(folder: Folder = None, as_json: Json = False) -> None:
    """Write the Power BI project anew, from dbt's manifest and one description of its pages."""
    from rtlib.pipeline import power_bi as reports

    settings = load_settings()
    written = reports.build(settings, to=folder)
    place = folder or reports.folder()
    if as_json:
        print_json({"folder": str(place), "files": written})
        return
    typer.echo(f"{len(written)} files in {place}")
    typer.echo("Power BI Desktop opens rtlib.pbip, which queries Snowflake; 'rtlib bi export' writes one that does not")


@bi.command()
def validate(
    folder: Folder = None,
    schemas: Annotated[
        Path | None,
        typer.Option("--schemas", help="A copy of Microsoft's repository json-schemas, to check more."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the project would open and that all it shows is in the warehouse. Exit code 1 when not.

    Every column, measure and relationship must be there: in dbt's YAML, in the SQL of its models and, when it answers,
    in the warehouse. No visual may lie over another, each file must fit the schema that it names, and the files must
    be those that 'rtlib bi build' writes.
    """
    from rtlib.bi.forms import published
    from rtlib.pipeline import power_bi as reports

    settings = load_settings()
    found, missing = reports.validate(settings, of=folder, schemas=schemas), reports.missing(settings)
    found += missing or []
    if as_json:
        print_json({"problems": found, "ok": not found, "warehouse_asked": missing is not None})
    else:
        for one in found:
            typer.echo(one)
        forms = "" if schemas or published() else " (the files' forms were not checked: give --schemas)"
        typer.echo(f"{len(found)} problems" if found else f"everything that the report names is there{forms}")
        if missing is None:
            typer.echo("no warehouse answered, so its own columns were not compared: rtlib up")
    raise typer.Exit(1 if found else 0)


@bi.command()
def export(
    to: Annotated[Path, typer.Option("--to", help="Where the files go.")] = Path("export"), as_json: Json = False
) -> None:
    """Write the rows of the report's tables to Parquet files, and a report that reads them without Snowflake."""
    from rtlib.pipeline import power_bi as reports

    told = {}
    for name, count in reports.export(load_settings(), to=to):
        told[name] = count
        say(f"{name:<28} {count:>9,} rows")
    if as_json:
        print_json({"folder": str(to), "rows": told})
    else:
        files = f"{sum(told.values()):,} rows and rtlib-files.pbip in {to.resolve()}"
        typer.echo(f"{files}; set its parameter Folder to it")
