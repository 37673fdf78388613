"""Restarts: a part that keeps ending is reported, and no command waits long for a suspended supervisor."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import CheckpointTorn, SupervisorSilent
from rtlib.pipeline.monitoring.monitor import Monitor
from rtlib.records import Observation, Status
from rtlib.services import health_wait, restarts, stack, supervisor
from rtlib.services.status import status
from rtlib.services.supervisor import Program
from support.stack import call_rtlib, run_rtlib, running_for, running_supervisor, until

NOW = datetime(2026, 1, 5, 12, 0, 0).timestamp()
WAITS = Program("simulator", (sys.executable, "-c", "import signal; signal.pause()"))
LOOPS = "import time; time.sleep({}); print('rtlib: RTLIB_RATE: no such rate', flush=True); print('  Cure: none')"
LOOPING = Program("simulator", (sys.executable, "-c", LOOPS.format(1.2)))


def log_of(home: Path, *lines: str) -> Settings:
    """A state folder with these lines in the supervisor's log."""
    (home / "logs").mkdir()
    (home / "logs" / "supervisor.log").write_text("".join(f"2026-01-05 {line}\n" for line in lines))
    (home / "logs" / "stream.log").write_text("INFO begins\nrtlib: Spark did not start\n  Cure: rtlib doctor\n")
    return Settings(home=home)


def ended(at: str, part: str = "stream") -> str:
    return f"{at},123 WARN exited: {part} (exit status 8; not expected)"


def test_a_part_that_ended_three_times_in_two_minutes_is_reported_with_its_last_error(tmp_path: Path) -> None:
    settings = log_of(tmp_path, ended("11:58:30"), ended("11:59:00"), ended("11:59:30"), ended("11:59:40", "loader"))
    loops = {"stream": "restarted 3 times in the last 2 minutes: rtlib: Spark did not start"}
    assert restarts.loops(settings, now=NOW) == loops


def test_a_part_that_a_fault_ended_is_reported_for_two_minutes_only(tmp_path: Path) -> None:
    settings = log_of(tmp_path, ended("11:50:00"), ended("11:50:20"), ended("11:50:40"), ended("11:59:30"))
    assert restarts.restarts(settings, now=NOW) == {"stream": 1}
    assert restarts.loops(settings, now=NOW) == {}


@pytest.mark.parametrize(
    "stop",
    ["11:59:50,000 INFO stopped: stream (terminated by SIGTERM)", "11:59:50,000 INFO supervisord started with pid 7"],
)
def test_ends_before_a_stop_of_the_part_or_the_stack_do_not_count(tmp_path: Path, stop: str) -> None:
    settings = log_of(tmp_path, ended("11:59:00"), ended("11:59:10"), ended("11:59:20"), stop, ended("11:59:55"))
    assert restarts.restarts(settings, now=NOW) == {"stream": 1}


def test_a_part_that_keeps_ending_is_unhealthy_whatever_its_last_heartbeat() -> None:
    with running_supervisor(LOOPING) as settings:
        until(lambda: restarts.loops(settings), seconds=60)
        stack_status = status(settings, checks={"simulator": lambda settings: "1,000 records sent"})
        part = stack_status.parts[0]
        assert not part.healthy
        assert part.detail.startswith("restarted ")
        assert part.detail.endswith("times in the last 2 minutes: rtlib: RTLIB_RATE: no such rate")


def test_the_node_of_a_part_that_loops_is_stopped_with_the_reason() -> None:
    seen = Observation(Status.HEALTHY, "it runs", datetime.now().astimezone())
    monitor = Monitor(Settings(), {}, restart_loops=lambda: {"kpis": "restarted 3 times"})
    monitor._observations = {"kpis": seen, "loader": seen}
    observations = monitor.observations()
    assert (observations["kpis"].status, observations["kpis"].reason) == (Status.STOPPED, "restarted 3 times")
    assert observations["loader"] == seen


def test_a_damaged_checkpoint_ends_the_wait() -> None:
    def torn(settings: Settings) -> str:
        raise CheckpointTorn("the checkpoint is damaged", cure="rtlib rebuild checkpoint kpis")

    with running_supervisor(WAITS) as settings, pytest.raises(CheckpointTorn, match="rtlib rebuild checkpoint kpis"):
        health_wait.wait_healthy(settings, "simulator", torn, until=time.monotonic() + 3600, notify=lambda line: None)


@contextmanager
def suspended() -> Iterator[Settings]:
    """A stack with a suspended supervisor."""
    with running_supervisor(WAITS) as settings:
        pid = supervisor.supervisor_pid(settings)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield settings
        finally:
            if pid in {process.pid for process in stack.processes.psutil.process_iter()}:
                os.kill(pid, signal.SIGCONT)


def test_every_verb_reports_a_suspended_supervisor_within_seconds() -> None:
    with suspended() as settings, ThreadPoolExecutor() as at_once:
        verbs = (("status",), ("up",), ("stop", "simulator"))
        # The timeout ends the test if a call never returns.
        answers = [at_once.submit(run_rtlib, settings.home, *verb, timeout=60) for verb in verbs]
        for verb, answer in zip(verbs, answers, strict=True):
            done = answer.result()
            assert done.returncode == (1 if verb == ("status",) else SupervisorSilent.exit_code), verb
            assert "the supervisor has not answered for 4 s" in done.stderr, verb
            assert "Cure: rtlib down" in done.stderr
        with pytest.raises(SupervisorSilent):
            supervisor.shut_down(settings)


def test_a_suspended_stack_can_be_stopped() -> None:
    with suspended() as settings:
        done = call_rtlib(settings.home, "down")
        assert done.returncode == 0, done.stderr
        assert "ending its processes by their ids" in done.stderr
        assert running_for(settings.home) == []
