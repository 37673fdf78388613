"""A command moves the damaged checkpoint of a query away, and no other checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.rebuild.checkpoint import rebuild_checkpoint
from rtlib.services import supervisor
from rtlib.services.supervisor import Program
from rtlib.streaming.queries import checkpoint
from support.stack import call_rtlib, running_supervisor, until

NAMES = ("archive", "kpis-real-time", "kpis-micro-batch")
WAITS = (sys.executable, "-c", "import signal; signal.pause()")


def checkpoints(home: Path) -> dict[str, Path]:
    folders = {name: Path(checkpoint(Settings(home=home), name)) for name in NAMES}
    for folder in folders.values():
        (folder / "offsets").mkdir(parents=True)
    return folders


def test_the_checkpoints_of_both_triggers_are_moved_away_and_that_of_the_other_query_stays(tmp_path: Path) -> None:
    folders = checkpoints(tmp_path)
    result = call_rtlib(tmp_path, "rebuild", "checkpoint", "kpis")
    assert result.returncode == 0, result.stderr
    assert [folders[name].exists() for name in NAMES] == [True, False, False]
    assert result.stdout.count(str(folders["archive"].parent / "torn" / "kpis-")) == 2
    assert "kpis starts at the beginning of its topic" in result.stdout


def test_an_unknown_query_is_refused_and_nothing_is_moved(tmp_path: Path) -> None:
    folders = checkpoints(tmp_path)
    with pytest.raises(ConfigError, match="kpis, archive"):
        rebuild_checkpoint(Settings(home=tmp_path), "loader")
    assert all(folder.exists() for folder in folders.values())


def test_a_running_application_is_stopped_and_started_again() -> None:
    with running_supervisor(Program("stream", WAITS)) as settings:
        folders = checkpoints(settings.home)
        until(lambda: supervisor.states(settings)["stream"].state == "RUNNING", seconds=30)
        before = supervisor.states(settings)["stream"].pid
        assert len(rebuild_checkpoint(settings, "archive")) == 1
        assert not folders["archive"].exists()
        after = supervisor.states(settings)["stream"]
        assert after.state == "RUNNING"
        assert after.pid != before
