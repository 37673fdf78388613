"""The whole local stack in a folder of its own, for tests that need it, and the ``rtlib`` command as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from rtlib.config import Settings, load_settings, project_root
from rtlib.errors import RtlibError
from rtlib.services import processes, supervisor
from rtlib.services.supervisor import Program
from rtlib.warehouse.connection import connect, query

Result = TypeVar("Result")
RTLIB = Path(sys.executable).with_name("rtlib")


def clean_environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment without any setting of rtlib but the state folder, and ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RTLIB_")}
    return {**kept, "RTLIB_HOME": str(home), **variables}


def run_rtlib(
    home: Path, *words: str, timeout: float = 60, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, without a terminal; never raises for its exit code.

    What it says goes through files: a daemon that inherited a pipe would keep the reader waiting for its end.
    """
    variables = clean_environment(home, **(environment or {}))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        done = subprocess.run(
            [str(RTLIB), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=variables, timeout=timeout
        )
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())


def share_jars(home: Path) -> None:
    """Give a state folder the project's downloaded jars, if there are any, by hard links or else by copies."""
    ours = project_root() / ".rtlib" / "jars"
    if not (ours / "verified.json").exists():
        return

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # another file system; copy2 keeps the times, by which a verified file is known
            shutil.copy2(source, target)

    shutil.copytree(ours, home / "jars", copy_function=link, ignore=shutil.ignore_patterns("*.lock", "*.part"))


@contextmanager
def state_folder(*, jars: bool = True) -> Iterator[Path]:
    """A short-named folder with the jars in it; whatever still runs for it at the end is ended, and it is removed."""
    home = Path(tempfile.mkdtemp(prefix="rtlib-"))
    try:
        if jars:
            share_jars(home)
        yield home
    finally:
        processes.end_leftovers(home)
        shutil.rmtree(home, ignore_errors=True)


def running_for(home: Path) -> list[str]:
    """The parts that have a process for this state folder."""
    return sorted({part for part, _ in processes.processes_of(home)})


def is_gone(pid: int) -> bool:
    """True when the process has ended, whether or not its parent has noticed."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def until(ask: Callable[[], Result], *, seconds: float) -> Result:
    """Ask until the answer is true, and return it; an RtlibError counts as not yet.

    Raises:
        AssertionError: It was never true; with the last answer.
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
        said = last.exception() or last.result()
        raise AssertionError(f"not within {seconds} s: {said!r}") from error


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    home: Path
    started_in_seconds: float

    @property
    def settings(self) -> Settings:
        return load_settings(home=self.home)

    def rtlib(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return run_rtlib(self.home, *words, timeout=timeout)

    def status(self) -> dict[str, Any]:
        """What ``rtlib status --json`` says."""
        told: dict[str, Any] = json.loads(self.rtlib("status", "--json").stdout)
        return told

    def pids(self) -> dict[str, int]:
        """The process id of each part, as the supervisor knows it; 0 while it does not run."""
        return {
            name: one.pid if one.state == "RUNNING" else 0 for name, one in supervisor.states(self.settings).items()
        }


@contextmanager
def running_stack(*options: str, environment: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Start a stack by ``rtlib up``, and stop it by ``rtlib down``; nothing may be left then.

    Args:
        options: Of ``rtlib up``.
        environment: Settings as variables.

    Raises:
        AssertionError: It does not start, or does not end.
    """
    with state_folder() as home:
        began = time.monotonic()
        up = run_rtlib(home, "up", *options, timeout=400, environment=environment)
        assert up.returncode == 0, up.stderr
        yield Stack(home, time.monotonic() - began)
        down = run_rtlib(home, "down", timeout=120)
        assert down.returncode == 0, down.stderr
        assert running_for(home) == []


@contextmanager
def running_supervisor(*programs: Program) -> Iterator[Settings]:
    """A real supervisor of these parts alone, in a state folder without jars; nothing may be left at the end."""
    with state_folder(jars=False) as home:
        settings = Settings(home=home)
        supervisor.write_config(settings, programs, environment={})
        supervisor.start(settings)
        yield settings


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    """Rows of the stack's warehouse."""
    connection = connect(settings)
    try:
        return query(connection, sql)
    finally:
        connection.close()
