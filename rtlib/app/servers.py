"""Servers: the Voilà app, JupyterLab and the page of alert cards, each until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib import private
from rtlib.app.lifecycle import interrupt_on_signal
from rtlib.config import Settings, inherited_environment, project_root
from rtlib.errors import ConfigError, ServiceError
from rtlib.notify import Notify
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.services import ports, voila
from rtlib.services.open_address import open_address

START_SECONDS = 60


def serve_app(settings: Settings, *, notify: Notify, browser: bool) -> None:
    """Serve the app with Voilà until Ctrl-C.

    Raises:
        ServiceError: Voilà did not start, or ended on its own.
    """
    with interrupt_on_signal():
        settings = _with_free_app_port(settings)
        token, port, config = secrets.token_urlsafe(32), settings.ports["app"], settings.home / "run" / "app"
        host = urlsplit(settings.app_url).hostname if settings.app_url else None
        voila.write_config(config, token=SecretStr(token), host=host)
        url = f"http://127.0.0.1:{port}/?token={token}"
        server = subprocess.Popen(
            voila.command(notebooks() / "app.ipynb", port=port, closed=True),
            cwd=notebooks(),
            env=_environment(settings, config=config),
        )
        try:
            _wait_until_served(server, f"http://127.0.0.1:{port}/login")
            notify(f"\nthe app is at {url}\nCtrl-C stops it")
            if browser:
                open_address(SecretStr(url), folder=config)
            code = server.wait()
            raise ServiceError(f"Voilà ended on its own with exit code {code}", cure="rtlib app, and read its output")
        except KeyboardInterrupt:
            notify("\nstopping")
        finally:
            _end(server)
            shutil.rmtree(config, ignore_errors=True)


def serve_lab(settings: Settings, *, browser: bool) -> None:
    """Open JupyterLab on the lessons until Ctrl-C.

    JupyterLab makes its own token, opens the browser through a private file, and keeps the token out of its log.
    """
    from jupyter_core.paths import jupyter_runtime_dir

    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={notebooks()}"]
    with interrupt_on_signal(), TemporaryDirectory(prefix="rtlib-", dir=voila.kernel_root()) as short:  # mode 0700
        command += [] if browser else ["--no-browser"]
        # Jupyter refuses to run as root, the usual user of a container; it listens on loopback only, with a token.
        command += ["--allow-root"] if os.geteuid() == 0 else []
        # Jupyter's own folder is below the home folder, whose name may be too long for the path of a socket.
        default = Path(jupyter_runtime_dir())
        runtime = default if voila.sockets_fit(default) else Path(short)
        command += voila.kernel_sockets(runtime)
        environment = {**_environment(settings), "JUPYTER_RUNTIME_DIR": str(runtime)}
        server = subprocess.Popen(command, cwd=notebooks(), env=environment)
        try:
            server.wait()
        except KeyboardInterrupt:
            return
        finally:
            _end(server)


def open_cards(settings: Settings, *, notify: Notify, browser: bool) -> None:
    """Print the address of the page of cards that the local receiver got, and open it.

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


def notebooks() -> Path:
    """The folder of the lessons.

    Raises:
        ConfigError: rtlib is not run from a working copy, so there are none.
    """
    folder = project_root() / "notebooks"
    if not folder.exists():
        raise ConfigError(f"there are no notebooks in {project_root()}", cure="clone the project and run it there")
    return folder


def _environment(settings: Settings, *, config: Path | None = None) -> dict[str, str]:
    """The variables of a server; the state folder is absolute, because its kernels run in another folder."""
    return {**voila.environment(inherited_environment(), config=config), "RTLIB_HOME": str(settings.home)}


def _with_free_app_port(settings: Settings) -> Settings:
    """Keep the app's port unless another process has taken it since it was chosen."""
    ports.write(settings.home, {**settings.ports, "app": ports.for_app(settings)})
    return settings


def _wait_until_served(server: subprocess.Popen[bytes], url: str) -> None:
    retrying = Retrying(
        retry=retry_if_exception_type(requests.RequestException),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(START_SECONDS),
        reraise=True,
    )

    def request() -> None:
        if server.poll() is not None:
            raise ServiceError(f"Voilà did not start (exit code {server.returncode})", cure="rtlib doctor")
        requests.get(url, timeout=2, allow_redirects=False)

    try:
        retrying(request)
    except requests.RequestException as error:
        raise ServiceError(
            f"Voilà was started but has not answered for {START_SECONDS} s", cure="rtlib doctor, then rtlib app"
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
