"""Security: checks the guarantees of docs/security.md on a running stack: sockets, secrets, file modes, requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path

import psutil
import requests

from rtlib import private
from rtlib.config import Settings
from rtlib.doctor import Check
from rtlib.errors import ServiceError
from rtlib.run_state import is_running, read_secrets
from rtlib.services import processes

SHOWN = 3  # findings named in a check; the others are only counted
# For each HTTP server a path that only its owner may request, and the headers of requests that it must refuse.
OWNER_PATHS = {
    "registry": "/apis/ccompat/v7/subjects",
    "warehouse": "/monitoring/queries/0",
    "receiver": "/cards",
    "app": "/api/kernels",
}
STRANGERS = {
    "without the secret": {},
    "under a foreign host name": {"Host": "stranger.example"},
    "from a foreign page": {"Origin": "http://stranger.example"},
}
REFUSED_STATUS = (401, 403)


def checks(settings: Settings) -> list[Check]:
    """Check the running stack of this state folder; nothing is changed.

    Raises:
        ServiceError: The stack is not running.
    """
    if not is_running(settings.home):
        raise ServiceError(
            f"the stack of {settings.home} is not running, so its servers cannot be checked", cure="rtlib up"
        )
    home = settings.home
    return [_modes(home), _listeners(home), _secrets(home), *_doors(settings), _broker(settings)]


def open_sockets(home: Path) -> list[str]:
    """Listening sockets of the stack that other machines may reach: part and address of each.

    An unconnected UDP socket counts as listening, because it accepts every packet.
    """
    open_to_others = set()
    for part, process in processes.processes_of(home):
        try:
            sockets = process.net_connections("inet")
        except psutil.Error:
            continue
        for entry in sockets:
            listens = entry.status == psutil.CONN_LISTEN or (entry.type == socket.SOCK_DGRAM and not entry.raddr)
            if listens and entry.laddr and not _is_loopback(entry.laddr.ip):
                open_to_others.add(f"{part} at {entry.laddr.ip}:{entry.laddr.port}")
    return sorted(open_to_others)


def leaked_secrets(home: Path) -> list[str]:
    """Places where a secret of this stack must not be but is: command lines, the supervisor's files, logs."""
    secrets = {name: value.encode() for name, value in read_secrets(home).items()}
    return [
        f"{name} in {place}" for place, text in _public_texts(home) for name, value in secrets.items() if value in text
    ]


def _public_texts(home: Path) -> Iterator[tuple[str, bytes]]:
    for process in psutil.process_iter(["cmdline", "name"]):
        arguments = process.info["cmdline"] or ()
        yield (
            f"the command line of {process.info['name']} ({process.pid})",
            "\0".join(arguments).encode(errors="replace"),
        )
    for path in (*(home / "run").glob("*.conf"), *(home / "logs").glob("*")):
        try:
            yield str(path.relative_to(home)), path.read_bytes()
        except OSError:  # a log that has just been rotated
            continue


def _doors(settings: Settings) -> Iterator[Check]:
    """Send each running HTTP server the requests of a stranger."""
    for name, path in OWNER_PATHS.items():
        url = f"http://127.0.0.1:{settings.ports[name]}{path}"
        try:
            answers = {kind: requests.get(url, headers=headers, timeout=5, allow_redirects=False)
                       for kind, headers in STRANGERS.items()}  # fmt: skip
        except requests.RequestException:
            yield Check(f"door {name}", None, "not running, or running elsewhere")
            continue
        accepted = [
            f"{kind} ({answer.status_code})"
            for kind, answer in answers.items()
            if answer.status_code not in REFUSED_STATUS
        ]
        if accepted:
            yield Check(
                f"door {name}", False, f"accepts a request {_shortened(accepted)}", "report it: docs/security.md"
            )
        else:
            yield Check(f"door {name}", True, f"refuses a request {', '.join(answers)}")


def _broker(settings: Settings) -> Check:
    if settings.kafka_bootstrap_servers is not None:
        return Check("door kafka", None, "a broker elsewhere, with its own rules")
    if settings.local_sign_in:
        return Check("door kafka", True, "requires a sign-in")
    detail = "every user of this machine may read and write topics; RTLIB_SHARED=1 rtlib up requires a sign-in"
    return Check("door kafka", None, detail)


def _modes(home: Path) -> Check:
    exposed = [str(path) for path in private.exposed(home)]
    if exposed:
        return Check("files", False, f"other users may access {_shortened(exposed)}", "rtlib down && rtlib up")
    return Check("files", True, f"only you may access {home} and its content")


def _listeners(home: Path) -> Check:
    sockets = open_sockets(home)
    if sockets:
        cure = "stop it (rtlib down) and report it: docs/security.md explains how"
        return Check("sockets", False, f"other machines may reach {_shortened(sockets)}", cure)
    return Check("sockets", True, "every listening socket is bound to loopback")


def _secrets(home: Path) -> Check:
    leaks = leaked_secrets(home)
    if leaks:
        cure = "rtlib down && rtlib up draws new secrets"
        return Check("secrets", False, f"a secret is readable: {_shortened(leaks)}", cure)
    return Check("secrets", True, "not in any command line, configuration or log")


def _shortened(findings: Sequence[str]) -> str:
    more = f" and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return ", ".join(findings[:SHOWN]) + more


def _is_loopback(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
