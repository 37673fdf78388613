"""Transforming: dbt over a warehouse whose tables are there, and what its last run tells the graph."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rtlib import transform
from rtlib.config import Settings
from rtlib.notify import Notify
from rtlib.records import Observation, Reading, Status
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

OLD_SECONDS = 24 * 3600  # marts are yesterday's numbers then


def build(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    unit_tests: bool = True,
    full_refresh: bool = False,
    notify: Notify | None = None,
) -> BuildReport:
    """Make the tables that dbt reads, ask how fresh they are, and build; see ``rtlib.transform.build``.

    Raises:
        ConfigError: The dbt project cannot be read, or nothing is called what was selected.
        WarehouseError: The warehouse does not answer, or a migration failed.
    """
    _make_tables(settings)
    transform.freshness(settings)
    return transform.build(settings, select=select, unit_tests=unit_tests, full_refresh=full_refresh, notify=notify)


def docs(settings: Settings) -> Path:
    """The page of dbt's documentation, made anew; see ``rtlib.transform.docs``."""
    _make_tables(settings)
    return transform.docs(settings)


def lineage(settings: Settings) -> DbtLineage:
    """Sources, models and exposures with their edges; see ``rtlib.transform.lineage``."""
    return transform.lineage(settings)


def models(settings: Settings) -> tuple[DbtLineage, BuildReport | None]:
    """The lineage, and how the last run went; None before the first."""
    return transform.lineage(settings), transform.last_report(settings)


def exports(settings: Settings) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables a stock ``dbt`` needs, and the names of Snowflake's secrets, which have to be set by hand."""
    return transform.exports(settings), transform.secrets_needed(settings)


def race(settings: Settings, *, rounds: int = 3) -> Race:
    """One model in this process against the command line; see ``rtlib.transform.race``."""
    _make_tables(settings)
    return transform.race(settings, rounds=rounds)


def observation(settings: Settings) -> Observation:
    """What the node of dbt shows: how its last run ended, whoever started it. Reads files alone."""
    report = transform.last_report(settings)
    if report is None:
        return Observation(Status.IDLE, "it has not run yet; try: rtlib dbt build", datetime.now(UTC))
    marts = [one.rows or 0 for one in report.nodes if one.layer == "MARTS"]
    readings = (
        Reading("built", sum(one.rows is not None for one in report.nodes), "models", report.at),
        Reading("passed", report.passed, "tests", report.at),
        Reading("in the marts", sum(marts), "rows", report.at),
        Reading("took", report.seconds, "s", report.at),
    )
    return Observation(*_verdict(report), report.at, readings)


def source_readings(settings: Settings) -> tuple[Reading, ...]:
    """How old the newest row of each source was when dbt asked, for the node of the warehouse. Reads files alone."""
    told = transform.last_freshness(settings)
    return tuple(
        Reading(f"newest of {one.source}", one.age_seconds, "s old", one.asked_at) for one in told if one.asked_at
    )


def _verdict(report: BuildReport) -> tuple[Status, str]:
    if report.broken:
        first = report.broken[0]
        return Status.DEGRADED, f"{len(report.broken)} models were not built, first {first.name}: {first.message[:160]}"
    if report.failed:
        more = f", and {len(report.failed) - 1} more" if len(report.failed) > 1 else ""
        return Status.DEGRADED, f"a test failed: {report.failed[0].said}{more}"
    age = (datetime.now(UTC) - report.at).total_seconds()
    if age > OLD_SECONDS:
        return Status.DEGRADED, f"its last run was {age / 3600:.0f} hours ago"
    return Status.HEALTHY, "everything was built, and every test passed"


def _make_tables(settings: Settings) -> None:
    connection = connect(settings)
    try:
        migrate(connection)
    finally:
        connection.close()
