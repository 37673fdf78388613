"""Ports: the usual ones where they are free, others where they are not, written where every part can read them."""

from __future__ import annotations

import json
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from rtlib import private
from rtlib.config import USUAL_PORTS, Settings
from rtlib.errors import ConfigError, EnvironmentProblem
from rtlib.services import processes

# Below the ports that systems give to outgoing connections: one of those could take a server's port while it restarts.
OTHERS = range(20_000, 30_000)


@contextmanager
def port_lock() -> Iterator[None]:
    """From choosing ports to the supervisor's start, one stack at a time: two would choose the same ones."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    with FileLock(Path(tempfile.gettempdir()) / f"rtlib-ports-{user}.lock"):
        yield


def choose(settings: Settings) -> dict[str, int]:
    """Choose a port for each local server and write them to ``ports.json``.

    A port that a setting asks for is taken or refused, never replaced. The ports of the last time are kept when
    they are free, so that bookmarks and notebooks go on working.

    Raises:
        EnvironmentProblem: A port that a setting asks for is busy; the message names the process that has it.
    """
    _forget_if_torn(settings)
    chosen = dict(settings.pinned_ports)  # first of all, so that nobody else is given one of them
    others = _of_other_stacks(settings.home)
    for name, port in chosen.items():
        _refuse_if_busy(name, port)
    for name in [name for name in USUAL_PORTS if name not in chosen]:
        chosen[name] = _first_free(settings.ports[name], taken=others | set(chosen.values()))
    write(settings.home, chosen)
    return chosen


def _forget_if_torn(settings: Settings) -> None:
    try:
        _ = settings.ports
    except ConfigError:
        (settings.home / "ports.json").unlink()


def for_app(settings: Settings) -> int:
    """The app's port: the one chosen before where it is still free, else another.

    Raises:
        EnvironmentProblem: A setting asks for a port that is busy.
    """
    pinned = settings.pinned_ports.get("app")
    if pinned is not None:
        _refuse_if_busy("app", pinned)
    own = {port for name, port in settings.ports.items() if name != "app"}  # a part may be starting again just now
    return pinned or _first_free(settings.ports["app"], taken=own | _of_other_stacks(settings.home))


def _refuse_if_busy(name: str, port: int) -> None:
    if not is_free(port):
        raise EnvironmentProblem(
            f"port {port} for {name} is busy ({holder(port)})",
            cure=f"end that process, or unset RTLIB_{name.upper()}_PORT to have a free port chosen",
        )


def write(home: Path, ports: dict[str, int]) -> None:
    """Write the chosen ports in one step, so that a reader never sees half a file."""
    private.make_folder(home)
    private.write(home / "ports.json", json.dumps(ports, indent=2))


def is_free(port: int) -> bool:
    """True when a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Which process listens on a port, in words: its name and id where the system tells."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                name = psutil.Process(connection.pid).name() if connection.pid else "a process of another user"
                return f"{name}, process {connection.pid}" if connection.pid else name
    except psutil.Error:
        pass
    return "by a process this user may not see"


def _of_other_stacks(home: Path) -> set[int]:
    """The ports of the stacks that run for other state folders, also of a part that is being restarted just now."""
    found: set[int] = set()
    for other in processes.running_homes() - {home, home.resolve()}:
        with suppress(OSError, ValueError, AttributeError):  # it may be ending just now
            found.update(json.loads((other / "ports.json").read_text()).values())
    return found


def _first_free(wanted: int, *, taken: set[int]) -> int:
    candidates = (wanted, *random.sample(OTHERS, 200))
    found = next((port for port in candidates if port not in taken and is_free(port)), None)
    if found is None:
        raise EnvironmentProblem("no free port was found", cure="end what listens on so many ports, then try again")
    return found
