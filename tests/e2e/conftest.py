"""Fixtures: a browser, and the app served by Voilà over a scripted source."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from rtlib.services import voila
from rtlib.services.browser import find_browser
from support.app_page import AppPage, launched, open_app
from support.served import CELL, TESTS, Served, environment, free_port, until_served, write_notebook


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = find_browser()
    assert executable is not None, "no browser: 'rtlib doctor --browser --install' finds or installs one"
    with launched(executable) as browser:
        yield browser


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Serves a notebook with these cells by Voilà; by default the dashboard over the fake source."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*cells: str, cull_seconds: int = 120) -> Served:
        folder = tmp_path_factory.mktemp("app")
        script = folder / "script.json"
        script.write_text("{}")
        notebook = write_notebook(folder, *(cells or (CELL.format(tests=str(TESTS), script=str(script)),)))
        port = free_port()
        command = voila.command(notebook, port=port, cull_seconds=cull_seconds)
        with (folder / "voila.log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, env=voila.environment(environment(folder))
            )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        until_served(f"{url}/voila/static/", process)
        return Served(url, script, process)

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def served(serve: Callable[..., Served]) -> Served:
    """The app over a scripted source; each page has a kernel of its own, and so its own alerts."""
    return serve()


@pytest.fixture(scope="module")
def _opened(served: Served, chromium: Browser) -> Iterator[AppPage]:
    with open_app(served.url, chromium) as app:
        yield app


@pytest.fixture
def app(_opened: AppPage, served: Served) -> Iterator[AppPage]:
    """The app with every part healthy and nothing selected."""
    served.play()
    _opened.choose("The whole pipeline")
    _opened.read_panel("")
    _opened.wait_for_node("events", status="healthy", stale="no", focus="")
    yield _opened
    served.play()
