"""Ports: the usual ones where they are free, else others; saved in `ports.json` for every part."""

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

# Below the ephemeral ports: an outgoing connection could take a server's port while the server restarts.
ALTERNATIVES = range(20_000, 30_000)


@contextmanager
def port_lock() -> Iterator[None]:
    """One stack at a time from choosing ports to the supervisor's start; otherwise two would choose the same ports."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    with FileLock(Path(tempfile.gettempdir()) / f"rtlib-ports-{user}.lock"):
        yield


def choose(settings: Settings) -> dict[str, int]:
    """Choose a port for each local server and save them in ``ports.json``.

    A port fixed by a setting is used or refused, never replaced. The previous ports are kept while they are free, so
    that bookmarks and notebooks keep working.

    Raises:
        EnvironmentProblem: A port fixed by a setting is busy; the message names the process that uses it.
    """
    _delete_if_torn(settings)
    chosen = dict(settings.pinned_ports)  # first, so that no other server gets one of them
    others = _of_other_stacks(settings.home)
    for name, port in chosen.items():
        _refuse_if_busy(name, port)
    for name in [name for name in USUAL_PORTS if name not in chosen]:
        chosen[name] = _first_free(settings.ports[name], taken=others | set(chosen.values()))
    write(settings.home, chosen)
    return chosen


def _delete_if_torn(settings: Settings) -> None:
    try:
        _ = settings.ports
    except ConfigError:
        (settings.home / "ports.json").unlink()


def for_app(settings: Settings) -> int:
    """The app's port: the previous one if it is free, else another.

    Raises:
        EnvironmentProblem: The port fixed by a setting is busy.
    """
    pinned = settings.pinned_ports.get("app")
    if pinned is not None:
        _refuse_if_busy("app", pinned)
    own = {port for name, port in settings.ports.items() if name != "app"}  # even if the part is just restarting
    return pinned or _first_free(settings.ports["app"], taken=own | _of_other_stacks(settings.home))


def _refuse_if_busy(name: str, port: int) -> None:
    if not is_free(port):
        raise EnvironmentProblem(
            f"port {port} for {name} is busy ({holder(port)})",
            cure=f"end that process, or unset RTLIB_{name.upper()}_PORT to have a free port chosen",
        )


def write(home: Path, ports: dict[str, int]) -> None:
    """Save the chosen ports atomically, so that a reader never sees half a file."""
    private.make_folder(home)
    private.write(home / "ports.json", json.dumps(ports, indent=2))


def is_free(port: int) -> bool:
    """True when a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """A description of the process that listens on a port: its name and id where the system reveals them."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                name = psutil.Process(connection.pid).name() if connection.pid else "a process of another user"
                return f"{name}, process {connection.pid}" if connection.pid else name
    except psutil.Error:
        pass
    return "by a process that this user may not see"


def _of_other_stacks(home: Path) -> set[int]:
    """The ports of other running stacks, including those of a part that is just restarting."""
    used: set[int] = set()
    for other in processes.running_homes() - {home, home.resolve()}:
        with suppress(OSError, ValueError, AttributeError):  # that stack may be shutting down
            used.update(json.loads((other / "ports.json").read_text()).values())
    return used


def _first_free(preferred: int, *, taken: set[int]) -> int:
    candidates = (preferred, *random.sample(ALTERNATIVES, 200))
    port = next((port for port in candidates if port not in taken and is_free(port)), None)
    if port is None:
        raise EnvironmentProblem(
            f"none of {len(candidates)} ports is free", cure="end the program that uses all these ports, then try again"
        )
    return port
