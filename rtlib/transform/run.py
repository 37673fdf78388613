"""Run: dbt in this process, by its own runner; a second run takes a second instead of ten for a new interpreter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import ConfigError, WarehouseError
from rtlib.notify import Notify
from rtlib.transform.project import STREAM, log_folder, profile_folder, project, target
from rtlib.transform.records import BuildReport
from rtlib.transform.results import read_report

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

# dbt's events for finished nodes; all other events are in its log only.
DONE = frozenset({"LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult", "LogUnitTestResult"})
DONE |= {"LogNodeNoOpResult", "LogFreshnessResult"}
Progress = Callable[[int, int], None]  # finished nodes, all nodes
PARSED = "partial_parse.msgpack"  # dbt's name


def build(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    unit_tests: bool = True,
    full_refresh: bool = False,
    check_sources: bool = False,
    notify: Notify | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Run ``dbt build``: seeds, snapshots, models and their tests, in the order of their lineage.

    A failing test does not raise: it is in the report, and models that depend on the tested model are skipped.

    Args:
        settings: The warehouse and the state folder.
        select: dbt's selection, for instance ``+interval_load``; everything by default.
        unit_tests: Also run unit tests, which do not depend on the data.
        full_refresh: Rebuild incremental models and seeds.
        check_sources: Run ``dbt source freshness`` before: the age of the newest row of each source with a limit.
        notify: Called with a line for each finished node.
        progress: Called for each finished node with the number of finished nodes and of all.

    Raises:
        ConfigError: The project cannot be read, or the selection matches nothing.
        WarehouseError: The warehouse does not answer.
    """
    words = ["build", *_option("--select", select)]
    words += [] if unit_tests else ["--exclude-resource-type", "unit_test"]
    words += ["--full-refresh"] if full_refresh else []
    with _locked(settings):
        results = target(settings) / "run_results.json"
        results.unlink(missing_ok=True)
        manifest = None
        if check_sources:  # both commands use the project as it is read here
            manifest = _invoke(settings, ["parse", "--no-write-json"]).result
            _invoke(settings, ["source", "freshness"], manifest=manifest)
        _invoke(settings, words, notify=notify, progress=progress, manifest=manifest)
        report = read_report(target(settings)) if results.exists() else None
    if report is None or not (report.nodes or report.checks):
        chosen = f" by {' '.join(select)}" if select else ""
        raise ConfigError(f"dbt has nothing to build{chosen}", cure="rtlib dbt lineage, which lists the names")
    return report


def docs(settings: Settings, *, notify: Notify | None = None) -> Path:
    """Run ``dbt docs generate`` and return the page to open; it queries the columns of the warehouse.

    Raises:
        ConfigError: The project cannot be read.
        WarehouseError: The warehouse does not answer.
    """
    # In a separate folder, because it would overwrite the manifest and the results of the last build.
    folder = settings.home / "dbt" / "docs"
    with _locked(settings):
        _share_parsed(target(settings), folder)
        _invoke(settings, ["docs", "generate", "--static"], notify=notify, folder=folder)
    return folder / "static_index.html"


def parse(settings: Settings) -> None:
    """Run ``dbt parse``, which writes the manifest without a warehouse.

    Raises:
        ConfigError: The project cannot be read.
    """
    with _locked(settings):
        _invoke(settings, ["parse"])


def arguments(settings: Settings, profiles: Path, folder: Path | None = None) -> list[str]:
    """The options of every dbt command, in this process or on the command line."""
    return [
        *("--project-dir", str(project())),
        *("--profiles-dir", str(profiles)),
        *("--target-path", str((folder or target(settings)).resolve())),
        *("--log-path", str(log_folder(settings).resolve())),
        *("--vars", json.dumps({name: getattr(settings, name) for name in STREAM})),
    ]


def _invoke(
    settings: Settings,
    words: Sequence[str],
    *,
    notify: Notify | None = None,
    progress: Progress | None = None,
    folder: Path | None = None,
    manifest: Any = None,
) -> dbtRunnerResult:
    from dbt.cli.main import dbtRunner

    finished = count(1)

    def on_event(event: Any) -> None:
        if event.info.name not in DONE:
            return
        if notify is not None:
            notify(event.info.msg)
        if progress is not None:
            data = event.data  # tests call the number of all nodes by another name
            progress(next(finished), data.num_models if hasattr(data, "num_models") else data.total)

    with profile_folder(settings) as profiles:
        # Nothing on the console: the report has the results, and the log everything. Without its own level, the log
        # would have that of the console.
        options = ["--log-level", "none", "--log-level-file", "debug", "--no-use-colors"]
        runner = dbtRunner(manifest, callbacks=[on_event])
        done = runner.invoke([*words, *options, *arguments(settings, profiles, folder)])
    _raise_error(done, settings)
    return done


def _raise_error(done: dbtRunnerResult, settings: Settings) -> None:
    """Raise the error that kept dbt from running; failed nodes are in the results instead."""
    if done.exception is None:
        return
    from dbt.adapters.exceptions.connection import FailedToConnectError
    from dbt_common.exceptions import DbtDatabaseError

    if not isinstance(done.exception, Exception):
        raise done.exception  # Ctrl-C
    message = " ".join(str(done.exception).split())[:600]
    if isinstance(done.exception, FailedToConnectError | DbtDatabaseError) or "Failed to connect" in message:
        raise WarehouseError(f"dbt could not use the warehouse: {message}", cure="rtlib status") from done.exception
    log = log_folder(settings) / "dbt.log"
    raise ConfigError(f"dbt could not run: {message}", cure=f"see the end of {log}") from done.exception


def _share_parsed(source: Path, folder: Path) -> None:
    """Copy the project as dbt parsed it last; parsing only what has changed since saves most of ten seconds."""
    if (source / PARSED).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / PARSED, folder / PARSED)


def _option(name: str, values: Sequence[str]) -> list[str]:
    return [name, *values] if values else []


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Run dbt once at a time, because two runs would write the same files and tables."""
    from filelock import FileLock

    folder = private.make_folder(settings.home / "dbt")
    with private.owner_only(), FileLock(folder / "lock"):
        yield
