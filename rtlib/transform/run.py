"""Run: dbt in this process, by its own runner; a second run costs a second, not the ten of a new interpreter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib.config import Settings
from rtlib.errors import ConfigError, WarehouseError
from rtlib.notify import Notify
from rtlib.transform.project import STREAM, log_folder, profile_folder, project, target
from rtlib.transform.records import BuildReport, SourceFreshness
from rtlib.transform.results import last_freshness, read_report

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

# What dbt says when a node is done; the rest of its talk is in its log.
DONE = frozenset({"LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult", "LogUnitTestResult"})
DONE |= {"LogNodeNoOpResult", "LogFreshnessResult"}


def build(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    unit_tests: bool = True,
    full_refresh: bool = False,
    notify: Notify | None = None,
) -> BuildReport:
    """Run ``dbt build``: seeds, snapshots, models and their tests, in the order of their lineage.

    A failing test is no exception: it is in the report, and what depends on the model it tests was skipped.

    Args:
        settings: Which warehouse.
        select: What to build, in dbt's own words, for instance ``+interval_load``; nothing means everything.
        unit_tests: Also run the tests over made-up rows, which hold for the code whatever the data.
        full_refresh: Build incremental models and seeds anew.
        notify: Is given a line for each node that is done.

    Raises:
        ConfigError: The project cannot be read, or nothing is called what was selected.
        WarehouseError: The warehouse does not answer.
    """
    words = ["build", *_option("--select", select)]
    words += [] if unit_tests else ["--exclude-resource-type", "unit_test"]
    words += ["--full-refresh"] if full_refresh else []
    with _alone(settings):
        results = target(settings) / "run_results.json"
        results.unlink(missing_ok=True)
        _invoke(settings, words, notify=notify)
        report = read_report(target(settings)) if results.exists() else None
    if report is None or not (report.nodes or report.checks):
        chosen = f" by {' '.join(select)}" if select else ""
        raise ConfigError(f"dbt had nothing to build{chosen}", cure="rtlib dbt lineage lists the names there are")
    return report


def docs(settings: Settings, *, notify: Notify | None = None) -> Path:
    """Run ``dbt docs generate`` and return the page to open. It asks the warehouse for the columns there are.

    Raises:
        ConfigError: The project cannot be read.
        WarehouseError: The warehouse does not answer.
    """
    # In a folder of its own: it writes a manifest and results too, and those of the last build are to stay.
    folder = settings.home / "dbt" / "docs"
    with _alone(settings):
        _invoke(settings, ["docs", "generate", "--static"], notify=notify, folder=folder)
    return folder / "static_index.html"


def freshness(settings: Settings, *, notify: Notify | None = None) -> tuple[SourceFreshness, ...]:
    """Run ``dbt source freshness``: how old is the newest row of each source that has a limit.

    Raises:
        ConfigError: The project cannot be read.
        WarehouseError: The warehouse does not answer.
    """
    with _alone(settings):
        _invoke(settings, ["source", "freshness"], notify=notify)
        return last_freshness(settings)


def parse(settings: Settings) -> None:
    """Run ``dbt parse``, which writes the manifest and needs no warehouse.

    Raises:
        ConfigError: The project cannot be read.
    """
    with _alone(settings):
        _invoke(settings, ["parse"])


def arguments(settings: Settings, profiles: Path, folder: Path | None = None) -> list[str]:
    """The options that every command of dbt gets, in this process or on the command line."""
    return [
        *("--project-dir", str(project())),
        *("--profiles-dir", str(profiles)),
        *("--target-path", str((folder or target(settings)).resolve())),
        *("--log-path", str(log_folder(settings).resolve())),
        *("--vars", json.dumps({name: getattr(settings, name) for name in STREAM})),
    ]


def _invoke(
    settings: Settings, words: Sequence[str], *, notify: Notify | None = None, folder: Path | None = None
) -> None:
    from dbt.cli.main import dbtRunner

    def heard(event: Any) -> None:
        if notify is not None and event.info.name in DONE:
            notify(event.info.msg)

    with profile_folder(settings) as profiles:
        # Quiet on the console: what it has to say is in the report, and all of it in its log.
        options = ["--log-level", "none", "--no-use-colors", *arguments(settings, profiles, folder)]
        done = dbtRunner(callbacks=[heard]).invoke([*words, *options])
    _raise_what_broke(done, settings)


def _raise_what_broke(done: dbtRunnerResult, settings: Settings) -> None:
    """A run whose nodes failed has told so in its results; here is only what kept it from running at all."""
    if done.exception is None:
        return
    from dbt.adapters.exceptions.connection import FailedToConnectError
    from dbt_common.exceptions import DbtDatabaseError

    if not isinstance(done.exception, Exception):
        raise done.exception  # Ctrl-C
    said = " ".join(str(done.exception).split())[:600]
    if isinstance(done.exception, FailedToConnectError | DbtDatabaseError) or "Failed to connect" in said:
        raise WarehouseError(f"dbt could not work on the warehouse: {said}", cure="rtlib status") from done.exception
    log = log_folder(settings) / "dbt.log"
    raise ConfigError(f"dbt could not run: {said}", cure=f"see the end of {log}") from done.exception


def _option(name: str, values: Sequence[str]) -> list[str]:
    return [name, *values] if values else []


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One run at a time: two would write into the same folder, and build the same tables."""
    from filelock import FileLock

    folder = settings.home / "dbt"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        yield
