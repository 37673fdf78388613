"""A frozen part resumes, even if the process that froze it dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from tenacity import Retrying, retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.services import freeze
from rtlib.services.freeze import resumed_at_end

STOPPER = """
import sys, time, psutil
from rtlib.services.freeze import resumed_at_end
victim = psutil.Process(int(sys.argv[1]))
with resumed_at_end(victim):
    victim.suspend()
    print("stopped", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def victim() -> Iterator[psutil.Process]:
    with subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)")) as child:
        yield psutil.Process(child.pid)
        child.kill()


@retry(retry=retry_if_result(lambda ok: not ok), wait=wait_fixed(0.05), stop=stop_after_delay(20))
def until_it_is(process: psutil.Process, *, stopped: bool) -> bool:
    return (process.status() == psutil.STATUS_STOPPED) is stopped


def test_a_stopped_process_goes_on_when_the_fault_is_over(victim: psutil.Process) -> None:
    with resumed_at_end(victim):
        victim.suspend()
        assert until_it_is(victim, stopped=True)
    assert until_it_is(victim, stopped=False)


def test_a_part_that_stands_still_takes_its_children_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with subprocess.Popen((sys.executable, "-c", parent)) as started:
        part = psutil.Process(started.pid)
        try:
            until_there = Retrying(retry=retry_if_result(lambda found: not found), wait=wait_fixed(0.05))
            both = [part, *until_there.copy(stop=stop_after_delay(20))(part.children)]
            monkeypatch.setattr(freeze, "process_of", lambda settings, name: part)
            with freeze.frozen(Settings(), "stream"):
                assert all(until_it_is(one, stopped=True) for one in both)
            assert all(until_it_is(one, stopped=False) for one in both)
        finally:  # or a failure would wait until both end by themselves
            for one in (*part.children(), part):
                one.kill()


def test_a_child_that_ends_meanwhile_keeps_no_part_from_standing_still(
    monkeypatch: pytest.MonkeyPatch, victim: psutil.Process, capfd: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as short:
        ended = psutil.Process(short.pid)
    monkeypatch.setattr(victim, "children", lambda: [ended])
    monkeypatch.setattr(freeze, "process_of", lambda settings, name: victim)
    with freeze.frozen(Settings(), "stream"):
        assert until_it_is(victim, stopped=True)
    assert until_it_is(victim, stopped=False)
    assert capfd.readouterr().err == ""


def test_a_part_that_has_just_ended_does_not_pass_for_one_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as short:
        ended = psutil.Process(short.pid)
    monkeypatch.setattr(freeze, "process_of", lambda settings, name: ended)
    with pytest.raises(ServiceError, match="stream has just ended"), freeze.frozen(Settings(), "stream"):
        pass


def test_a_stopped_process_goes_on_though_the_one_that_stopped_it_is_killed(victim: psutil.Process) -> None:
    command = (sys.executable, "-c", STOPPER, str(victim.pid))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stopper:
        assert stopper.stdout is not None
        assert stopper.stdout.readline() == "stopped\n"
        assert until_it_is(victim, stopped=True)
        stopper.kill()
    assert until_it_is(victim, stopped=False)
