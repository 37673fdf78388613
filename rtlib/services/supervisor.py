"""Supervisor: starts programs, restarts those that end, keeps their logs; controlled over its unix socket."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from rtlib import private
from rtlib.config import Settings
from rtlib.errors import ServiceError, SupervisorSilent, SupervisorStopping
from rtlib.run_state import is_running, socket_path

# Timeouts of a call. The supervisor answers a question at once unless it is suspended; it answers a start or a stop
# when that is done.
QUERY_SECONDS, ACTION_SECONDS = 4.0, 60.0
SHUTTING_DOWN = "SHUTDOWN_STATE"  # a fault: every call is refused from the request to shut down until the end


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised program.

    Attributes:
        name: Its name in the supervisor and the name of its log.
        command: The words of its command line.
        layer: Programs of one layer stop together, before the lower layers that they need.
        autostart: It starts with the supervisor.
        restart: It is started again whenever it ends.
        stop_seconds: How long it may take to stop before it is killed.
    """

    name: str
    command: tuple[str, ...]
    layer: int = 2
    autostart: bool = True
    restart: bool = True
    stop_seconds: int = 15


@dataclass(frozen=True, slots=True)
class PartState:
    """The supervisor's view of a part.

    Attributes:
        name: The part.
        state: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, ...
        pid: Its process id; 0 when it has none.
        started_at: When it was last started, in Unix seconds; 0 when never.
        spawn_error: Why it could not be started; empty otherwise.
    """

    name: str
    state: str
    pid: int
    started_at: float
    spawn_error: str


def write_config(settings: Settings, programs: Sequence[Program], *, environment: Mapping[str, str]) -> Path:
    """Write the supervisor's configuration for these programs and return its path.

    Args:
        settings: The state folder.
        programs: What to run.
        environment: Variables for every program besides the inherited ones. No secrets: an environment can be listed.
    """
    run = private.make_folder(settings.home / "run")
    logs = private.make_folder(settings.home / "logs")
    text = _HEAD.format(socket=_escaped(socket_path(settings.home)), run=_escaped(run), logs=_escaped(logs))
    for program in programs:
        variables = {**environment, "RTLIB_PART": program.name, "RTLIB_HOME": str(settings.home)}
        text += _PROGRAM.format(
            name=program.name,
            command=_escaped(shlex.join(program.command)),
            environment=_escaped(",".join(f'{name}="{value}"' for name, value in sorted(variables.items()))),
            autostart=str(program.autostart).lower(),
            autorestart=str(program.restart).lower(),
            stop=program.stop_seconds,
            log=_escaped(logs / f"{program.name}.log"),
        )
    for layer in sorted({program.layer for program in programs}):
        names = ",".join(program.name for program in programs if program.layer == layer)
        text += f"\n[group:layer-{layer}]\nprograms={names}\npriority={layer}\n"
    config = run / "supervisord.conf"
    private.write(config, text)
    return config


def start(settings: Settings) -> None:
    """Start the supervisor in the background with the configuration written before.

    Raises:
        ServiceError: It did not start; the message ends with its error output.
    """
    config = settings.home / "run" / "supervisord.conf"
    command = (sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(config))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, umask=0o077)
    if done.returncode != 0:
        raise ServiceError(
            f"the supervisor did not start: {done.stderr.strip()[-400:]}", cure="rtlib down, then rtlib up"
        )


def states(settings: Settings) -> dict[str, PartState]:
    """The state of each part; empty when no supervisor runs.

    Raises:
        SupervisorStopping: It is shutting down.
        SupervisorSilent: It runs but does not answer.
    """
    with _supervisor(settings) as calls:
        processes: list[dict[str, Any]] = calls.getAllProcessInfo() if calls else []
    return {
        info["name"]: PartState(info["name"], info["statename"], info["pid"], info["start"], info["spawnerr"])
        for info in processes
    }


def supervisor_pid(settings: Settings) -> int | None:
    """The process id of the running supervisor, also while it shuts down, or None."""
    try:
        with _supervisor(settings) as calls:
            return int(calls.getPID()) if calls else None
    except SupervisorStopping:
        return int((settings.home / "run" / "supervisord.pid").read_text())


def start_part(settings: Settings, name: str, *, wait: bool = True) -> None:
    """Start a part unless it runs already.

    Args:
        settings: The state folder.
        name: The part.
        wait: Return only when it has been up for a second.

    Raises:
        ServiceError: The supervisor does not run or does not know the part; with ``wait``, also if the part ended
            within the second.
    """
    _call(settings, "startProcess", name, wait, harmless="ALREADY_STARTED")


def stop_part(settings: Settings, name: str) -> None:
    """Stop a part and wait until it has ended; does nothing when it is stopped already.

    Raises:
        ServiceError: The supervisor does not run or does not know the part.
    """
    _call(settings, "stopProcess", name, harmless="NOT_RUNNING")


def shut_down(settings: Settings) -> None:
    """Tell the supervisor to stop every part and to exit, unless it does so already; the caller waits for it.

    Raises:
        SupervisorSilent: It does not answer.
    """
    with suppress(SupervisorStopping), _supervisor(settings) as calls:
        if calls:
            calls.shutdown()


def _call(settings: Settings, method: str, name: str, *arguments: bool, harmless: str) -> None:
    try:
        with _supervisor(settings) as calls:
            if calls is None:
                raise ServiceError(f"{name}: the local stack is not running", cure="rtlib up")
            full_name = _full_name(calls, name)
        with _supervisor(settings, seconds=ACTION_SECONDS) as calls:
            getattr(calls, method)(full_name, *arguments)
    except Fault as fault:
        if harmless not in fault.faultString:
            raise ServiceError(f"{method} {name}: {fault.faultString}", cure=f"rtlib logs {name}") from fault


def _full_name(calls: Any, name: str) -> str:
    """The supervisor's name for a part, which begins with its group."""
    processes: list[dict[str, Any]] = calls.getAllProcessInfo()
    return next((f"{info['group']}:{name}" for info in processes if info["name"] == name), name)


@contextmanager
def _supervisor(settings: Settings, *, seconds: float = QUERY_SECONDS) -> Iterator[Any]:
    """The supervisor's remote calls, or None when none listens on the socket of this state folder.

    Raises:
        SupervisorStopping: It refuses the call, because it is shutting down.
        SupervisorSilent: It does not answer in time.
        ServiceError: It stopped answering.
    """
    path = socket_path(settings.home)
    if not is_running(settings.home):
        yield None
        return
    transport = _transport(path, seconds)
    try:
        yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
    except Fault as fault:
        if fault.faultString != SHUTTING_DOWN:
            raise
        raise SupervisorStopping("the stack is shutting down", cure="rtlib down, then rtlib up") from fault
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
    """Supervisor's own transport plus a timeout, which it lacks."""
    from supervisor.xmlrpc import SupervisorTransport, UnixStreamHTTPConnection

    class Connection(UnixStreamHTTPConnection):  # type: ignore[misc]
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(seconds)
            self.sock.connect(str(path))

    transport = SupervisorTransport(None, None, f"unix://{path}")
    transport._get_connection = lambda: Connection("localhost")
    return transport


def _escaped(value: object) -> str:
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

# SIGTERM goes to the part itself and not to its children: the streaming application ends its queries and then its JVM.
# Processes that are left after that are killed as a group.
# Each layer is a group. A shutdown stops the groups one after another, the highest first, so that no part waits for a
# server that stopped before it; the parts of a group stop at the same time.
# startretries is high because a part that waits for another may be restarted a few times; a permanent failure is
# reported by its health check, with the end of its log.
_PROGRAM = """
[program:{name}]
command={command}
environment={environment}
autostart={autostart}
autorestart={autorestart}
startsecs=1
startretries=1000
stopwaitsecs={stop}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""
