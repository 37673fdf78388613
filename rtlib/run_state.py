"""Running: what a state folder tells of its stack: whether it runs, and what it was started with."""

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

SOCKET_PATH_LIMIT = 100  # a unix socket's path may have 107 bytes; a little is kept for the lock beside it
KNOCK_SECONDS = 2.0
# Each local server that asks for a secret: clients find it in the state folder, which is the owner's alone.
SECRET_NAMES = ("kafka", "kafka_broker", "receiver", "registry", "warehouse")
LOCAL_USER = "rtlib"  # the user whose password a secret is, where a server asks for a name too
WAREHOUSE_USER = "learner"  # that of the warehouse, as people see it in a session
BROKER_USER = "broker"  # the local Kafka itself, which signs in to its own controller


def socket_path(home: Path) -> Path:
    """Where the supervisor of this state folder listens: inside it, or in the temporary folder if it is deep."""
    inside = home / "run" / "supervisor.sock"
    if len(str(inside)) <= SOCKET_PATH_LIMIT:
        return inside
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rtlib-{name}.sock"


def is_running(home: Path) -> bool:
    """True while the supervisor of this state folder listens; files alone may be left over from a crash.

    A socket of another user, who may have made one in the temporary folder first, is not ours.
    """
    path = socket_path(home)
    try:
        if path.stat().st_uid != os.getuid():
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(KNOCK_SECONDS)
        return knock.connect_ex(str(path)) == 0


def save_options(home: Path, options: Mapping[str, object]) -> None:
    """Write down what the stack is started with, until ``forget``. Who reads it meanwhile finds what was or what is."""
    private.write(home / "run.json", json.dumps(dict(options)))


def load_options(home: Path) -> dict[str, object]:
    """What the stack of this folder was started with, so that a second terminal asks about the same domain.

    A file that is torn says nothing; the next ``up`` writes it again.
    """
    return _object(home / "run.json")


def make_secrets(home: Path) -> None:
    """Draw a new secret for each local server of the stack that is about to start (``secrets.json``, mode 0600)."""
    drawn = {name: secrets.token_urlsafe(32) for name in SECRET_NAMES}
    private.write(home / "secrets.json", json.dumps(drawn, indent=2))


def read_secret(home: Path, name: str) -> str | None:
    """The secret of a local server; None when the stack has never been started, or its file is torn."""
    return read_secrets(home).get(name)


def read_secrets(home: Path) -> dict[str, str]:
    """The secrets by the names of their servers; none when the stack has never been started, or their file is torn."""
    return {name: value for name, value in _object(home / "secrets.json").items() if isinstance(value, str)}


def _object(path: Path) -> dict[str, object]:
    """A file's JSON object; empty when the file is missing or torn."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def clear_run_state(home: Path) -> None:
    """Remove what only a running stack needs."""
    for leftover in (socket_path(home), home / "run.json"):
        leftover.unlink(missing_ok=True)
