"""The dbt project keeps its form: described, tested, one dialect, no stale seeds, no secret; no warehouse is needed."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from rtlib.config import Settings
from rtlib.domains import domain_names, load_domain
from rtlib.run_state import make_secrets
from rtlib.transform import project as transform_project
from rtlib.transform import run
from rtlib.transform.project import STREAM, exports, profile_folder, project, secrets_needed
from rtlib.transform.run import arguments
from support.project import ROOT

DBT = ROOT / "dbt"
MODELS = sorted((DBT / "models").rglob("*.sql"))
SEEDS = yaml.safe_load((DBT / "seeds" / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)


def entry_of(model: Path) -> dict[str, Any]:
    """What the file beside a model says of it."""
    whole = yaml.safe_load(model.with_suffix(".yml").read_text(encoding="utf-8"))
    (entry,) = whole["models"]
    assert entry["name"] == model.stem
    return {**entry, "unit_tests": whole.get("unit_tests", [])}


def rules(entry: dict[str, Any]) -> set[str]:
    """The names of the data tests of a model or a column."""
    return {next(iter(test)) if isinstance(test, dict) else test for test in entry.get("data_tests", [])}


def setting(**values: Any) -> Settings:
    return Settings(home=Path("/nowhere"), part="loader", **values)  # as a part, for no supervisor runs it


def resolved(settings: Settings) -> dict[str, Any]:
    """The profile that a run of these settings gets."""
    with profile_folder(settings) as folder:
        whole: dict[str, Any] = yaml.safe_load((folder / "profiles.yml").read_text(encoding="utf-8"))["rtlib"]
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    return whole


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_dbt_seeds", ROOT / "scripts" / "write_dbt_seeds.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@every_model
def test_the_description_of_a_model_states_its_grain(model: Path) -> None:
    assert entry_of(model)["description"].startswith("One row for each ")


@every_model
def test_the_key_of_a_model_is_tested(model: Path) -> None:
    entry = entry_of(model)
    by_column = [rules(column) for column in entry["columns"]]
    if model.stem != "stg_batches":  # a batch's number begins again with a new checkpoint
        assert "unique_together" in rules(entry) or any({"unique", "not_null"} <= some for some in by_column)


@every_model
def test_every_column_is_described(model: Path) -> None:
    assert [column["name"] for column in entry_of(model)["columns"] if not column.get("description")] == []


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model.parent.name == "marts"], ids=lambda path: path.stem
)
def test_a_mart_states_the_type_of_every_column(model: Path) -> None:
    columns = entry_of(model)["columns"]
    assert [column["name"] for column in columns if "data_type" not in column] == []
    assert any("constraints" in column for column in columns)


def test_marts_are_held_to_their_contract() -> None:
    config = yaml.safe_load((DBT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert config["models"]["rtlib"]["marts"]["+contract"] == {"enforced": True}


def test_there_are_unit_tests_where_there_is_logic() -> None:
    tested = {model.stem for model in MODELS if entry_of(model)["unit_tests"]}
    assert {"int_kind_intervals", "int_window_measures", "interval_load", "speed_batch_reconciliation"} <= tested


@every_model
def test_a_model_does_not_depend_on_the_dialect(model: Path) -> None:
    assert re.findall(r"\btarget\b|fakesnow|duckdb", model.read_text(encoding="utf-8")) == []


def test_the_readers_of_the_marts_are_exposures() -> None:
    exposures = yaml.safe_load((DBT / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    assert {exposure["name"] for exposure in exposures} == {"dashboard", "power_bi", "forecasts"}


def test_the_folder_hides_no_package() -> None:
    assert list(DBT.rglob("__init__.py")) == []
    assert project() == DBT


def figures(settings: Settings, *more: str) -> str:
    """The length of a window and the watermark, as a model would have them in a run with these options."""
    from dbt.cli.main import dbtRunner

    words = ["compile", "--inline", "{{ window_seconds() }} and {{ watermark_seconds() }}", "--no-populate-cache"]
    here = transform_project.project()
    folders = {
        "--project-dir": here,
        "--profiles-dir": here,
        "--target-path": settings.home,
        "--log-path": settings.home,
    }
    options = more or tuple(str(word) for option in folders.items() for word in option)
    done = dbtRunner().invoke([*words, "--no-introspect", "--log-level", "none", *options])
    assert done.success, done.exception
    return str(done.result.results[0].node.compiled_code)  # type: ignore[union-attr]


def only_its_macros(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let dbt run a copy of the project without models and seeds, which it reads anew for each set of variables."""
    shutil.copytree(DBT / "macros", copy / "macros")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(DBT / name, copy)
    for module in (transform_project, run):
        monkeypatch.setattr(module, "project", lambda: copy)
    return copy


def test_a_stock_dbt_has_the_same_window_and_watermark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = only_its_macros(tmp_path / "dbt", monkeypatch)
    for name in STREAM:
        monkeypatch.delenv(f"RTLIB_{name.upper()}", raising=False)
    usual = Settings(home=tmp_path, part="loader")  # as a part, for no supervisor runs it
    assert figures(usual) == f"{usual.window_seconds} and {usual.watermark_seconds}"
    changed = Settings(home=tmp_path, part="loader", window_seconds=30, watermark_seconds=90)
    assert figures(changed, *arguments(changed, copy)) == "30 and 90"
    for name, value in exports(changed).items():
        monkeypatch.setenv(name, value)
    assert figures(changed) == "30 and 90"


# --- seeds ----------------------------------------------------------------------------------------------------------


def test_the_seeds_are_what_the_script_writes_today() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in (DBT / "seeds").glob("*.csv")}
    assert written == script().seeds(), "cure: .venv/bin/python scripts/write_dbt_seeds.py"


def test_every_seed_is_described_and_every_description_has_a_seed() -> None:
    assert {f"{seed['name']}.csv" for seed in SEEDS} == {path.name for path in (DBT / "seeds").glob("*.csv")}
    assert all(seed["description"].startswith("One row for each ") for seed in SEEDS)


def test_every_site_has_a_country_whose_holidays_are_known() -> None:
    countries = {site.country for name in domain_names() for site in load_domain(name).sites}
    holidays = (DBT / "seeds" / "holidays.csv").read_text(encoding="utf-8")
    everywhere, elsewhere = "01-01", {"IN": "08-15"}  # New Year's Day; Independence Day
    for country in countries:
        for year in script().YEARS:
            assert f"\n{country},{year}-{elsewhere.get(country, everywhere)}," in holidays


# --- the profile ----------------------------------------------------------------------------------------------------


def test_without_an_account_the_local_warehouse_is_the_target() -> None:
    profile = resolved(setting())
    assert profile["target"] == "local"
    local = profile["outputs"]["local"]
    assert (local["account"], local["host"], local["port"], local["protocol"]) == (
        "fakesnow",
        "127.0.0.1",
        18765,
        "http",
    )


def test_a_key_pair_or_a_token_signs_in_to_snowflake() -> None:
    by_key = resolved(
        setting(snowflake_account="acme-1", snowflake_user="u", snowflake_private_key_file=Path("/key.p8"))
    )
    assert by_key["target"] == "snowflake"
    output = by_key["outputs"]["snowflake"]
    assert (output["account"], output["private_key_path"], output["password"]) == ("acme-1", "/key.p8", "")
    by_token = resolved(setting(snowflake_account="a", snowflake_user="u", snowflake_token=SecretStr("pat-secret")))
    assert by_token["outputs"]["snowflake"]["password"] == "pat-secret"


@pytest.mark.parametrize(
    "values",
    [{}, {"snowflake_account": "acme-1", "snowflake_user": "u", "snowflake_token": SecretStr("pat")}],
    ids=["local", "snowflake"],
)
def test_dbt_itself_fills_the_profile_in_alike_from_the_environment(values: dict[str, Any]) -> None:
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    settings = setting(**values)
    secret = settings.snowflake_token
    set_invocation_context(
        {**exports(settings), **({"RTLIB_SNOWFLAKE_TOKEN": secret.get_secret_value()} if secret else {})}
    )
    raw = yaml.safe_load((DBT / "profiles.yml").read_text(encoding="utf-8"))["rtlib"]
    assert ProfileRenderer({}).render_data(raw) == resolved(settings)


def test_exports_hold_no_secret_of_snowflake_and_the_missing_secrets_are_named() -> None:
    settings = setting(snowflake_account="acme-1", snowflake_user="u", snowflake_token=SecretStr("pat-secret"))
    variables = exports(settings)
    assert "pat-secret" not in str(variables)
    assert secrets_needed(settings) == ("RTLIB_SNOWFLAKE_TOKEN",)
    assert variables["RTLIB_SNOWFLAKE_ACCOUNT"] == "acme-1"
    assert {"DBT_PROJECT_DIR", "DBT_PROFILES_DIR", "DBT_TARGET_PATH"} <= set(variables)


def test_no_password_is_written_in_the_project() -> None:
    raw = yaml.safe_load((DBT / "profiles.yml").read_text(encoding="utf-8"))["rtlib"]["outputs"]
    assert raw["snowflake"]["password"].startswith("{{ env_var(")
    assert raw["local"]["password"].startswith("{{ env_var('DBT_ENV_SECRET_")


def test_the_local_warehouses_secret_reaches_dbt_by_either_way_and_no_other_user(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    settings = Settings(home=tmp_path, part="loader")
    secret = settings.local_secret("warehouse").get_secret_value()
    assert exports(settings)["DBT_ENV_SECRET_RTLIB_WAREHOUSE"] == secret
    with profile_folder(settings) as folder:
        file = folder / "profiles.yml"
        assert yaml.safe_load(file.read_text(encoding="utf-8"))["rtlib"]["outputs"]["local"]["password"] == secret
        assert file.stat().st_mode & 0o077 == 0
    abroad = settings.model_copy(update={"snowflake_account": "acme-1", "snowflake_user": "u"})
    assert secret not in str(exports(abroad))
