"""The security checks of a running stack: each one detects its problem."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtlib import security
from rtlib.config import load_settings
from rtlib.errors import ServiceError
from rtlib.run_state import make_secrets, read_secret
from support.stack import clean_environment

LISTEN = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
with socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, kind) as server:
    server.bind((sys.argv[2], 0))
    if sys.argv[1] == "tcp":
        server.listen()
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextmanager
def listening(home: Path, protocol: str, address: str) -> Iterator[str]:
    """The port of a listening process of the stack; it ends when its standard input closes."""
    variables = clean_environment(home, RTLIB_PART="stream")
    command = (sys.executable, "-c", LISTEN, protocol, address)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.communicate()


@pytest.mark.parametrize(("protocol", "address"), [("tcp", "0.0.0.0"), ("udp", "0.0.0.0"), ("tcp", "::")])
def test_a_socket_that_other_machines_may_reach_is_reported(tmp_path: Path, protocol: str, address: str) -> None:
    if ":" in address and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with listening(tmp_path, protocol, address) as port:
        assert security.open_sockets(tmp_path) == [f"stream at {address}:{port}"]
    assert security.open_sockets(tmp_path) == []


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_socket_on_loopback_is_not_reported(tmp_path: Path, protocol: str) -> None:
    with listening(tmp_path, protocol, "127.0.0.1"):
        assert security.open_sockets(tmp_path) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8"])
def test_loopback_has_many_spellings(address: str) -> None:
    assert security._is_loopback(address)
    assert not security._is_loopback("::ffff:10.0.0.1")


def test_a_secret_in_a_log_or_in_the_supervisors_configuration_is_reported_without_its_value(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    secret = read_secret(tmp_path, "kafka")
    assert secret and security.leaked_secrets(tmp_path) == []
    for folder, name in (("logs", "stream.log"), ("run", "supervisord.conf")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(f"password={secret}")
    assert security.leaked_secrets(tmp_path) == ["kafka in run/supervisord.conf", "kafka in logs/stream.log"]


def test_a_secret_on_a_command_line_is_reported(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    command = (sys.executable, "-c", "input()", read_secret(tmp_path, "registry") or "")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        (leak,) = security.leaked_secrets(tmp_path)
        assert leak.startswith("registry in the command line of") and f"({process.pid})" in leak
        process.communicate(b"\n")


def test_each_start_draws_new_and_different_secrets(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    first = (tmp_path / "secrets.json").read_text()
    make_secrets(tmp_path)
    second = (tmp_path / "secrets.json").read_text()
    values = {value for text in (first, second) for value in json.loads(text).values()}
    assert len(values) == 10 and all(len(value) >= 40 for value in values)


def test_a_stopped_stack_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="not running"):
        security.checks(load_settings(home=tmp_path))
