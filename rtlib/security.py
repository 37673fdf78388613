"""Security: checks the promises of docs/security.md on a running stack: sockets, secrets, modes, refused requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

SHOWN = 3  # findings named in a check; the rest are counted
# A request for each HTTP server that only its owner may make, and what a stranger adds to it or lacks.
ASKED = {
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
REFUSED = (401, 403)


def checks(settings: Settings) -> list[Check]:
    """Check the promises on the stack of this state folder; nothing is changed.

    Raises:
        ServiceError: The stack is not running.
    """
    if not is_running(settings.home):
        raise ServiceError(
            f"the stack of {settings.home} is not running, so its doors cannot be checked", cure="rtlib up"
        )
    home = settings.home
    return [_modes(home), _listeners(home), _secrets(home), *_doors(settings), _broker(settings)]


def open_sockets(home: Path) -> list[str]:
    """Listening sockets of the stack that other machines may reach: part and address of each.

    A socket of UDP counts as listening: it takes what anybody sends.
    """
    found = set()
    for part, process in processes.processes_of(home):
        try:
            sockets = process.net_connections("inet")
        except psutil.Error:
            continue
        for one in sockets:
            listens = one.status == psutil.CONN_LISTEN or (one.type == 2 and not one.raddr)
            if listens and one.laddr and not _is_loopback(one.laddr.ip):
                found.add(f"{part} at {one.laddr.ip}:{one.laddr.port}")
    return sorted(found)


def leaked_secrets(home: Path) -> list[str]:
    """Where a secret of this stack stands although it should not: command lines, the supervisor's files, logs."""
    secrets = {name: value.encode() for name, value in read_secrets(home).items()}
    return [
        f"{name} in {place}" for place, text in _public_texts(home) for name, value in secrets.items() if value in text
    ]


def _public_texts(home: Path) -> Iterator[tuple[str, bytes]]:
    for process in psutil.process_iter(["cmdline", "name"]):
        words = process.info["cmdline"] or ()
        yield f"the command line of {process.info['name']} ({process.pid})", "\0".join(words).encode(errors="replace")
    for path in (*(home / "run").glob("*.conf"), *(home / "logs").glob("*")):
        try:
            yield str(path.relative_to(home)), path.read_bytes()
        except OSError:  # a log that has just been rotated
            continue


def _doors(settings: Settings) -> Iterator[Check]:
    """Ask each HTTP server that runs what a stranger would ask."""
    for name, path in ASKED.items():
        url = f"http://127.0.0.1:{settings.ports[name]}{path}"
        try:
            answers = {who: requests.get(url, headers=added, timeout=5, allow_redirects=False)
                       for who, added in STRANGERS.items()}  # fmt: skip
        except requests.RequestException:
            yield Check(f"door {name}", None, "does not run, or runs elsewhere")
            continue
        taken = [f"{who} ({answer.status_code})" for who, answer in answers.items() if not _refuses(answer)]
        if taken:
            yield Check(f"door {name}", False, f"takes a request {_named(taken)}", "report it: docs/security.md")
        else:
            yield Check(f"door {name}", True, f"refuses a request {', '.join(answers)}")


def _refuses(answer: requests.Response) -> bool:
    """A refusal, or, as the app does, the way to its sign-in page."""
    to_sign_in = answer.status_code == 302 and "/login" in answer.headers.get("Location", "")
    return answer.status_code in REFUSED or to_sign_in


def _broker(settings: Settings) -> Check:
    if settings.kafka_bootstrap_servers is not None:
        return Check("door kafka", None, "a broker elsewhere; its own rules hold")
    if settings.local_sign_in:
        return Check("door kafka", True, "asks for a sign-in")
    said = "every user of this machine may read and write topics; RTLIB_SHARED=1 rtlib up asks for a sign-in"
    return Check("door kafka", None, said)


def _modes(home: Path) -> Check:
    found = [str(path) for path in private.exposed(home)]
    if found:
        return Check("files", False, f"other users may reach {_named(found)}", "rtlib down && rtlib up")
    return Check("files", True, f"{home} and all in it are yours alone")


def _listeners(home: Path) -> Check:
    found = open_sockets(home)
    if found:
        cure = "stop it (rtlib down), and report it: docs/security.md says how"
        return Check("sockets", False, f"other machines may reach {_named(found)}", cure)
    return Check("sockets", True, "every listening socket is bound to loopback")


def _secrets(home: Path) -> Check:
    found = leaked_secrets(home)
    if found:
        return Check(
            "secrets", False, f"a secret can be read: {_named(found)}", "rtlib down && rtlib up draws new ones"
        )
    return Check("secrets", True, "in no command line, configuration or log")


def _named(found: Iterable[str]) -> str:
    every = list(found)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _is_loopback(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
