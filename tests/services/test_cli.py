"""The command line: its help, its two output streams, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from rtlib import cli
from rtlib.cli.common import VERB_ORDER
from rtlib.services.status import PartStatus, StackStatus
from support.stack import call_rtlib, run_rtlib

SENTENCE = re.compile(r"^[A-Z][^\n]{15,}\.(\s|$)")
GROUP: Any = typer.main.get_command(cli.app)
VERBS = sorted(GROUP.commands)
STATUS = StackStatus(
    running=True,
    domain="iot",
    parts=(
        PartStatus("broker", "RUNNING", True, "answers for 5 topics", 41, 75.4, 380.2),
        PartStatus("loader", "BACKOFF", False, "loader was last seen 30 s ago", 0, 0.0, 0.0),
    ),
    resident_mb=1536.0,
    ports={"kafka": 19092},
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder that does not exist yet; no other setting is given."""
    import os

    for name in [name for name in os.environ if name.startswith("RTLIB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("group", ["", *(name for name in VERBS if hasattr(GROUP.commands[name], "commands"))])
def test_the_list_of_verbs_has_whole_sentences_at_80_columns(group: str) -> None:
    shown = CliRunner().invoke(cli.app, [*group.split(), "--help"], env={"COLUMNS": "80"}).output
    verbs = shown.partition("Commands:\n")[2].splitlines()
    assert verbs and [line for line in verbs if not line.endswith(".") or line.endswith("...")] == []


def test_the_list_of_verbs_begins_with_the_first_steps_and_leaves_none_out() -> None:
    names = GROUP.list_commands(None)
    assert names[:2] == ["demo", "app"]
    assert set(names) == set(GROUP.commands) == {*VERB_ORDER, "run"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_begins_with_a_sentence(verb: str) -> None:
    shown = CliRunner().invoke(cli.app, [verb, "--help"])
    assert shown.exit_code == 0
    assert SENTENCE.match(GROUP.commands[verb].help)
    assert GROUP.commands[verb].help.split("\n")[0] in " ".join(shown.output.split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb: str) -> None:
    unexplained = [option.name for option in GROUP.commands[verb].params if not getattr(option, "help", None)]
    assert unexplained == []


def test_without_a_verb_the_command_lists_all_verbs(home: Path) -> None:
    done = run_rtlib(home)
    shown = done.stdout + done.stderr
    assert all(f"\n  {verb} " in shown for verb in VERBS if not GROUP.commands[verb].hidden)
    assert "\x1b" not in shown


def test_the_status_of_a_stack_that_does_not_run_is_one_json_object_and_exit_code_1(home: Path) -> None:
    done = run_rtlib(home, "status", "--json")
    assert done.returncode == 1
    status = json.loads(done.stdout)
    assert (status["running"], status["healthy"], status["parts"], status["resident_mb"]) == (False, False, [], 0)
    assert done.stderr == ""
    assert not home.exists()


def test_the_status_of_a_stack_that_does_not_run_says_how_to_start_it(home: Path) -> None:
    done = call_rtlib(home, "status")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "the stack is not running; start it with: rtlib up\n"


def test_down_without_a_stack_is_harmless(home: Path) -> None:
    done = run_rtlib(home, "down")
    assert (done.returncode, done.stdout) == (0, "nothing was running\n")
    assert json.loads(call_rtlib(home, "down", "--json").stdout) == {"stopped": False}


@pytest.mark.parametrize(
    ("words", "code", "message"),
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
    home: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    done = call_rtlib(home, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_the_logs_of_a_part_are_its_last_lines(home: Path) -> None:
    folder = home / "logs"
    folder.mkdir(parents=True)
    (folder / "loader.log").write_text("one\ntwo\nthree\n")
    assert CliRunner().invoke(cli.app, ["logs", "loader", "-n", "2"]).output == "two\nthree\n"
    output = CliRunner().invoke(cli.app, ["logs", "loader", "-n", "1", "--json"]).output
    assert json.loads(output) == {"part": "loader", "lines": ["three"]}


def test_the_table_shows_unhealthy_parts_and_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    cli.stack._print_table(STATUS)
    shown = capsys.readouterr().out
    broker, loader = (
        next(line for line in shown.splitlines() if line.startswith(name)) for name in ("broker", "loader")
    )
    assert "ok" in broker and "380 MB" in broker
    assert "UNHEALTHY" in loader and "backoff" in loader
    assert "resident memory of the whole stack: 1.50 GB" in shown
    assert "\x1b" not in shown


def test_the_json_of_the_status_has_the_detail_of_each_part_under_its_key() -> None:
    fields = STATUS.to_json()
    assert [part["said"] for part in fields["parts"]] == ["answers for 5 topics", "loader was last seen 30 s ago"]
    assert fields["healthy"] is False
    assert "detail" not in fields["parts"][0]


def test_reset_empties_the_folder_but_keeps_the_downloads_and_the_progress(home: Path) -> None:
    (home / "jars").mkdir(parents=True)
    (home / "course.json").write_text("{}")
    (home / "jars" / "a.jar").write_text("bytes")
    (home / "checkpoints" / "iot").mkdir(parents=True)
    (home / "run.json").write_text("{}")
    assert CliRunner().invoke(cli.app, ["reset", "--yes"]).exit_code == 0
    assert sorted(path.name for path in home.iterdir()) == ["course.json", "jars"]
    assert CliRunner().invoke(cli.app, ["reset", "--yes", "--downloads", "--progress"]).exit_code == 0
    assert list(home.iterdir()) == []
