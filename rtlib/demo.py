"""Demo: the whole pipeline, begun, watched and ended by one command."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib import private
from rtlib.config import Settings, inherited_environment, load_settings, project_root
from rtlib.errors import ConfigError, ServiceError
from rtlib.ledger import Ledger, take, verdict, waiting
from rtlib.notify import Notify
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.provision import provision
from rtlib.pipeline.rebuild.warehouse import INTERRUPTED
from rtlib.pipeline.recovery.drain import wait_until_drained
from rtlib.pipeline.telemetry import trigger
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.run_state import load_options
from rtlib.services import ports, stack, supervisor
from rtlib.services.open_address import open_address
from rtlib.widgets import page

if TYPE_CHECKING:
    from rtlib.bench import Result

DRAIN_PATIENCE_SECONDS = 90.0


def start(settings: Settings, chosen: Mapping[str, object], *, notify: Notify, idle: Collection[str] = ()) -> bool:
    """Start the stack; False when it was running already, and then it is told what of the settings it does not have.

    Of the parts that start last, those named idle are left to somebody else to start.

    Raises:
        ConfigError: It runs already, for another domain.
        RtlibError: It could not be started.
    """
    began = stack.up(
        settings, checks=health.checks_at_start(), prepare=provision, chosen=chosen, notify=notify, idle=idle
    )
    if (settings.home / INTERRUPTED).exists():
        notify("a rebuild of the warehouse was interrupted, so KPIs are missing; finish it: rtlib rebuild warehouse")
    if not began:
        _tell_what_differs({**settings.of_a_run(), **chosen}, load_options(settings.home), notify=notify)
    return began


def _tell_what_differs(asked: Mapping[str, object], told: Mapping[str, object], *, notify: Notify) -> None:
    differs = {name: value for name, value in told.items() if asked.get(name, value) != value}
    if "domain" in differs:
        raise ConfigError(
            f"the stack is running for {told['domain']}", cure=f"rtlib down, then rtlib up --domain {asked['domain']}"
        )
    for name, value in differs.items():
        notify(f"it runs with {name} {value}, and {asked[name]} is ignored; to change it: rtlib down, then rtlib up")


def run_headless(settings: Settings, chosen: Mapping[str, object], *, seconds: int, notify: Notify) -> Ledger:
    """Stream for some seconds, let everything arrive, and hold all counts against the simulator's tally.

    Whatever this began is stopped at the end; a stack that ran before runs on as it did.
    """
    with _sending_afterwards_as_before(settings), running_stack(settings, chosen, notify=notify) as running:
        supervisor.start_part(running, "simulator")
        notify(f"streaming {running.domain} events for {seconds} s")
        _count_down(seconds, notify)
        supervisor.stop_part(running, "simulator")
        notify("the simulator has stopped; waiting until everything has arrived")
        return _drained(running, notify)


@contextmanager
def _sending_afterwards_as_before(settings: Settings) -> Iterator[None]:
    """A simulator that ran in a stack that ran before runs again afterwards."""
    before = supervisor.states(settings).get("simulator")
    try:
        yield
    finally:
        if before is not None and before.state == "RUNNING":
            supervisor.start_part(settings, "simulator")


def run_bench(settings: Settings, *, quick: bool, notify: Notify) -> Result:
    """Measure the pipeline on a stack of its own, beside the state folder's data; nothing of it stays.

    Raises:
        ConfigError: The environment chooses the trigger, so that both sides of the comparison would be the same.
        ServiceError: A stack is running; both would share the machine, and the figures would mean nothing.
    """
    from rtlib import bench

    with scratch(settings, "bench") as own:
        trigger.choose(own, "real-time")  # before anything starts: it is refused where that cannot be
        # The bench sends its own events.
        with running_stack(load_settings(home=own.home), {}, notify=notify, idle=["simulator"]) as running:
            return bench.run(running, quick=quick, notify=notify)


@contextmanager
def scratch(settings: Settings, name: str) -> Iterator[Settings]:
    """An empty state folder below the usual one, with the same downloads; it is gone afterwards.

    Raises:
        ServiceError: A stack is running and would share the machine.
    """
    if supervisor.supervisor_pid(settings) is not None:
        raise ServiceError(f"a stack is running and would share the machine with the {name}", cure="rtlib down")
    home = settings.home / name
    stack.reset(load_settings(home=home), downloads=True)
    home.mkdir(parents=True, exist_ok=True)
    (settings.home / "jars").mkdir(exist_ok=True)
    (home / "jars").symlink_to(settings.home / "jars")
    try:
        yield load_settings(home=home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run_app(settings: Settings, chosen: Mapping[str, object], *, notify: Notify, browser: bool) -> None:
    """Start the stack and serve the app until Ctrl-C; then stop what this began."""
    with running_stack(settings, chosen, notify=notify) as running:
        serve_app(running, notify=notify, browser=browser)


def serve_app(settings: Settings, *, notify: Notify, browser: bool) -> None:
    """Serve the app by Voilà until Ctrl-C.

    Raises:
        ServiceError: Voilà ended by itself.
    """
    with ending_on_signal():
        settings = _with_free_app_port(settings)
        token, port, config = secrets.token_urlsafe(32), settings.ports["app"], settings.home / "run" / "app"
        host = urlsplit(settings.app_url).hostname if settings.app_url else None
        page.write_config(config, token=SecretStr(token), host=host)
        url = f"http://127.0.0.1:{port}/?token={token}"
        voila = subprocess.Popen(
            page.command(notebooks() / "app.ipynb", port=port, closed=True),
            cwd=notebooks(),
            env=_environment(settings, config=config),
        )
        try:
            _wait_until_served(voila, f"http://127.0.0.1:{port}/login")
            notify(f"\nthe app is at {url}\nCtrl-C stops it")
            if browser:
                open_address(SecretStr(url), folder=config)
            code = voila.wait()
            raise ServiceError(f"Voilà ended by itself with exit code {code}", cure="rtlib app, and read what it says")
        except KeyboardInterrupt:
            notify("\nstopping")
        finally:
            _end(voila)
            shutil.rmtree(config, ignore_errors=True)


def serve_lab(settings: Settings, *, browser: bool) -> None:
    """Open JupyterLab on the lessons until Ctrl-C.

    It makes its own token, opens the browser by a file of its owner's, and keeps the token out of its log.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={notebooks()}"]
    with ending_on_signal():
        command += [] if browser else ["--no-browser"]
        # In a container everybody is root, and Jupyter would refuse; it listens on this machine alone, by a token.
        command += ["--allow-root"] if os.geteuid() == 0 else []
        command += page.kernel_sockets(Path(jupyter_runtime_dir()))
        server = subprocess.Popen(command, cwd=notebooks(), env=_environment(settings))
        try:
            server.wait()
        except KeyboardInterrupt:
            return
        finally:
            _end(server)


def open_cards(settings: Settings, *, notify: Notify, browser: bool) -> None:
    """Open the page of the cards that the local receiver took.

    Raises:
        ConfigError: Cards go to Teams.
        ServiceError: The stack does not run.
    """
    if settings.teams_webhook_url is not None:
        raise ConfigError("cards go to Teams (RTLIB_TEAMS_WEBHOOK_URL is set)", cure="open the channel in Teams")
    link = receiver_address(settings).page
    notify(f"the cards are at {link.get_secret_value()}")
    if browser:
        open_address(link, folder=private.make_folder(settings.home / "run"))


def _environment(settings: Settings, *, config: Path | None = None) -> dict[str, str]:
    """For a server whose kernels work in another folder: they are told the state folder by its whole path."""
    return {**page.environment(inherited_environment(), config=config), "RTLIB_HOME": str(settings.home)}


def notebooks() -> Path:
    """The folder of the lessons.

    Raises:
        ConfigError: rtlib is not run from a working copy, so there are none.
    """
    folder = project_root() / "notebooks"
    if not folder.exists():
        raise ConfigError(f"there are no notebooks in {project_root()}", cure="clone the project and run it there")
    return folder


def report(result: Ledger) -> str:
    """One line for each path, and one verdict."""
    speed = (
        f"speed: {result.events_sent:,} events sent -> {result.kpi_events:,} counted in {result.kpi_rows:,} KPI rows, "
        f"{result.late_dropped:,} behind the watermark"
    )
    batch = (
        f"batch: {result.records_sent:,} records sent -> {result.archived:,} archived, "
        f"{result.duplicates_removed:,} duplicates removed, {result.rejected:,} rejected"
    )
    named = [f"  lost: {one}" for one in result.lost_events] + [f"  doubled: {one}" for one in result.doubled_events]
    apart = [f"  {one}" for one in (*result.differences, *waiting(result))]
    return "\n".join([speed, batch, *named, *apart, verdict(result)])


@contextmanager
def running_stack(
    settings: Settings, chosen: Mapping[str, object], *, notify: Notify, idle: Collection[str] = ()
) -> Iterator[Settings]:
    """The stack, started if it was not running; what was begun is stopped at the end, whatever happens."""
    with ending_on_signal():
        began = False
        try:
            began = start(settings, chosen, notify=notify, idle=idle)
            yield load_settings(home=settings.home)
        finally:
            if began:
                stack.down(settings, notify=notify)


@contextmanager
def ending_on_signal() -> Iterator[None]:
    """A closed terminal or a polite kill ends things as Ctrl-C does: what was begun is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM] + ([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drained(settings: Settings, notify: Notify) -> Ledger:
    """Wait until everything has arrived, or until it is clear that it will not; then take the ledger."""
    if not wait_until_drained(settings, notify=notify, patience=DRAIN_PATIENCE_SECONDS, after_faults=True):
        notify("not everything has arrived; the ledger shows what is in flight")
    return take(settings, notify=notify)


def _count_down(seconds: int, notify: Notify) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 10))
        if left > 10:
            notify(f"  {max(0.0, ends - time.monotonic()):.0f} s to go")


def _with_free_app_port(settings: Settings) -> Settings:
    """Keep the app's port unless somebody took it since it was chosen."""
    chosen = ports.for_app(settings)
    ports.write(settings.home, {**settings.ports, "app": chosen})
    return settings


def _wait_until_served(voila: subprocess.Popen[bytes], url: str) -> None:
    retrying = Retrying(
        retry=retry_if_exception_type(requests.RequestException),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(60),
        reraise=True,
    )

    def ask() -> None:
        if voila.poll() is not None:
            raise ServiceError(f"Voilà did not start (exit code {voila.returncode})", cure="rtlib doctor")
        requests.get(url, timeout=2, allow_redirects=False)

    try:
        retrying(ask)
    except requests.RequestException as error:
        raise ServiceError("Voilà was started and has not answered for 60 s", cure="rtlib doctor, rtlib app") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
