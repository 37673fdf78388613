"""Results: what a run of dbt left on disk, read into records; whoever started it, and in whichever process."""

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

Told = Mapping[str, Any]
BUILT = ("model", "seed", "snapshot")
RUNS = frozenset({"build", "run", "test", "seed", "snapshot", "retry"})


def last_report(settings: Settings) -> BuildReport | None:
    """The last run for this state folder, by rtlib or by a stock ``dbt``; None before the first."""
    try:
        report = read_report(target(settings))
    except (FileNotFoundError, ValueError):  # none yet, or one is being written this moment
        return None
    return report if report.command in RUNS else None


def last_freshness(settings: Settings) -> tuple[SourceFreshness, ...]:
    """What the sources' freshness was when dbt last asked; empty before it did."""
    try:
        told = json.loads((target(settings) / "sources.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return ()
    return tuple(_freshness(one) for one in sorted(told["results"], key=lambda one: str(one["unique_id"])))


def read_report(folder: Path) -> BuildReport:
    """The run whose results are in this folder.

    Raises:
        FileNotFoundError: There are none.
    """
    told = json.loads((folder / "run_results.json").read_text(encoding="utf-8"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    known = {**manifest["nodes"], **manifest["unit_tests"]}
    results = [(one, known[one["unique_id"]]) for one in told["results"] if one["unique_id"] in known]
    checks = tuple(_check(one, node, known) for one, node in results if node["resource_type"] in ("test", "unit_test"))
    ran = Counter(one.model for one in checks if one.kind == "test" and one.status != "skipped")
    passed = Counter(one.model for one in checks if one.kind == "test" and one.status in TESTED_WELL)
    return BuildReport(
        command=told["args"]["which"],
        invocation_id=told["metadata"]["invocation_id"],
        at=_moment(told["metadata"]["generated_at"]),
        seconds=told["elapsed_time"],
        nodes=tuple(
            _node(one, node, folder, ran=ran[node["name"]], passed=passed[node["name"]])
            for one, node in results
            if node["resource_type"] in BUILT
        ),
        checks=checks,
    )


def _node(told: Told, node: Told, folder: Path, *, ran: int, passed: int) -> NodeResult:
    answer = told["adapter_response"]
    rows = answer.get("row_count")
    touched = answer.get("rows_affected") if _was_merged(node, folder) else rows
    return NodeResult(
        name=node["name"],
        kind=node["resource_type"],
        layer=node["schema"],
        materialized=node["config"]["materialized"],
        status=told["status"],
        rows=rows,
        touched=touched if rows is not None else None,
        seconds=told["execution_time"],
        tests=ran,
        tests_passed=passed,
        message=_said(told) if told["status"] == "error" else "",
    )


def _was_merged(node: Told, folder: Path) -> bool:
    """True when the run added to a table; a table that is made anew answers with no count of its own."""
    if node["config"]["materialized"] not in ("incremental", "snapshot"):
        return False
    ran = folder / "run" / node["package_name"] / node["original_file_path"]
    # A node that is defined in YAML has a folder of that name, with its SQL inside.
    for path in (ran, *ran.glob(f"{node['name']}.sql"), *ran.glob(f"**/{node['name']}.sql")):
        if path.is_file():
            return "merge into" in path.read_text(encoding="utf-8").lower()
    return False


def _check(told: Told, test: Told, known: Mapping[str, Told]) -> CheckResult:
    kind = test["resource_type"]
    tested = test.get("attached_node") or next(iter(test["depends_on"]["nodes"]), "")
    rule = (test.get("test_metadata") or {}).get("name", "")
    return CheckResult(
        name=test["name"],
        kind=kind,
        rule=rule,
        model=known[tested]["name"] if tested in known else tested.rpartition(".")[2],
        column=test.get("column_name") or "",
        status=told["status"],
        failures=told["failures"] or 0,
        seconds=told["execution_time"],
        message="" if told["status"] in ("pass", "skipped") else _said(told),
    )


def _freshness(told: Told) -> SourceFreshness:
    _, _, schema, table = told["unique_id"].split(".", 3)
    source = f"{schema}.{table}"
    if "max_loaded_at" not in told:  # it could not be asked
        return SourceFreshness(source, told["status"], None, None, None)
    newest, asked = _moment(told["max_loaded_at"]), _moment(told["snapshotted_at"])
    if newest.year == 1:  # what dbt says of a table without rows
        return SourceFreshness(source, "empty", None, None, asked)
    return SourceFreshness(source, told["status"], newest, told["max_loaded_at_time_ago_in_s"], asked)


def _said(told: Told) -> str:
    return " ".join(str(told["message"] or "").split())[:600]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
