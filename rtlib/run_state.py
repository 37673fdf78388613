"""Run state: whether the stack of a state folder runs, its options, its ports, and its secrets."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rtlib import private
from rtlib.errors import ConfigError

SOCKET_PATH_LIMIT = 100  # bytes; the limit is 107 on Linux, and the lock beside the socket needs a few
CONNECT_SECONDS = 2.0
# The local servers with a secret. Clients read it from the state folder, which only its owner can access.
SECRET_NAMES = ("kafka", "kafka_broker", "receiver", "registry", "warehouse")
LOCAL_USER = "rtlib"  # the user name for servers that require one with the secret
WAREHOUSE_USER = "learner"  # the user name in the warehouse, visible in sessions
BROKER_USER = "broker"  # the user of the local Kafka itself, which signs in to its controller


def socket_path(home: Path) -> Path:
    """The socket of this folder's supervisor: inside it, or in the temporary folder if the path would be too long."""
    inside = home / "run" / "supervisor.sock"
    if len(str(inside)) <= SOCKET_PATH_LIMIT:
        return inside
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rtlib-{name}.sock"


def is_running(home: Path) -> bool:
    """True while the supervisor of this state folder accepts connections; a file may be left from a crash.

    A socket of another user does not count: it could have been placed in the temporary folder first.
    """
    path = socket_path(home)
    try:
        if path.stat().st_uid != os.getuid():
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_SECONDS)
        return client.connect_ex(str(path)) == 0


def save_options(home: Path, options: Mapping[str, object]) -> None:
    """Save the options of the stack that is about to start, atomically; ``clear_run_state`` removes them."""
    private.write(home / "run.json", json.dumps(dict(options)))


def load_options(home: Path) -> dict[str, object]:
    """The options of this folder's stack, so that another terminal uses the same domain; empty without a stack.

    A torn file counts as empty; the next ``up`` replaces it.
    """
    return _object(home / "run.json")


def load_ports(home: Path) -> dict[str, int]:
    """The ports that ``up`` chose for each local server; empty if the stack was never started.

    Raises:
        ConfigError: ``ports.json`` is torn or has other content.
    """
    try:
        return {name: int(port) for name, port in json.loads((home / "ports.json").read_text()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{home / 'ports.json'} is not JSON with a port for each part ({error})",
            cure="rtlib down && rtlib up, which chooses new ports",
        ) from error


def make_secrets(home: Path) -> None:
    """Draw a new secret for each local server and save them (``secrets.json``, mode 0600)."""
    drawn = {name: secrets.token_urlsafe(32) for name in SECRET_NAMES}
    private.write(home / "secrets.json", json.dumps(drawn, indent=2))


def read_secret(home: Path, name: str) -> str | None:
    """The secret of a local server; None if the stack was never started or the file is torn."""
    return read_secrets(home).get(name)


def read_secrets(home: Path) -> dict[str, str]:
    """The secrets by server; empty if the stack was never started or the file is torn."""
    return {name: value for name, value in _object(home / "secrets.json").items() if isinstance(value, str)}


def _object(path: Path) -> dict[str, object]:
    """A file's JSON object; empty when the file is missing or torn."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def clear_run_state(home: Path) -> None:
    """Remove the files of a running stack: its socket and its options."""
    for file in (socket_path(home), home / "run.json"):
        file.unlink(missing_ok=True)
