"""Fixtures: a browser, and the app served by Voilà over a source that plays a script."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
import requests
from app_page import AppPage, launched, open_app
from playwright.sync_api import Browser
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from rtlib.services.browser import find_browser
from rtlib.widgets import page

HERE = Path(__file__).parent
CELL = """\
import sys; sys.path.insert(0, {here!r})
from pathlib import Path
from fake_pages import FakePages
from fake_source import FakeSource
from types import SimpleNamespace
from rtlib.config import load_settings, requested_part
from rtlib.pipeline.transforming import models
from rtlib.explain.template import explain
from rtlib.widgets import dashboard
source = FakeSource(Path({script!r}))
def told(node, graph):
    return explain(node, graph=graph, domain="Curb-side pick-up")
dashboard(source, explain=told, hurt=lambda name, tell: f"{{name}} was done, and it came back after 7.5 s.",
    models=lambda: models(load_settings()), pages=FakePages(), selected=requested_part(),
    ask=lambda one: SimpleNamespace(text=f"You asked about {{one.about}}.", source="facts", why="", dollars=0.0))
"""


@dataclass
class Served:
    """A served app whose source plays what ``script`` says."""

    url: str
    script: Path
    process: subprocess.Popen[bytes]

    def play(self, **troubles: object) -> None:
        """From now on these troubles, and no others."""
        fresh = self.script.with_suffix(".new")
        fresh.write_text(json.dumps(troubles))
        fresh.replace(self.script)

    def kernels(self) -> list[psutil.Process]:
        """The kernels that run for its visitors."""
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = find_browser()
    assert found is not None, "no browser: 'rtlib doctor --browser --install' finds or installs one"
    with launched(found) as browser:
        yield browser


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Serves a notebook with these cells (the dashboard over the fake source if none) by Voilà."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*cells: str, cull_seconds: int = 120) -> Served:
        folder = tmp_path_factory.mktemp("app")
        script = folder / "script.json"
        script.write_text("{}")
        notebook = write_notebook(folder, *(cells or (CELL.format(here=str(HERE), script=str(script)),)))
        port = free_port()
        command = page.command(notebook, port=port, cull_seconds=cull_seconds)
        with (folder / "voila.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, env=page.environment(environment(folder))
            )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        until_served(f"{url}/voila/static/", process)
        return Served(url, script, process)

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def served(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture(scope="module")
def _opened(served: Served, chromium: Browser) -> Iterator[AppPage]:
    with open_app(served.url, chromium) as app:
        yield app


@pytest.fixture
def app(_opened: AppPage, served: Served) -> Iterator[AppPage]:
    """The app, all well and nothing selected."""
    served.play()
    _opened.choose("The whole pipeline")
    _opened.read_panel("")
    _opened.wait_for_node("events", status="healthy", stale="no", focus="")
    yield _opened
    served.play()


def write_notebook(folder: Path, *cells: str) -> Path:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel, "title": "rtlib, the pipeline live"})
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, folder / "app.ipynb")
    return folder / "app.ipynb"


def environment(folder: Path) -> dict[str, str]:
    """The machine's environment without its Jupyter settings, and the rtlib that is being tested."""
    own = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    paths = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    return {**os.environ, **own, "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "PYTHONPATH": paths}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@retry(retry=retry_if_exception_type(requests.RequestException), wait=wait_fixed(0.2), stop=stop_after_delay(60))
def until_served(url: str, process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, f"the server ended with exit code {process.returncode}"
    requests.get(url, timeout=2)


def seconds_ago(seconds: float) -> float:
    """A moment for the fake source's ``since``."""
    return time.time() - seconds


def lab_command(folder: Path, port: int) -> list[str]:
    """JupyterLab on a folder, for the test alone."""
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"),
    ]
