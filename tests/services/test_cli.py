"""The command line: it teaches, it separates results from talk, and its exit codes mean something."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from rtlib import cli
from rtlib.services.status import PartStatus, StackStatus
from support.stack import run_rtlib

SENTENCE = re.compile(r"^[A-Z][^\n]{15,}\.(\s|$)")
GROUP: Any = typer.main.get_command(cli.app)
VERBS = sorted(GROUP.commands)
STATUS = StackStatus(
    running=True,
    domain="iot",
    parts=(
        PartStatus("broker", "RUNNING", True, "answers for 5 topics", 41, 75.4, 380.2),
        PartStatus("loader", "BACKOFF", False, "the loader was last seen 30 s ago", 0, 0.0, 0.0),
    ),
    resident_mb=1536.0,
    ports={"kafka": 19092},
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder that does not exist yet, and no other setting."""
    import os

    for name in [name for name in os.environ if name.startswith("RTLIB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_teaches(verb: str) -> None:
    shown = CliRunner().invoke(cli.app, [verb, "--help"])
    assert shown.exit_code == 0
    assert SENTENCE.match(GROUP.commands[verb].help)
    assert GROUP.commands[verb].help.split("\n")[0] in " ".join(shown.output.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb: str) -> None:
    unexplained = [one.name for one in GROUP.commands[verb].params if not getattr(one, "help", None)]
    assert unexplained == []


def test_without_a_verb_the_command_lists_those_there_are(home: Path) -> None:
    done = run_rtlib(home)
    shown = done.stdout + done.stderr
    assert all(f"\n  {verb} " in shown for verb in VERBS if not GROUP.commands[verb].hidden)
    assert "\x1b" not in shown


def test_the_status_of_a_stack_that_does_not_run_is_one_json_object_and_exit_code_1(home: Path) -> None:
    done = run_rtlib(home, "status", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["running"], told["healthy"], told["parts"], told["resident_mb"]) == (False, False, [], 0)
    assert done.stderr == ""
    assert not home.exists()


def test_the_status_of_a_stack_that_does_not_run_says_how_to_start_it(home: Path) -> None:
    done = run_rtlib(home, "status")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "the stack is not running; start it with: rtlib up\n"


def test_down_without_a_stack_is_harmless(home: Path) -> None:
    done = run_rtlib(home, "down")
    assert (done.returncode, done.stdout) == (0, "nothing was running\n")
    assert json.loads(run_rtlib(home, "down", "--json").stdout) == {"stopped": False}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("restart", "broker"), 5, "Cure: rtlib up"),
        (("restart", "engine"), 2, "Cure: use one of: broker"),
        (("logs", "engine"), 2, "there is no part 'engine'"),
        (("up", "--seed", "-4"), 2, "RTLIB_SEED"),
        (("rebuild", "warehouse"), 2, "Cure: rtlib rebuild warehouse --yes"),
        (("frobnicate",), 2, "No such command 'frobnicate'"),
        (("up", "--domian", "iot"), 2, "No such option"),
    ],
)
def test_an_error_goes_to_standard_error_with_its_exit_code(
    home: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = run_rtlib(home, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_the_logs_of_a_part_are_its_last_lines(home: Path) -> None:
    folder = home / "logs"
    folder.mkdir(parents=True)
    (folder / "loader.log").write_text("one\ntwo\nthree\n")
    assert CliRunner().invoke(cli.app, ["logs", "loader", "-n", "2"]).output == "two\nthree\n"
    told = CliRunner().invoke(cli.app, ["logs", "loader", "-n", "1", "--json"]).output
    assert json.loads(told) == {"part": "loader", "lines": ["three"]}


def test_the_table_names_what_is_not_well_and_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    cli.stack._print_table(STATUS)
    shown = capsys.readouterr().out
    broker, loader = (next(line for line in shown.splitlines() if line.startswith(one)) for one in ("broker", "loader"))
    assert "ok" in broker and "380 MB" in broker
    assert "NOT WELL" in loader and "backoff" in loader
    assert "resident memory of the whole stack: 1.50 GB" in shown
    assert "\x1b" not in shown


def test_reset_empties_the_folder_but_keeps_the_downloads(home: Path) -> None:
    (home / "jars").mkdir(parents=True)
    (home / "jars" / "a.jar").write_text("bytes")
    (home / "checkpoints" / "iot").mkdir(parents=True)
    (home / "run.json").write_text("{}")
    assert CliRunner().invoke(cli.app, ["reset", "--yes"]).exit_code == 0
    assert [one.name for one in home.iterdir()] == ["jars"]
    assert CliRunner().invoke(cli.app, ["reset", "--yes", "--downloads"]).exit_code == 0
    assert list(home.iterdir()) == []
