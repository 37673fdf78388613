"""Promises: statements of the documentation, the set-up files and the import rules."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from rtlib import config, domains
from rtlib.components import LAYERS, Component
from rtlib.services import java
from support.project import ROOT

BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/py/**/*.py")])
SOURCES = sorted((ROOT / "rtlib").rglob("*.py"))
HEAVY = [
    *("cjdk", "confluent_kafka", "duckdb", "fakesnow", "ipycytoscape", "ipywidgets", "jgo", "jupyterlab", "kafka"),
    *("numpy", "pandas", "psutil", "pyarrow", "pydantic", "pyspark", "requests", "rich", "snowflake", "supervisor"),
    *("tenacity", "typer", "uvicorn", "voila"),
]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- imports --------------------------------------------------------------------------------------------------------


def imported_by(statement: str) -> set[str]:
    """The top-level packages that a statement loads, in a fresh interpreter."""
    program = (
        f"{statement}\nimport sys, json\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout))


def test_importing_rtlib_imports_nothing_heavy() -> None:
    assert imported_by("import rtlib") & set(HEAVY) == set()


@pytest.mark.parametrize("module", ["errors", "records", "components", "graph"])
def test_plain_data_stays_light(module: str) -> None:
    assert imported_by(f"import rtlib.{module}") & set(HEAVY) == set()


@pytest.mark.parametrize(
    "module", ["config", "domains", "explain", "broker", "warehouse", "streaming", "services.stack"]
)
def test_a_layer_imports_neither_spark_nor_widgets(module: str) -> None:
    too_much = {"pyspark", "ipywidgets", "ipycytoscape", "snowflake", "fakesnow", "pandas", "duckdb", "confluent_kafka"}
    assert imported_by(f"import rtlib.{module}") & too_much == set()


def test_the_heavy_packages_are_there_to_be_missed() -> None:
    assert {name for name in HEAVY if importlib.util.find_spec(name) is None} == set()


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = (BIN / "lint-imports", "--no-logo", "--no-cache")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_import_rules_hold() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "planted", "broken"),
    [
        ("broker/planted.py", "import rtlib.warehouse", "Imports point down"),
        ("errors.py", "import rtlib.records", "Imports point down"),
        ("records.py", "import rtlib.config", "Imports point down"),
        ("pipeline/audit/planted.py", "import rtlib.pipeline.recovery", "Within the pipeline"),
        ("widgets/planted.py", "import rtlib.broker", "Only the pipeline knows the layers"),
        ("streaming/planted.py", "import ipywidgets", "Only the widgets know the widget libraries"),
    ],
)
def test_an_import_against_the_rules_is_refused(tmp_path: Path, module: str, planted: str, broken: str) -> None:
    shutil.copytree(ROOT / "rtlib", tmp_path / "rtlib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "rtlib" / module).open("a") as file:
        file.write(f"\n{planted}\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert re.search(rf"{broken}.* BROKEN", done.stdout)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_only_config_reads_the_environment(path: Path) -> None:
    reads = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os")
    ]
    allowed = {"rtlib/config.py", "rtlib/services/supervisor.py"}  # the supervisor passes the environment on, unread
    assert reads == [] or relative(path) in allowed


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_an_exported_list_is_sorted_and_complete(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
    ]
    for names in named:
        assert list(names) == sorted(names)
        module = importlib.import_module(
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        )
        assert [name for name in names if not hasattr(module, name)] == []


def test_the_domains_of_the_settings_are_those_there_are() -> None:
    chosen = typing.get_args(config.Settings.model_fields["domain"].annotation)
    assert list(config.DOMAINS) == sorted(config.DOMAINS) == sorted(chosen) == sorted(domains.domain_names())


def test_the_dependencies_are_sorted() -> None:
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    for group in groups:
        names = [canonicalize_name(Requirement(line).name) for line in group]
        assert names == sorted(names)


# --- documents ------------------------------------------------------------------------------------------------------


def verbs_named_in(text: str) -> set[str]:
    """The words after ``rtlib`` where a document shows a command: in backticks or at the beginning of a line."""
    return set(re.findall(r"(?:`|^\s*|/bin/|!\s*)rtlib ([a-z][a-z-]*)", text, flags=re.MULTILINE))


def test_every_verb_named_in_a_document_is_a_command() -> None:
    from typer.main import get_command

    from rtlib import cli

    known = set(get_command(cli.app).commands)  # type: ignore[attr-defined]
    texts = {relative(path): path.read_text(encoding="utf-8") for path in [*DOCUMENTS, ROOT / "Makefile"]}
    unknown = {where: sorted(verbs_named_in(text) - known) for where, text in texts.items()}
    assert {where: verbs for where, verbs in unknown.items() if verbs} == {}
    assert {"doctor", "up", "down", "status", "logs", "reset", "demo", "app", "lab"} <= verbs_named_in(
        texts["README.md"]
    )


def test_every_verb_named_in_a_cure_is_a_command() -> None:
    from typer.main import get_command

    from rtlib import cli

    known = set(get_command(cli.app).commands)  # type: ignore[attr-defined]
    named: dict[str, set[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "cure":
                named.setdefault(relative(path), set()).update(re.findall(r"\brtlib ([a-z]+)", ast.unparse(node.value)))
    assert any(named.values())
    assert {where: verbs - known for where, verbs in named.items() if verbs - known} == {}


def test_every_make_target_named_in_a_document_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for path in DOCUMENTS:
        named = set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
        assert named - targets == set(), relative(path)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.suffix == ".md"], ids=relative)
def test_every_file_a_document_links_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


def test_every_path_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = {path for path in re.findall(r"`([\w./-]+/[\w./-]*)`", text) if not path.startswith(".venv/")}
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_example_node_of_contributing_is_valid() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    component = eval(example, {"Component": Component})
    assert component.layer in LAYERS
    assert component.planned


def test_every_version_in_the_readme_is_the_one_that_runs() -> None:
    from rtlib.services import jars

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    kafka = next(jar.version for jar in jars.locked(("kafka",)) if jar.artifact == "kafka_2.13")
    (pyspark,) = (Requirement(line) for line in PROJECT["project"]["dependencies"] if line.startswith("pyspark"))
    assert f"Apache Kafka {kafka.rpartition('.')[0]} " in text
    assert f"Apache Spark {str(pyspark.specifier).removeprefix('==').rpartition('.')[0]} " in text


# --- set-up files ---------------------------------------------------------------------------------------------------


def test_the_conda_environment_agrees_with_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = dict(line.partition(" ")[::2] for line in environment["dependencies"] if isinstance(line, str))
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert environment["name"] == PROJECT["project"]["name"]
    assert SpecifierSet(conda["python"]) == SpecifierSet(PROJECT["project"]["requires-python"])
    assert conda["openjdk"] == f"={java.OLDEST}"
    assert set(conda) == {"python", "openjdk", "make", "pip"}
    assert pip == ["--require-hashes", "-r requirements.txt"]


def test_the_lock_holds_every_dependency_of_pyproject_at_a_version_it_allows() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = {
        canonicalize_name(name): Version(version) for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M)
    }
    project = PROJECT["project"]
    for needed in map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["dev"]]):
        assert needed.specifier.contains(locked[canonicalize_name(needed.name)]), needed


def test_the_lock_has_hashes_and_names_no_host() -> None:
    for name in ("requirements.txt", "requirements-bootstrap.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert len(re.findall(r"^[\w.-]+==", text, re.M)) <= text.count("--hash=sha256:")
    assert "://" not in (ROOT / "rtlib" / "services" / "jars.lock.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("message", "accepted"),
    [
        ("feat(streaming): drop duplicates within the watermark", True),
        ("docs: say how a domain is added", True),
        ("fix(services)!: move the state folder", True),
        ("updated stuff", False),
        ("feature: add a node", False),
        ("feat add a node", False),
    ],
)
def test_the_hook_accepts_only_conventional_commit_messages(tmp_path: Path, message: str, accepted: bool) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    (hook,) = (hook for hook in hooks if hook.get("stages") == ["commit-msg"])
    (tmp_path / "COMMIT_EDITMSG").write_text(message)
    program, *arguments = hook["entry"].removeprefix(".venv/bin/").split()
    command = (BIN / program, *arguments, tmp_path / "COMMIT_EDITMSG")
    assert (subprocess.run(command, capture_output=True).returncode == 0) is accepted


def test_the_hooks_need_no_network() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert (BIN / Path(hook["entry"].split()[0]).name).exists()


def test_ci_runs_the_make_targets() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in text
    assert re.search(r"^make test\b", text, re.M)


def test_the_package_is_typed_and_carries_its_data() -> None:
    assert (ROOT / "rtlib" / "py.typed").exists()
    assert PROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
