"""The verbs of Power BI: write the project, check it, export its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rtlib.cli.common import Json, app, print_json, say
from rtlib.config import load_settings

bi = typer.Typer(help="Build, check and export the Power BI report.")
app.add_typer(bi, name="bi", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option("--folder", help="The project's folder; by default powerbi/ of the working copy.")
]


@bi.command()
def build(folder: Folder = None, as_json: Json = False) -> None:
    """Write the Power BI project.

    Its model comes from dbt's manifest, its pages from the description in rtlib/bi.
    """
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
        typer.Option("--schemas", help="A clone of Microsoft's repository json-schemas, for more checks."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the Power BI project against the warehouse.

    Every column, measure and relationship must exist in dbt's YAML, in the SQL of its models and, if it runs, in the
    warehouse. Visuals must not overlap, each file must match its schema, and the files must be those that 'rtlib bi
    build' writes. Exit code 1 when there is a problem.
    """
    from rtlib.bi.forms import published
    from rtlib.pipeline import power_bi as reports

    settings = load_settings()
    problems, missing = reports.validate(settings, of=folder, schemas=schemas), reports.missing(settings)
    problems += missing or []
    if as_json:
        print_json({"problems": problems, "ok": not problems, "warehouse_asked": missing is not None})
    else:
        for problem in problems:
            typer.echo(problem)
        unchecked = "" if schemas or published() else " (the files' schemas were not checked: use --schemas)"
        typer.echo(f"{len(problems)} problems" if problems else f"everything in the report exists{unchecked}")
        if missing is None:
            typer.echo("no warehouse is running, so its columns were not compared: rtlib up")
    raise typer.Exit(1 if problems else 0)


@bi.command()
def export(
    to: Annotated[Path, typer.Option("--to", help="Target folder.")] = Path("export"), as_json: Json = False
) -> None:
    """Write the rows of the report to Parquet files.

    Beside them it writes a report that reads these files, without Snowflake.
    """
    from rtlib.pipeline import power_bi as reports

    rows = {}
    for name, count in reports.export(load_settings(), to=to):
        rows[name] = count
        say(f"{name:<28} {count:>9,} rows")
    if as_json:
        print_json({"folder": str(to), "rows": rows})
    else:
        files = f"{sum(rows.values()):,} rows and rtlib-files.pbip in {to.resolve()}"
        typer.echo(f"{files}; set its parameter Folder to it")
