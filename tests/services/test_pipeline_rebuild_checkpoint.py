"""A damaged checkpoint is put aside by one verb, of the query that is named and of no other."""

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
from support.stack import run_rtlib, running_supervisor, until

NAMES = ("archive", "kpis-real-time", "kpis-micro-batch")
WAITS = (sys.executable, "-c", "import signal; signal.pause()")


def checkpoints(home: Path) -> dict[str, Path]:
    made = {name: Path(checkpoint(Settings(home=home), name)) for name in NAMES}
    for folder in made.values():
        (folder / "offsets").mkdir(parents=True)
    return made


def test_the_checkpoints_of_both_triggers_are_put_aside_and_the_other_querys_stays(tmp_path: Path) -> None:
    made = checkpoints(tmp_path)
    done = run_rtlib(tmp_path, "rebuild", "checkpoint", "kpis")
    assert done.returncode == 0, done.stderr
    assert [made[name].exists() for name in NAMES] == [True, False, False]
    assert done.stdout.count(str(made["archive"].parent / "torn" / "kpis-")) == 2
    assert "kpis starts at the beginning of its topic" in done.stdout


def test_an_unknown_query_is_refused_and_nothing_moved(tmp_path: Path) -> None:
    made = checkpoints(tmp_path)
    with pytest.raises(ConfigError, match="kpis, archive"):
        rebuild_checkpoint(Settings(home=tmp_path), "loader")
    assert all(folder.exists() for folder in made.values())


def test_the_running_application_is_stopped_for_it_and_started_again() -> None:
    with running_supervisor(Program("stream", WAITS)) as settings:
        made = checkpoints(settings.home)
        until(lambda: supervisor.states(settings)["stream"].state == "RUNNING", seconds=30)
        before = supervisor.states(settings)["stream"].pid
        assert len(rebuild_checkpoint(settings, "archive")) == 1
        assert not made["archive"].exists()
        after = supervisor.states(settings)["stream"]
        assert after.state == "RUNNING"
        assert after.pid != before
