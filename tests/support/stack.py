"""The whole local stack in its own folder, and the ``rtlib`` command as a user runs it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import psutil
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from rtlib import cli, config
from rtlib.config import Settings, load_settings, project_root
from rtlib.errors import RtlibError
from rtlib.pipeline.monitoring import health
from rtlib.services import processes, supervisor
from rtlib.services.status import status
from rtlib.services.supervisor import Program
from rtlib.warehouse.connection import connect, query

Result = TypeVar("Result")
RTLIB = Path(sys.executable).with_name("rtlib")
# Java optimises code that will run for hours. A test's processes run for minutes, and optimising takes a sixth of them.
QUICK_JAVA = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}


# A class archive takes a minute of a processor, for starts that a test's state folder never sees.
NO_ARCHIVES = {"RTLIB_CLASS_ARCHIVES": "false"}
# Settings with which no batch job runs by itself.
NO_BATCH_JOBS = {f"RTLIB_{name.upper()}": str(value) for name, value in config.NO_BATCH_JOBS.items()}


SHORT_INTERVALS = {"RTLIB_REAL_TIME_INTERVAL_SECONDS": "8"}


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without settings of rtlib, except the state folder and ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RTLIB_")}
    return {**kept, **QUICK_JAVA, **NO_ARCHIVES, "RTLIB_HOME": str(home), **variables}


def run_rtlib(
    home: Path, *words: str, timeout: float = 60, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, without a terminal; does not raise for its exit code.

    Its output goes to files, because a daemon that inherits a pipe would keep the reader waiting.
    """
    variables = clean_environment(home, **(environment or {}))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [str(RTLIB), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=variables, timeout=timeout
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def call_rtlib(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, which has imported most of it: for tests of a verb and not of its process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, clean_environment(home), clear=True),
        mock.patch.object(sys, "argv", [str(RTLIB), *words]),
        mock.patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def share_jars(home: Path) -> None:
    """Share the project's downloaded jars with a state folder, by hard links or else by copies."""
    jars = project_root() / ".rtlib" / "jars"
    if not (jars / "verified.json").exists():
        return

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # another file system; copy2 keeps the modification time, on which the checksum cache relies
            shutil.copy2(source, target)

    shutil.copytree(jars, home / "jars", copy_function=link, ignore=shutil.ignore_patterns("*.lock", "*.part"))


@contextmanager
def state_folder(*, jars: bool = True) -> Iterator[Path]:
    """A folder with a short path and the jars; at the end its processes are ended and it is removed."""
    home = Path(tempfile.mkdtemp(prefix="rtlib-"))
    try:
        if jars:
            share_jars(home)
        yield home
    finally:
        processes.end_leftovers(home)
        shutil.rmtree(home, ignore_errors=True)


def running_for(home: Path) -> list[str]:
    """The parts with a process for this state folder."""
    return sorted({part for part, _ in processes.processes_of(home)})


def is_gone(pid: int) -> bool:
    """True when the process has ended, whether or not its parent has noticed."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def until(ask: Callable[[], Result], *, seconds: float) -> Result:
    """Repeat a call until its result is true, and return it; an RtlibError counts as false.

    Raises:
        AssertionError: The result was never true; the message has the last one.
    """
    patiently = Retrying(
        retry=retry_if_result(lambda answer: not answer) | retry_if_exception_type(RtlibError),
        wait=wait_fixed(0.3),
        stop=stop_after_delay(seconds),
    )
    try:
        return patiently(ask)
    except RetryError as error:
        last = error.last_attempt
        outcome = last.exception() or last.result()
        raise AssertionError(f"not within {seconds} s: {outcome!r}") from error


@dataclass(frozen=True)
class Stack:
    """A running stack, with the options and variables of its ``rtlib up``."""

    home: Path
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def up(self) -> str:
        """Start it, and return what the command says."""
        done = run_rtlib(self.home, "up", *self.options, timeout=400, environment=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def down(self) -> None:
        """Stop it; no process may be left then."""
        done = run_rtlib(self.home, "down", timeout=120)
        assert done.returncode == 0, done.stderr
        assert running_for(self.home) == []

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home)

    def rtlib(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A verb, in this process."""
        return call_rtlib(self.home, *words)

    def status(self) -> dict[str, Any]:
        """What ``rtlib status --json`` prints, without starting the command."""
        return status(self.settings, checks=health.checks()).to_json()

    def pids(self) -> dict[str, int]:
        """The process id of each part, from the supervisor; 0 while it does not run."""
        states = supervisor.states(self.settings)
        return {name: part.pid if part.state == "RUNNING" else 0 for name, part in states.items()}


@contextmanager
def running_stack(*options: str, environment: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start a stack with ``rtlib up`` and stop it with ``rtlib down``; no process may be left then.

    Args:
        options: Options of ``rtlib up``.
        environment: Settings as variables.

    Raises:
        AssertionError: It does not start or stop.
    """
    with state_folder() as home:
        stack = Stack(home, options, environment or {})
        stack.up()
        yield stack
        stack.down()


@contextmanager
def running_supervisor(*programs: Program) -> Iterator[Settings]:
    """A real supervisor of these programs only, in a state folder without jars; stopped at the end."""
    with state_folder(jars=False) as home:
        settings = Settings(home=home)
        supervisor.write_config(settings, programs, environment={})
        supervisor.start(settings)
        yield settings


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Query the stack's warehouse."""
    with closing(connect(settings)) as connection:
        return query(connection, sql)
