"""The Power BI project: the committed files are those that would be built, and errors name their visual."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from rtlib.bi import MEASURES, PAGES, TABLES, Column, Table, check, problems, with_columns
from rtlib.bi.forms import published
from rtlib.bi.project import FILES, build, files, outdated
from rtlib.bi.report import COLOURS
from rtlib.bi.spec import RELATIONSHIPS
from rtlib.cli import app
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline import power_bi
from rtlib.transform import project as transform_project
from rtlib.transform.selected import columns_of
from rtlib.widgets import theme
from support.project import ROOT

if TYPE_CHECKING:
    from support.warehouse_server import WarehouseServer

FOLDER = ROOT / "powerbi"


@pytest.fixture(scope="module")
def home(parsed: Callable[[], Path]) -> Path:
    """Where dbt's manifest is."""
    return parsed()


@pytest.fixture(scope="module")
def tables(home: Path) -> tuple[Table, ...]:
    """The tables as dbt's manifest declares them."""
    return power_bi.tables(Settings(home=home))


def without(tables: tuple[Table, ...], table: str, column: str) -> tuple[Table, ...]:
    """The same with a column renamed."""
    renamed = [
        replace(other, columns=tuple(Column("x", c.type) if c.name == column else c for c in other.columns))
        if other.name == table
        else other
        for other in tables
    ]
    return tuple(renamed)


def test_the_committed_files_are_those_that_would_be_built_and_have_no_problems(tables: tuple[Table, ...]) -> None:
    assert outdated(FOLDER, tables) == []
    assert problems(files(tables), tables) == []
    assert {path.name for path in FOLDER.iterdir()} == {"rtlib.pbip", "rtlib.Report", "rtlib.SemanticModel"}


def test_every_column_has_a_description(tables: tuple[Table, ...]) -> None:
    assert [f"{table.name}.{column.name}" for table in tables for column in table.columns if not column.about] == []


def test_every_table_with_a_site_is_related_to_sites_except_forecasts(tables: tuple[Table, ...]) -> None:
    have_sites = {table.name for table in tables if "site" in {column.name for column in table.columns}}
    assert {table for table, *_ in RELATIONSHIPS} == have_sites - {"sites", "forecasts"}


def test_the_exposure_of_the_report_depends_on_what_the_report_reads() -> None:
    exposures = yaml.safe_load((ROOT / "dbt" / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    (report,) = [exposure for exposure in exposures if exposure["name"] == "power_bi"]
    assert set(report["depends_on"]) == {
        f"ref('{table.relation.lower()}')" for table in TABLES if table.schema != "OPS"
    }


def test_a_folder_without_a_trailing_separator_is_read_too(tables: tuple[Table, ...]) -> None:
    text = files(tables)["rtlib-files.SemanticModel/definition/tables/sites.tmdl"]
    assert 'File.Contents(Folder & End & "sites.parquet")' in text
    assert 'Text.EndsWith(Folder, "/") or Text.EndsWith(Folder, "\\") then "" else "\\",' in text


def test_every_table_has_columns_and_every_measure_is_shown(tables: tuple[Table, ...]) -> None:
    assert [table.name for table in tables if not table.columns] == []
    names = {measure.name for measure in MEASURES}
    shown = {name for page in PAGES for visual in page.visuals for name in visual.measures}
    used = {name for name in names if any(f"[{name}]" in other.dax for other in MEASURES)}
    assert shown | used == names


def test_a_renamed_mart_column_is_reported_with_the_visual_that_shows_it(tables: tuple[Table, ...]) -> None:
    (problem,) = problems({}, without(tables, "hourly_kpis", "measured_value"))
    assert "hourly_kpis.measured_value does not exist" in problem
    assert "Trend / by_hour" in problem
    axis = problems({}, without(tables, "staffing_gap", "interval_start"))
    assert any("page 'Staffing', visual 'people'" in problem for problem in axis)


def test_validate_reports_a_renamed_column_and_a_file_changed_by_hand(
    tables: tuple[Table, ...], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "bi", tables)
    settings = Settings(home=home)
    assert power_bi.validate(settings, of=tmp_path / "bi") == []
    (tmp_path / "bi" / "rtlib.pbip").write_text("{}")
    assert power_bi.validate(settings, of=tmp_path / "bi") == [
        "rtlib.pbip: not as rtlib writes it; cure: rtlib bi build"
    ]
    monkeypatch.setattr(power_bi, "tables", lambda settings: without(tables, "daily_kpis", "business_day"))
    assert any("visual 'by_day'" in problem for problem in power_bi.validate(settings, of=tmp_path / "bi"))


MART = Path("models/marts/hourly_kpis.sql")
HOUR = "measured.measured_value,"


def rename_in_sql(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rename a column of a mart in its SQL only, in a copy of the dbt project."""
    copy = folder / "dbt"
    shutil.copytree(transform_project.project(), copy)
    text = (copy / MART).read_text()
    assert HOUR in text
    (copy / MART).write_text(text.replace(HOUR, "measured.measured_value as measured_amount,"))
    monkeypatch.setattr("rtlib.transform.selected.project", lambda: copy)


@pytest.mark.parametrize("where", ["the YAML alone", "the SQL alone", "both"])
def test_validate_fails_for_a_renamed_column_with_the_visual_wherever_it_was_renamed(
    tables: tuple[Table, ...], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(home))
    build(tmp_path / "bi", tables)
    declared = without(tables, "hourly_kpis", "measured_value") if where != "the SQL alone" else tables
    if where != "the YAML alone":
        rename_in_sql(tmp_path, monkeypatch)
    monkeypatch.setattr(power_bi, "tables", lambda settings: declared)
    done = CliRunner().invoke(app, ["bi", "validate", "--folder", str(tmp_path / "bi")])
    assert done.exit_code == 1
    assert "hourly_kpis.measured_value does not exist" in done.output
    assert "Trend / by_hour" in done.output
    if where == "the SQL alone":
        assert "hourly_kpis.measured_value is declared, and hourly_kpis.sql does not return it" in done.output


def test_columns_listed_in_the_report_are_compared_with_views_seeds_and_migrations(
    tables: tuple[Table, ...], home: Path
) -> None:
    settings = Settings(home=home)
    for table in [table for table in tables if table.schema in ("OPS", "SEEDS", "STAGING")]:
        wrong = replace(table, columns=(*table.columns, Column("colour", "varchar")))
        kept, errors = power_bi.real(settings, (wrong,))
        assert kept == (table,)
        assert len(errors) == 1 and errors[0].startswith(f"{table.name}.colour is declared")


def test_the_columns_of_built_tables_are_compared_with_the_warehouse_if_it_answers(
    tables: tuple[Table, ...], warehouse_server: WarehouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = next(table for table in tables if table.name == "alerts")
    wrong = replace(alerts, columns=(*alerts.columns, Column("colour", "varchar")))
    unbuilt = replace(alerts, name="unbuilt", relation="NOWHERE")
    monkeypatch.setattr(power_bi, "tables", lambda settings: (wrong, unbuilt))
    assert power_bi.missing(warehouse_server.settings) == ["alerts.colour is not in the warehouse: rtlib dbt build"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening
        monkeypatch.setattr(Settings, "ports", {"warehouse": closed.getsockname()[1]})
        assert power_bi.missing(warehouse_server.settings) is None


@pytest.mark.parametrize("path", sorted((ROOT / "dbt" / "models").glob("*/*.sql")), ids=lambda path: path.stem)
def test_the_sql_of_a_model_returns_the_columns_that_its_yaml_declares(path: Path) -> None:
    returned = columns_of(path.read_text(encoding="utf-8"))
    declared = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["models"][0]["columns"]
    assert sorted(returned) in ([], sorted(column["name"] for column in declared))
    assert returned or path.parent.name == "intermediate"  # some of these end in "select *"


def test_a_folder_without_a_project_is_an_error_with_its_cure(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rtlib bi build"):
        power_bi.validate(Settings(home=home), of=tmp_path)


def test_visuals_that_overlap_or_extend_beyond_their_page_are_reported(
    tables: tuple[Table, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = PAGES[0]
    first, second, *_ = live.visuals
    moved = replace(second, place=(10, 10, 2_000, 50), title="What's late")
    monkeypatch.setattr(check, "PAGES", (replace(live, visuals=(first, moved)),))
    text = " ".join(problems({}, tables))
    for part in ("'events' overlaps 'late'", "extends beyond its page", "apostrophe"):
        assert part in text


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("table a\n  column b\n", "indented by spaces"),
        ("table a\n\t\t\t\tcolumn b\n", "levels deeper"),
        ("table a\n\tcolumn b\n\t\tlineageTag: 1\n\tcolumn b\n\t\tlineageTag: 2\n", "'column b' occurs 2 times"),
        ("table a\n\tlineageTag: 1\n\tcolumn b\n\t\tlineageTag: 1\n", "lineage tag 1 is used 2 times"),
    ],
)
def test_invalid_tmdl_is_reported_with_its_file(tables: tuple[Table, ...], text: str, wrong: str) -> None:
    (problem,) = problems({"model.tmdl": text}, tables)
    assert wrong in problem
    assert problem.startswith("model.tmdl")


def test_each_file_is_validated_with_the_schema_that_it_names(tables: tuple[Table, ...]) -> None:
    address = json.loads(files(tables)["rtlib.Report/definition/version.json"])["$schema"]
    shared = "https://developer.microsoft.com/json-schemas/common.json"
    known = {
        address: {"$id": address, "properties": {"version": {"$ref": "../../../../../../common.json"}}},
        shared: {"pattern": "^9"},
    }
    found = problems(files(tables), tables, schemas=known.get)
    assert found == [f"{name}.Report/definition/version.json: version: '2.0.0' does not match '^9'"
                     for name in ("rtlib", "rtlib-files")]  # fmt: skip


def test_every_file_fits_the_published_schema(tables: tuple[Table, ...]) -> None:
    schemas, missing = published(), set()
    assert schemas is not None

    def find(address: str) -> Mapping[str, Any] | None:
        found = schemas(address)
        missing.update([] if found else [address.partition("/item/")[2]])
        return found

    assert problems(files(tables), tables, schemas=find) == []
    assert missing == {"report/definition/visualConfiguration/2.0.0/schema-embedded.json"}


def test_a_file_of_another_form_is_reported_with_the_member(tables: tuple[Table, ...]) -> None:
    name = "rtlib.Report/definition/pages/live/page.json"
    page = {**json.loads(files(tables)[name]), "displayOption": "Stretched", "colour": "red"}
    found = problems({name: json.dumps(page)}, tables, schemas=published())
    assert len(found) == 2
    assert any("colour" in problem for problem in found)
    assert any("displayOption" in problem for problem in found)


PROJECTION = {
    "required": ["field", "queryRef"],
    "additionalProperties": False,
    "properties": {"field": {"minProperties": 1, "maxProperties": 1}, "queryRef": {"type": "string"},
                   "nativeQueryRef": {"type": "string"}},
}  # fmt: skip
INSIDE_A_VISUAL = {  # the part of visualConfiguration 2.0.0 that the report uses; no package contains that schema
    "required": ["visualType"],
    "additionalProperties": False,
    "properties": {
        "visualType": {"type": "string"},
        "drillFilterOtherVisuals": {"type": "boolean"},
        "visualContainerObjects": {"type": "object"},
        "query": {
            "required": ["queryState"],
            "additionalProperties": False,
            "properties": {
                "queryState": {
                    "additionalProperties": {
                        "required": ["projections"],
                        "additionalProperties": False,
                        "properties": {"projections": {"type": "array", "items": PROJECTION}},
                    }
                }
            },
        },
    },
}


def test_the_inside_of_a_visual_has_the_members_of_its_schema(tables: tuple[Table, ...]) -> None:
    visuals = [json.loads(text)["visual"] for path, text in files(tables).items() if path.endswith("/visual.json")]
    assert len(visuals) == 40
    for visual in visuals:
        Draft7Validator(INSIDE_A_VISUAL).validate(visual)


def test_building_again_removes_stale_files_and_no_file_holds_a_secret(
    tables: tuple[Table, ...], tmp_path: Path
) -> None:
    build(tmp_path, tables)
    stale = tmp_path / "rtlib.Report" / "definition" / "pages" / "old" / "page.json"
    stale.parent.mkdir()
    stale.write_text("{}")
    assert outdated(tmp_path, tables) == ["rtlib.Report/definition/pages/old/page.json"]
    build(tmp_path, tables)
    assert outdated(tmp_path, tables) == []
    for word in ("password", "token", "private"):
        assert not any(word in text.lower() for text in files(tables).values())


def test_the_project_over_exported_files_is_built_apart_and_kept_by_validation(
    tables: tuple[Table, ...], home: Path, tmp_path: Path
) -> None:
    written = build(tmp_path, tables, (FILES,))
    assert {path.partition(".")[0] for path in written} == {"rtlib-files"}
    assert power_bi.validate(Settings(home=home), of=tmp_path) == []
    (tmp_path / "rtlib-files.pbip").write_text("{}")
    assert outdated(tmp_path, tables) == ["rtlib-files.pbip"]
    assert outdated(tmp_path / "empty", tables) == sorted(files(tables, ("rtlib",)))


def test_the_report_has_the_colours_of_the_app() -> None:
    css = theme.css()
    assert {"#0068a8", "#007556", "#8a3f9c"} <= {colour.lower() for colour in COLOURS}
    assert all(colour in css for colour in ("#0068a8", "#007556", "#8a3f9c"))


def test_only_the_columns_of_marts_come_from_dbt() -> None:
    marts = [table.name for table in TABLES if table.schema == "MARTS"]
    assert [table.name for table in with_columns({}) if not table.columns] == marts
