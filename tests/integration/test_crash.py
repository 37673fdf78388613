"""The end of the shared stack, as a crash leaves it."""

from __future__ import annotations

import json
import os
import signal

import pytest

from rtlib.services import ports, supervisor
from support.stack import Stack, is_gone, running_for, until

pytestmark = [pytest.mark.integration, pytest.mark.stack_order("ends")]


def test_after_a_crash_of_the_terminal_down_still_ends_everything(stack: Stack) -> None:
    chosen = stack.settings.ports
    pid = supervisor.supervisor_pid(stack.settings)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(pid), seconds=10)
    assert {"broker", "registry", "warehouse", "stream", "loader"} <= set(running_for(stack.home))
    down = stack.rtlib("down")
    assert down.returncode == 0, down.stderr
    assert "ended leftover processes" in down.stderr
    assert running_for(stack.home) == []
    assert [name for name, port in chosen.items() if name != "app" and not ports.is_free(port)] == []
    again = stack.rtlib("down", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, {"stopped": False})
