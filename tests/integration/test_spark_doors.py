"""The doors of the running stack: real-time mode runs, and nothing listens beyond this machine or to strangers."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from rtlib import private
from rtlib.services import processes
from support import spark_stranger as stranger
from support.stack import Stack, until

pytestmark = pytest.mark.integration
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def servers(process: psutil.Process) -> dict[int, str]:
    """Port to address of each TCP server of a process; none of one that has just ended."""
    try:
        found = [
            connection.laddr for connection in process.net_connections("tcp") if connection.status == psutil.CONN_LISTEN
        ]
    except psutil.NoSuchProcess:
        return {}
    return {address.port: address.ip for address in found}


def spark_java(stack: Stack) -> psutil.Process:
    """Spark's Java, while it runs real-time mode: one server for each writer of its shuffles."""

    def found() -> psutil.Process | None:
        parts = [process for part, process in processes.processes_of(stack.home) if part == "stream"]
        return next((process for process in parts if len(servers(process)) >= 7), None)

    java = until(found, seconds=120)
    assert java is not None
    return java


def test_nothing_of_the_stack_listens_beyond_this_machine_while_real_time_mode_runs(stack: Stack) -> None:
    spark_java(stack)
    for part, process in processes.processes_of(stack.home):
        beyond = {port: address for port, address in servers(process).items() if address not in LOOPBACK}
        assert not beyond, f"{part}: {' '.join(process.cmdline())[:200]}"


def test_no_server_of_spark_serves_a_stranger(stack: Stack) -> None:
    java = spark_java(stack)
    secrets = stranger.stream_request(f"/artifacts/{'../' * 20}{stack.home}/secrets.json")
    asked = (secrets, stranger.reader_of_the_shuffle(0))
    answers = {port: [_answer(port, message) for message in asked] for port in servers(java)}
    # Only py4j's gateway waits for more: its protocol has lines, and it hangs up on the first without the token.
    assert [kinds for kinds in answers.values() if kinds != [None, None]] == [["waits", "waits"]], answers


def _answer(port: int, message: bytes) -> object:
    try:
        return stranger.answer(port, message, seconds=3)
    except TimeoutError:
        return "waits"


def test_sparks_files_are_their_owners_alone(stack: Stack) -> None:
    folders = [stack.home / name for name in ("checkpoints", "spark-local", "spark-warehouse")]
    present = [folder for folder in folders if folder.exists()]
    assert len(present) >= 2
    assert not [str(path) for folder in present for path in private.exposed(Path(folder))]
