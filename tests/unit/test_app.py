"""The commands that run the stack: their servers get the state folder and this environment's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rtlib.app import servers
from rtlib.config import load_settings
from rtlib.errors import ConfigError


class Started(Exception):
    """A server would have been started."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The command and options a server would have been started with; the state folder is named by a relative path."""
    arguments: dict[str, Any] = {}

    def start(command: list[str], **options: Any) -> None:
        arguments.update(options, command=command)
        raise Started

    monkeypatch.setattr(servers.subprocess, "Popen", start)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTLIB_HOME", "state")
    return arguments


@pytest.mark.parametrize(
    "serve", [servers.serve_lab, lambda settings, browser: servers.serve_app(settings, notify=print, browser=browser)]
)
def test_a_server_in_another_folder_uses_the_state_folder_of_the_terminal(
    started: dict[str, Any], tmp_path: Path, serve: Any
) -> None:
    with pytest.raises(Started):
        serve(load_settings(), browser=False)
    assert started["cwd"] != tmp_path
    assert started["env"]["RTLIB_HOME"] == str(tmp_path / "state")


def test_a_terminal_in_jupyterlab_finds_the_command(started: dict[str, Any]) -> None:
    with pytest.raises(Started):
        servers.serve_lab(load_settings(), browser=False)
    first, *others = started["env"]["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert others == os.environ["PATH"].split(os.pathsep)


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_the_usual_user_of_a_container_may_open_the_lessons(
    started: dict[str, Any], monkeypatch: pytest.MonkeyPatch, user: int, allowed: bool
) -> None:
    monkeypatch.setattr(servers.os, "geteuid", lambda: user)
    with pytest.raises(Started):
        servers.serve_lab(load_settings(), browser=False)
    assert ("--allow-root" in started["command"]) is allowed
    assert "--ServerApp.ip=127.0.0.1" in started["command"]


def test_the_app_s_token_is_in_a_private_file_and_not_on_the_command_line(
    started: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(Started):
        servers.serve_app(load_settings(), notify=print, browser=False)
    file = tmp_path / "state" / "run" / "app" / "voila.json"
    token = json.loads(file.read_text())["Voila"]["token"]
    assert len(token) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(token in text for text in [*started["command"], *started["env"].values()])


def test_when_cards_go_to_teams_there_is_no_local_page_of_cards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RTLIB_TEAMS_WEBHOOK_URL", "https://teams.example.com/x")
    with pytest.raises(ConfigError, match="cards go to Teams"):
        servers.open_cards(load_settings(home=tmp_path), notify=print, browser=False)


@pytest.mark.parametrize(
    ("verb", "imports"),
    [
        ("up", "rtlib.app.lifecycle, rtlib.services.status"),
        ("fault", "rtlib.app.lifecycle, rtlib.faults"),
        ("soak", "rtlib.app.lifecycle, rtlib.ledger, rtlib.faults.soak"),
        ("bench", "rtlib.app.bench_host, rtlib.bench.report"),
        ("demo", "rtlib.app.demo"),
    ],
)
def test_a_verb_that_shows_no_widget_loads_no_widget_library(verb: str, imports: str) -> None:
    program = (
        f"import sys, rtlib.cli, {imports}\n"
        "print(sorted({'ipywidgets', 'ipycytoscape', 'anywidget', 'plotly'} & sys.modules.keys()))"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", verb
