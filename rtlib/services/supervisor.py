"""Supervisor: starts the parts, restarts what dies, keeps their logs; driven over its unix socket."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import ServiceError, SupervisorSilent
from rtlib.run_state import is_running, socket_path
from rtlib.services.parts import Part

# How long the supervisor may take to answer. It answers at once unless it is stopped itself; starting or stopping a
# part is answered when that is done.
ANSWER_SECONDS, ACTION_SECONDS = 4.0, 60.0


@dataclass(frozen=True, slots=True)
class PartState:
    """What the supervisor knows of a part: its state (RUNNING, STARTING, BACKOFF, STOPPED …), id and start."""

    name: str
    state: str
    pid: int
    started_at: float
    said: str


def write_config(settings: Settings, parts: Sequence[Part], *, environment: Mapping[str, str]) -> Path:
    """Write the supervisor's configuration for these parts and return its path.

    Args:
        settings: The state folder.
        parts: What to run.
        environment: Variables given to every part besides the inherited ones; no secrets, an environment can be listed.
    """
    run = private.make_folder(settings.home / "run")
    logs = private.make_folder(settings.home / "logs")
    text = _HEAD.format(socket=_quoted(socket_path(settings.home)), run=_quoted(run), logs=_quoted(logs))
    for part in parts:
        variables = {**environment, "RTLIB_PART": part.name, "RTLIB_HOME": str(settings.home)}
        text += _PROGRAM.format(
            name=part.name,
            command=_quoted(shlex.join(part.command)),
            environment=_quoted(",".join(f'{key}="{value}"' for key, value in sorted(variables.items()))),
            autostart=str(part.autostart).lower(),
            stop=part.stop_seconds,
            log=_quoted(logs / f"{part.name}.log"),
        )
    for layer in sorted({part.layer for part in parts}):
        names = ",".join(part.name for part in parts if part.layer == layer)
        text += f"\n[group:layer-{layer}]\nprograms={names}\npriority={layer}\n"
    config = run / "supervisord.conf"
    private.write(config, text)
    return config


def start(settings: Settings) -> None:
    """Start the supervisor in the background, with the configuration written before.

    Raises:
        ServiceError: It did not start; with its own last words.
    """
    config = settings.home / "run" / "supervisord.conf"
    command = (sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(config))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, umask=0o077)
    if done.returncode != 0:
        raise ServiceError(
            f"the supervisor did not start: {done.stderr.strip()[-400:]}", cure="rtlib down, then rtlib up"
        )


def states(settings: Settings) -> dict[str, PartState]:
    """What the supervisor says of each part; empty when no supervisor runs.

    Raises:
        SupervisorSilent: It runs, and does not answer.
    """
    with _supervisor(settings) as ask:
        told: list[dict[str, Any]] = ask.getAllProcessInfo() if ask else []
    return {
        one["name"]: PartState(one["name"], one["statename"], one["pid"], one["start"], one["spawnerr"]) for one in told
    }


def supervisor_pid(settings: Settings) -> int | None:
    """The process id of the running supervisor, or None."""
    with _supervisor(settings) as ask:
        return int(ask.getPID()) if ask else None


def start_part(settings: Settings, name: str, *, wait: bool = True) -> None:
    """Start one part and, with ``wait``, wait until it has been up for a second; one that runs already is left alone.

    Raises:
        ServiceError: The supervisor does not run, or does not know the part; or it ended at once, if waited for.
    """
    _call(settings, "startProcess", name, wait, fine="ALREADY_STARTED")


def stop_part(settings: Settings, name: str) -> None:
    """Stop one part and wait until it has ended; nothing happens when it is stopped already.

    Raises:
        ServiceError: The supervisor does not run, or does not know the part.
    """
    _call(settings, "stopProcess", name, fine="NOT_RUNNING")


def shut_down(settings: Settings) -> None:
    """Ask the supervisor to stop every part and to end; the caller waits for it.

    Raises:
        SupervisorSilent: It does not answer.
    """
    with _supervisor(settings) as ask:
        if ask:
            ask.shutdown()


def _call(settings: Settings, method: str, name: str, *how: bool, fine: str) -> None:
    try:
        with _supervisor(settings) as ask:
            if ask is None:
                raise ServiceError(f"{name}: the local stack is not running", cure="rtlib up")
            full_name = _full_name(ask, name)
        with _supervisor(settings, seconds=ACTION_SECONDS) as ask:
            getattr(ask, method)(full_name, *how)
    except Fault as fault:
        if fine not in fault.faultString:
            raise ServiceError(f"{method} {name}: {fault.faultString}", cure=f"rtlib logs {name}") from fault


def _full_name(ask: Any, name: str) -> str:
    """The name by which the supervisor knows a part: its group comes first."""
    told: list[dict[str, Any]] = ask.getAllProcessInfo()
    return next((f"{one['group']}:{name}" for one in told if one["name"] == name), name)


@contextmanager
def _supervisor(settings: Settings, *, seconds: float = ANSWER_SECONDS) -> Iterator[Any]:
    """The supervisor's calls, or None when none listens on the socket of this state folder."""
    path = socket_path(settings.home)
    if not is_running(settings.home):
        yield None
        return
    transport = _transport(path, seconds)
    try:
        yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
    except TimeoutError as error:
        raise SupervisorSilent(
            f"the supervisor has not answered for {seconds:.0f} s; it may be suspended, or the machine very busy",
            cure="rtlib down ends its parts without it; then rtlib up",
        ) from error
    except (OSError, HTTPException) as error:
        raise ServiceError(f"the supervisor stopped answering ({error})", cure="rtlib down, then rtlib up") from error
    finally:
        transport.close()


def _transport(path: Path, seconds: float) -> Any:
    """Supervisor's own transport, which alone would wait for ever."""
    from supervisor.xmlrpc import SupervisorTransport, UnixStreamHTTPConnection

    class Connection(UnixStreamHTTPConnection):  # type: ignore[misc]
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(seconds)
            self.sock.connect(str(path))

    transport = SupervisorTransport(None, None, f"unix://{path}")
    transport._get_connection = lambda: Connection("localhost")
    return transport


def _quoted(value: object) -> str:
    return str(value).replace("%", "%%")  # supervisor expands %(name)s


_HEAD = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={logs}/supervisor.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={run}/supervisord.pid
nodaemon=false
silent=true
minfds=1024
umask=077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}
"""

# A stop is asked of the part itself and not of its children: the streaming application ends its queries and then its
# JVM. What is left after that is killed as a group.
# Each layer is a group: a shutdown ends them one after another, the highest first, so that nobody waits for a server
# that has gone before it; the parts of one are asked all at once.
# startretries is high because a part that waits for another may be restarted a few times; what fails for good is
# seen by its health check, with the last lines of its log.
_PROGRAM = """
[program:{name}]
command={command}
environment={environment}
autostart={autostart}
autorestart=true
startsecs=1
startretries=1000
stopwaitsecs={stop}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""
