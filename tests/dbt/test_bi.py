"""The Power BI project: what is committed is what would be built, and what would not open or show nothing is named."""

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
from rtlib.bi.project import build, files, outdated
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
    """The tables as dbt's own reading of its project has them."""
    return power_bi.tables(Settings(home=home))


def without(tables: tuple[Table, ...], table: str, column: str) -> tuple[Table, ...]:
    """The same, with one column called something else."""
    renamed = [
        replace(one, columns=tuple(Column("x", c.type) if c.name == column else c for c in one.columns))
        if one.name == table
        else one
        for one in tables
    ]
    return tuple(renamed)


def test_what_is_committed_is_what_would_be_built_and_is_in_order(tables: tuple[Table, ...]) -> None:
    assert outdated(FOLDER, tables) == []
    assert problems(files(tables), tables) == []


def test_every_column_says_what_it_means(tables: tuple[Table, ...]) -> None:
    assert [f"{one.name}.{column.name}" for one in tables for column in one.columns if not column.about] == []


def test_every_table_with_a_site_can_be_chosen_by_it_but_for_those_that_say_why_not(tables: tuple[Table, ...]) -> None:
    have_sites = {one.name for one in tables if "site" in {column.name for column in one.columns}}
    assert {table for table, *_ in RELATIONSHIPS} == have_sites - {"sites", "forecasts"}


def test_the_exposure_of_the_report_depends_on_what_the_report_reads() -> None:
    told = yaml.safe_load((ROOT / "dbt" / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    (power_bi,) = [one for one in told if one["name"] == "power_bi"]
    read = {f"ref('{one.relation.lower()}')" for one in TABLES if one.schema != "OPS"}
    assert set(power_bi["depends_on"]) == read


def test_a_folder_without_a_separator_at_its_end_is_read_all_the_same(tables: tuple[Table, ...]) -> None:
    told = files(tables)["rtlib-files.SemanticModel/definition/tables/sites.tmdl"]
    assert 'File.Contents(Folder & End & "sites.parquet")' in told
    assert 'Text.EndsWith(Folder, "/") or Text.EndsWith(Folder, "\\") then "" else "\\",' in told


def test_every_table_has_columns_and_every_measure_is_shown(tables: tuple[Table, ...]) -> None:
    assert [one.name for one in tables if not one.columns] == []
    shown = {name for page in PAGES for one in page.visuals for name in one.measures}
    used = {one.name for one in MEASURES if any(f"[{one.name}]" in other.dax for other in MEASURES)}
    assert shown | used == {one.name for one in MEASURES}


def test_a_mart_column_that_is_renamed_is_told_with_the_visual_that_shows_it(tables: tuple[Table, ...]) -> None:
    (found,) = problems({}, without(tables, "hourly_kpis", "measured_value"))
    assert "hourly_kpis.measured_value does not exist" in found
    assert "Trend / by_hour" in found
    axis = problems({}, without(tables, "staffing_gap", "interval_start"))
    assert any("page 'Staffing', visual 'people'" in one for one in axis)


def test_the_verb_notices_a_renamed_column_and_a_file_that_somebody_changed(
    tables: tuple[Table, ...], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "bi", tables)
    settings = Settings(home=home)
    assert power_bi.validate(settings, of=tmp_path / "bi") == []
    (tmp_path / "bi" / "rtlib.pbip").write_text("{}")
    assert power_bi.validate(settings, of=tmp_path / "bi") == ["rtlib.pbip: not as 'rtlib bi build' writes it"]
    monkeypatch.setattr(power_bi, "tables", lambda settings: without(tables, "daily_kpis", "day_start"))
    assert any("visual 'by_day'" in one for one in power_bi.validate(settings, of=tmp_path / "bi"))


MART = Path("models/marts/hourly_kpis.sql")
HOUR = "measured.measured_value,"


def rename_in_sql(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dbt project, with one column of a mart called something else in its SQL and nowhere else."""
    copy = folder / "dbt"
    shutil.copytree(transform_project.project(), copy)
    text = (copy / MART).read_text()
    assert HOUR in text
    (copy / MART).write_text(text.replace(HOUR, "measured.measured_value as measured_amount,"))
    monkeypatch.setattr("rtlib.transform.selected.project", lambda: copy)


@pytest.mark.parametrize("where", ["the YAML alone", "the SQL alone", "both"])
def test_a_column_that_is_renamed_fails_the_verb_with_the_visual_wherever_it_was_renamed(
    tables: tuple[Table, ...], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(home))
    build(tmp_path / "bi", tables)
    told = without(tables, "hourly_kpis", "measured_value") if where != "the SQL alone" else tables
    if where != "the YAML alone":
        rename_in_sql(tmp_path, monkeypatch)
    monkeypatch.setattr(power_bi, "tables", lambda settings: told)
    done = CliRunner().invoke(app, ["bi", "validate", "--folder", str(tmp_path / "bi")])
    assert done.exit_code == 1
    assert "hourly_kpis.measured_value does not exist" in done.output
    assert "Trend / by_hour" in done.output
    if where == "the SQL alone":
        assert "hourly_kpis.measured_value is promised, and hourly_kpis.sql gives none" in done.output


def test_what_the_report_lists_itself_is_held_against_views_seeds_and_migrations(
    tables: tuple[Table, ...], home: Path
) -> None:
    settings = Settings(home=home)
    for table in [one for one in tables if one.schema in ("OPS", "SEEDS", "STAGING")]:
        wrong = replace(table, columns=(*table.columns, Column("colour", "varchar")))
        kept, told = power_bi.real(settings, (wrong,))
        assert kept == (table,)
        assert len(told) == 1 and told[0].startswith(f"{table.name}.colour is promised")


def test_the_warehouse_is_asked_for_the_columns_of_what_was_built_when_it_answers(
    tables: tuple[Table, ...], warehouse_server: WarehouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = next(one for one in tables if one.name == "alerts")
    wrong = replace(alerts, columns=(*alerts.columns, Column("colour", "varchar")))
    unbuilt = replace(alerts, name="unbuilt", relation="NOWHERE")
    monkeypatch.setattr(power_bi, "tables", lambda settings: (wrong, unbuilt))
    assert power_bi.missing(warehouse_server.settings) == ["alerts.colour is not in the warehouse: rtlib dbt build"]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening
        monkeypatch.setattr(Settings, "ports", {"warehouse": nobody.getsockname()[1]})
        assert power_bi.missing(warehouse_server.settings) is None


@pytest.mark.parametrize("path", sorted((ROOT / "dbt" / "models").glob("*/*.sql")), ids=lambda path: path.stem)
def test_the_sql_of_a_model_gives_the_columns_that_its_yaml_promises(path: Path) -> None:
    given = columns_of(path.read_text(encoding="utf-8"))
    promised = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["models"][0]["columns"]
    assert sorted(given) in ([], sorted(one["name"] for one in promised))
    assert given or path.parent.name == "intermediate"  # some of these end in "select *"


def test_a_folder_without_a_project_is_an_error_with_its_cure(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rtlib bi build"):
        power_bi.validate(Settings(home=home), of=tmp_path)


def test_visuals_that_lie_over_one_another_or_reach_beyond_their_page_are_told(
    tables: tuple[Table, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    live = PAGES[0]
    first, second, *_ = live.visuals
    moved = replace(second, place=(10, 10, 2_000, 50), title="What's late")
    monkeypatch.setattr(check, "PAGES", (replace(live, visuals=(first, moved)),))
    told = " ".join(problems({}, tables))
    for words in ("'events' lies over 'late'", "reaches beyond its page", "apostrophe"):
        assert words in told


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("table a\n  column b\n", "indented by spaces"),
        ("table a\n\t\t\t\tcolumn b\n", "levels deeper"),
        ("table a\n\tcolumn b\n\t\tlineageTag: 1\n\tcolumn b\n\t\tlineageTag: 2\n", "'column b' stands there 2 times"),
        ("table a\n\tlineageTag: 1\n\tcolumn b\n\t\tlineageTag: 1\n", "lineage tag 1 is used 2 times"),
    ],
)
def test_tmdl_that_would_not_be_read_is_told_with_its_place(tables: tuple[Table, ...], text: str, wrong: str) -> None:
    (found,) = problems({"model.tmdl": text}, tables)
    assert wrong in found
    assert found.startswith("model.tmdl")


def test_each_file_is_held_against_the_schema_that_it_names(tables: tuple[Table, ...]) -> None:
    address = json.loads(files(tables)["rtlib.Report/definition/version.json"])["$schema"]
    shared = "https://developer.microsoft.com/json-schemas/common.json"
    known = {
        address: {"$id": address, "properties": {"version": {"$ref": "../../../../../../common.json"}}},
        shared: {"pattern": "^9"},
    }
    found = problems(files(tables), tables, schemas=known.get)
    assert found == [f"{name}.Report/definition/version.json: version: '2.0.0' does not match '^9'"
                     for name in ("rtlib", "rtlib-files")]  # fmt: skip


def test_every_file_fits_the_schema_that_microsoft_publishes_for_it(tables: tuple[Table, ...]) -> None:
    known, missing = published(), set()
    assert known is not None

    def find(address: str) -> Mapping[str, Any] | None:
        found = known(address)
        missing.update([] if found else [address.partition("/item/")[2]])
        return found

    assert problems(files(tables), tables, schemas=find) == []
    assert missing == {"report/definition/visualConfiguration/2.0.0/schema-embedded.json"}


def test_a_file_of_another_form_is_told_with_its_place(tables: tuple[Table, ...]) -> None:
    name = "rtlib.Report/definition/pages/live/page.json"
    page = {**json.loads(files(tables)[name]), "displayOption": "Stretched", "colour": "red"}
    found = problems({name: json.dumps(page)}, tables, schemas=published())
    assert len(found) == 2
    assert any("colour" in one for one in found)
    assert any("displayOption" in one for one in found)


PROJECTION = {
    "required": ["field", "queryRef"],
    "additionalProperties": False,
    "properties": {"field": {"minProperties": 1, "maxProperties": 1}, "queryRef": {"type": "string"},
                   "nativeQueryRef": {"type": "string"}},
}  # fmt: skip
INSIDE_A_VISUAL = {  # the part of visualConfiguration 2.0.0, which no package carries, that the report uses
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


def test_what_is_inside_a_visual_has_the_members_that_its_schema_knows(tables: tuple[Table, ...]) -> None:
    visuals = [json.loads(text)["visual"] for path, text in files(tables).items() if path.endswith("/visual.json")]
    assert len(visuals) == 40
    for one in visuals:
        Draft7Validator(INSIDE_A_VISUAL).validate(one)


def test_building_again_leaves_nothing_of_before_and_no_secret_is_in_it(
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


def test_the_report_wears_the_colours_of_the_app() -> None:
    css = theme.css()
    assert {"#0068a8", "#007556", "#8a3f9c"} <= {one.lower() for one in COLOURS}
    assert all(one in css for one in ("#0068a8", "#007556", "#8a3f9c"))


def test_tables_that_dbt_does_not_know_say_their_columns_themselves() -> None:
    assert all(one.columns for one in TABLES if one.schema != "MARTS")
    assert [one.name for one in with_columns({}) if not one.columns] == [
        one.name for one in TABLES if one.schema == "MARTS"
    ]
