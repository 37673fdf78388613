"""What the app's and the lessons' servers are given: the state folder, and the commands of this environment."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from rtlib import demo
from rtlib.config import load_settings
from rtlib.errors import ConfigError


class Started(Exception):
    """A server would have been started."""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """How the server would have been started, with a state folder that is named from where the terminal is."""
    told: dict[str, Any] = {}

    def start(command: list[str], **options: Any) -> None:
        told.update(options, command=command)
        raise Started

    monkeypatch.setattr(demo.subprocess, "Popen", start)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTLIB_HOME", "state")
    return told


@pytest.mark.parametrize(
    "serve", [demo.serve_lab, lambda settings, browser: demo.serve_app(settings, tell=print, browser=browser)]
)
def test_a_server_that_works_elsewhere_has_the_state_folder_of_the_terminal(
    given: dict[str, Any], tmp_path: Path, serve: Any
) -> None:
    with pytest.raises(Started):
        serve(load_settings(), browser=False)
    assert given["cwd"] != tmp_path
    assert given["env"]["RTLIB_HOME"] == str(tmp_path / "state")


def test_a_terminal_in_jupyterlab_finds_the_command(given: dict[str, Any]) -> None:
    with pytest.raises(Started):
        demo.serve_lab(load_settings(), browser=False)
    first, *others = given["env"]["PATH"].split(os.pathsep)
    assert first == str(Path(sys.executable).parent)
    assert others == os.environ["PATH"].split(os.pathsep)


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_who_is_everybody_in_a_container_may_open_the_lessons(
    given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, user: int, allowed: bool
) -> None:
    monkeypatch.setattr(demo.os, "geteuid", lambda: user)
    with pytest.raises(Started):
        demo.serve_lab(load_settings(), browser=False)
    assert ("--allow-root" in given["command"]) is allowed
    assert "--ServerApp.ip=127.0.0.1" in given["command"]


def test_the_app_s_token_is_in_a_file_of_its_owner_s_and_not_in_the_command(
    given: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(Started):
        demo.serve_app(load_settings(), tell=print, browser=False)
    file = tmp_path / "state" / "run" / "app" / "voila.json"
    token = json.loads(file.read_text())["Voila"]["token"]
    assert len(token) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(token in one for one in [*given["command"], *given["env"].values()])


def test_where_cards_go_to_teams_there_is_no_page_of_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTLIB_TEAMS_WEBHOOK_URL", "https://teams.example.com/x")
    with pytest.raises(ConfigError, match="cards go to Teams"):
        demo.open_cards(load_settings(home=tmp_path), tell=print, browser=False)
