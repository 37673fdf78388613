"""Results: the files of a run of dbt as records, whichever process ran it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rtlib.config import Settings
from rtlib.transform.project import target
from rtlib.transform.records import TESTED_WELL, BuildReport, CheckResult, NodeResult, SourceFreshness

Json = Mapping[str, Any]
BUILT = ("model", "seed", "snapshot")
RUNS = frozenset({"build", "run", "test", "seed", "snapshot", "retry"})


def last_report(settings: Settings) -> BuildReport | None:
    """The last run for this state folder, by rtlib or a stock ``dbt``; None before the first."""
    try:
        report = read_report(target(settings))
    except (FileNotFoundError, ValueError):  # there is none yet, or dbt is writing it
        return None
    return report if report.command in RUNS else None


def last_freshness(settings: Settings) -> tuple[SourceFreshness, ...]:
    """The freshness of the sources when dbt last checked it; empty before the first check."""
    try:
        content = json.loads((target(settings) / "sources.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return ()
    return tuple(_freshness(entry) for entry in sorted(content["results"], key=lambda entry: str(entry["unique_id"])))


def read_report(folder: Path) -> BuildReport:
    """The run with its results in this folder.

    Raises:
        FileNotFoundError: The folder has no results.
    """
    run = json.loads((folder / "run_results.json").read_text(encoding="utf-8"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entries = {**manifest["nodes"], **manifest["unit_tests"]}
    results = [(result, entries[result["unique_id"]]) for result in run["results"] if result["unique_id"] in entries]
    checks = tuple(
        _check(result, entry, entries) for result, entry in results if entry["resource_type"] in ("test", "unit_test")
    )
    ran = Counter(check.model for check in checks if check.kind == "test" and check.status != "skipped")
    passed = Counter(check.model for check in checks if check.kind == "test" and check.status in TESTED_WELL)
    return BuildReport(
        command=run["args"]["which"],
        invocation_id=run["metadata"]["invocation_id"],
        at=_moment(run["metadata"]["generated_at"]),
        seconds=run["elapsed_time"],
        nodes=tuple(
            _node(result, node, folder, ran=ran[node["name"]], passed=passed[node["name"]])
            for result, node in results
            if node["resource_type"] in BUILT
        ),
        checks=checks,
    )


def _node(result: Json, node: Json, folder: Path, *, ran: int, passed: int) -> NodeResult:
    response = result["adapter_response"]
    rows = response.get("row_count")
    touched = response.get("rows_affected") if _was_merged(node, folder) else rows
    return NodeResult(
        name=node["name"],
        kind=node["resource_type"],
        layer=node["schema"],
        materialized=node["config"]["materialized"],
        status=result["status"],
        rows=rows,
        touched=touched if rows is not None else None,
        seconds=result["execution_time"],
        tests=ran,
        tests_passed=passed,
        message=_message(result) if result["status"] == "error" else "",
    )


def _was_merged(node: Json, folder: Path) -> bool:
    """True if the run merged rows into a table; only then dbt reports the number of affected rows."""
    if node["config"]["materialized"] not in ("incremental", "snapshot"):
        return False
    compiled = folder / "run" / node["package_name"] / node["original_file_path"]
    # For a node that is defined in YAML this is a folder with its SQL.
    for path in (compiled, *compiled.glob(f"{node['name']}.sql"), *compiled.glob(f"**/{node['name']}.sql")):
        if path.is_file():
            return "merge into" in path.read_text(encoding="utf-8").lower()
    return False


def _check(result: Json, test: Json, entries: Mapping[str, Json]) -> CheckResult:
    kind = test["resource_type"]
    tested = test.get("attached_node") or next(iter(test["depends_on"]["nodes"]), "")
    rule = (test.get("test_metadata") or {}).get("name", "")
    return CheckResult(
        name=test["name"],
        kind=kind,
        rule=rule,
        model=entries[tested]["name"] if tested in entries else tested.rpartition(".")[2],
        column=test.get("column_name") or "",
        status=result["status"],
        failures=result["failures"] or 0,
        seconds=result["execution_time"],
        message="" if result["status"] in ("pass", "skipped") else _message(result),
    )


def _freshness(entry: Json) -> SourceFreshness:
    _, _, schema, table = entry["unique_id"].split(".", 3)
    source = f"{schema}.{table}"
    if "max_loaded_at" not in entry:  # the query failed
        return SourceFreshness(source, entry["status"], None, None, None)
    newest, asked = _moment(entry["max_loaded_at"]), _moment(entry["snapshotted_at"])
    if newest.year == 1:  # dbt's value for a table without rows
        return SourceFreshness(source, "empty", None, None, asked)
    return SourceFreshness(source, entry["status"], newest, entry["max_loaded_at_time_ago_in_s"], asked)


def _message(result: Json) -> str:
    return " ".join(str(result["message"] or "").split())[:600]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
