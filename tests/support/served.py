"""A notebook served by Voilà or JupyterLab, for tests with a browser."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from support.project import ROOT

TESTS = Path(__file__).resolve().parents[1]
CELL = """\
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
from support.fake_pages import FakePages
from support.ledgers import good_ledger
from support.fake_source import FakeSource
from types import SimpleNamespace
from rtlib.config import load_settings, requested_part
from rtlib.pipeline.dbt import models
from rtlib.explain.template import explain
from rtlib.widgets import dashboard
source = FakeSource(Path({script!r}))
def explanation(node, graph):
    return explain(node, graph=graph, domain="Curb-side pick-up")
def answer(question):
    return SimpleNamespace(text=f"You asked about {{question.about}}.", source="facts", why="", dollars=0.0)
dashboard(source, explain=explanation, ask=answer, models=lambda: models(load_settings()),
    pages=FakePages(Path({script!r})), take_ledger=lambda notify: good_ledger(),
    inject_fault=lambda name, notify: f"{{name}} was done, and it came back after 7.5 s.", selected=requested_part())
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


def write_notebook(folder: Path, *cells: str) -> Path:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel, "title": "rtlib, the pipeline live"})
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, folder / "app.ipynb")
    return folder / "app.ipynb"


def environment(folder: Path) -> dict[str, str]:
    """The machine's environment without its Jupyter settings, and the rtlib that is being tested."""
    own = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
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
