"""dbt: builds over a warehouse with migrated tables, and the state of the last run for the graph."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from rtlib import transform
from rtlib.config import Settings
from rtlib.notify import Notify
from rtlib.pipeline.runs import recorded
from rtlib.records import BatchJob, Observation, Reading, Status
from rtlib.transform import BuildReport, DbtLineage, DbtNode, Race
from rtlib.warehouse.connection import connect
from rtlib.warehouse.migrations import migrate

__all__ = [
    "BuildReport",
    "DbtLineage",
    "DbtNode",
    "build",
    "docs",
    "exports",
    "lineage",
    "models",
    "observation",
    "race",
    "source_readings",
]

OLD_SECONDS = 24 * 3600  # older marts count as stale


def build(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    unit_tests: bool = True,
    full_refresh: bool = False,
    notify: Notify | None = None,
) -> BuildReport:
    """Migrate the tables that dbt reads, check their freshness, and build; see ``rtlib.transform.build``.

    Raises:
        ConfigError: The dbt project cannot be read, or the selection matches nothing.
        WarehouseError: The warehouse does not answer, or a migration failed.
    """
    with recorded(settings, BatchJob.DBT, notify=notify) as run:
        run.message = "reads the project"
        report = transform.build(
            settings,
            select=select,
            unit_tests=unit_tests,
            full_refresh=full_refresh,
            check_sources=True,
            notify=notify,
            progress=lambda done, total: run.progress(done, total, "models and tests"),
        )
        run.rows = sum(node.touched or 0 for node in report.nodes)
        run.failure = "" if report.ok else verdict(report)[1]
    return report


def docs(settings: Settings) -> Path:
    """Generate dbt's documentation and return its page; see ``rtlib.transform.docs``."""
    _make_tables(settings)
    return transform.docs(settings)


def lineage(settings: Settings) -> DbtLineage:
    """Sources, models and exposures with their edges; see ``rtlib.transform.lineage``."""
    return transform.lineage(settings)


def models(settings: Settings) -> tuple[DbtLineage, BuildReport | None]:
    """The lineage and the report of the last run, None before the first."""
    return transform.lineage(settings), transform.last_report(settings)


def exports(settings: Settings) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that a stock ``dbt`` needs, and the names of the Snowflake secrets to set by hand."""
    return transform.exports(settings), transform.secrets_needed(settings)


def race(settings: Settings, *, rounds: int = 3) -> Race:
    """Time a model in this process and by the command line; see ``rtlib.transform.race``."""
    _make_tables(settings)
    return transform.race(settings, rounds=rounds)


def observation(settings: Settings) -> Observation:
    """What the node of dbt shows: the result of the last run, by rtlib or a stock ``dbt``. Reads files only."""
    report = transform.last_report(settings)
    if report is None:
        return Observation(Status.IDLE, "it has not run yet", datetime.now(UTC))
    mart_rows = [node.rows or 0 for node in report.nodes if node.layer == "MARTS"]
    readings = (
        Reading("built", sum(node.rows is not None for node in report.nodes), "models", report.at),
        Reading("passed", report.passed, "tests", report.at),
        Reading("in the marts", sum(mart_rows), "rows", report.at),
        Reading("took", report.seconds, "s", report.at),
    )
    return Observation(*verdict(report), report.at, readings)


def source_readings(settings: Settings) -> tuple[Reading, ...]:
    """The age of the newest row of each source at dbt's last check, for the node of the warehouse. Reads files only."""
    sources = transform.last_freshness(settings)
    return tuple(
        Reading(f"newest of {source.source}", source.age_seconds, "s old", source.asked_at)
        for source in sources
        if source.asked_at
    )


def verdict(report: BuildReport) -> tuple[Status, str]:
    """The status of a run of dbt, and the reason in words."""
    if report.broken:
        first = next((node for node in report.broken if node.message), report.broken[0])
        if not first.message and report.failed:  # they were skipped because of a test
            return Status.DEGRADED, f"{len(report.broken)} models were not built: {report.failed[0].summary}"
        return Status.DEGRADED, f"{len(report.broken)} models were not built, first {first.name}: {first.message[:160]}"
    if report.failed:
        more = f", and {len(report.failed) - 1} more" if len(report.failed) > 1 else ""
        return Status.DEGRADED, f"a test failed: {report.failed[0].summary}{more}"
    age = (datetime.now(UTC) - report.at).total_seconds()
    if age > OLD_SECONDS:
        return Status.DEGRADED, f"its last run was {age / 3600:.0f} hours ago"
    return Status.HEALTHY, "everything was built, and every test passed"


def _make_tables(settings: Settings) -> None:
    with closing(connect(settings)) as connection:
        migrate(connection)
