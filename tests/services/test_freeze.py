"""A frozen part resumes, even if the process that froze it dies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.services import freeze
from rtlib.services.freeze import resumed_at_end
from rtlib.wait import wait_until

FREEZER = """
import sys, time, psutil
from rtlib.services.freeze import resumed_at_end
target = psutil.Process(int(sys.argv[1]))
with resumed_at_end(target):
    target.suspend()
    print("stopped", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def target() -> Iterator[psutil.Process]:
    with subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)")) as child:
        yield psutil.Process(child.pid)
        child.kill()


@retry(retry=retry_if_result(lambda ok: not ok), wait=wait_fixed(0.05), stop=stop_after_delay(20))
def until_it_is(process: psutil.Process, *, stopped: bool) -> bool:
    return (process.status() == psutil.STATUS_STOPPED) is stopped


def test_a_suspended_process_resumes_at_the_end(target: psutil.Process) -> None:
    with resumed_at_end(target):
        target.suspend()
        assert until_it_is(target, stopped=True)
    assert until_it_is(target, stopped=False)


def test_freezing_a_part_freezes_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with subprocess.Popen((sys.executable, "-c", parent)) as started:
        part = psutil.Process(started.pid)
        try:
            tree = [part, *wait_until(part.children, seconds=20, interval=0.05)]
            monkeypatch.setattr(freeze, "process_of", lambda settings, name: part)
            with freeze.frozen(Settings(), "stream"):
                assert all(until_it_is(process, stopped=True) for process in tree)
            assert all(until_it_is(process, stopped=False) for process in tree)
        finally:  # otherwise a failure would wait until both end on their own
            for process in (*part.children(), part):
                process.kill()


def test_a_child_that_ends_meanwhile_does_not_prevent_the_freeze(
    monkeypatch: pytest.MonkeyPatch, target: psutil.Process, capfd: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as short:
        ended = psutil.Process(short.pid)
    monkeypatch.setattr(target, "children", lambda: [ended])
    monkeypatch.setattr(freeze, "process_of", lambda settings, name: target)
    with freeze.frozen(Settings(), "stream"):
        assert until_it_is(target, stopped=True)
    assert until_it_is(target, stopped=False)
    assert capfd.readouterr().err == ""


def test_a_part_that_has_just_ended_cannot_be_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen((sys.executable, "-c", "")) as short:
        ended = psutil.Process(short.pid)
    monkeypatch.setattr(freeze, "process_of", lambda settings, name: ended)
    with pytest.raises(ServiceError, match="stream has just ended"), freeze.frozen(Settings(), "stream"):
        pass


def test_a_suspended_process_resumes_even_if_the_freezing_process_is_killed(target: psutil.Process) -> None:
    command = (sys.executable, "-c", FREEZER, str(target.pid))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as freezer:
        assert freezer.stdout is not None
        assert freezer.stdout.readline() == "stopped\n"
        assert until_it_is(target, stopped=True)
        freezer.kill()
    assert until_it_is(target, stopped=False)
