"""What cannot work is refused at once: one screen that says what to do, and nothing is left of the attempt."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.stack import run_rtlib, running_for, share_jars

pytestmark = pytest.mark.integration
SCREEN = 24  # lines


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A state folder that nothing has used yet."""
    return tmp_path / "home"


@pytest.fixture
def home_with_jars(home: Path) -> Path:
    home.mkdir()
    share_jars(home)
    if not (home / "jars").exists():
        pytest.skip("the Java files are not downloaded here: rtlib doctor --install")
    return home


def refused(
    home: Path, *words: str, seconds: float = 20, allowed: Set[str] = frozenset(), **environment: str
) -> tuple[int, str]:
    """The exit code and the message of a command that must fail quickly and leave nothing behind."""
    began = time.monotonic()
    done = run_rtlib(home, *words, timeout=120, environment=environment)
    took = time.monotonic() - began
    assert done.returncode not in (0, 1, -9), done
    assert took < seconds
    assert "Cure: " in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < SCREEN
    assert done.stdout == ""
    assert running_for(home) == []
    assert set(written(home)) <= allowed
    return done.returncode, done.stderr


def written(home: Path) -> list[str]:
    """The files that a start left in the state folder, besides finished downloads and locks."""
    files = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    return [
        str(path) for path in files if path.suffix != ".lock" and (path.parts[0] != "jars" or path.suffix == ".part")
    ]


# Written anew by each start, and by themselves they change nothing.
USELESS_ALONE = {"ports.json", "secrets.json", "kafka/server.properties"}


def test_an_unknown_domain_is_refused_and_the_known_ones_are_named(home: Path) -> None:
    code, output = refused(home, "up", "--domain", "nope")
    assert code == 2
    assert "nope" in output
    assert all(name in output for name in ("curbside", "ecommerce", "gaming", "iot"))
    assert not home.exists()


def test_a_negative_rate_is_refused_by_its_name(home: Path) -> None:
    code, output = refused(home, "up", RTLIB_RATE="-1")
    assert code == 2
    assert "RTLIB_RATE" in output and "greater than 0" in output and "-1" in output
    assert not home.exists()


def test_an_unknown_setting_is_refused_and_the_nearest_is_named(home: Path) -> None:
    code, output = refused(home, "up", RTLIB_RAET="5")
    assert code == 2
    assert "RTLIB_RAET is not a setting" in output
    assert "did you mean RTLIB_RATE?" in output
    assert not home.exists()


def test_a_busy_port_that_was_asked_for_is_refused_with_its_holder(home_with_jars: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        code, output = refused(home_with_jars, "up", RTLIB_KAFKA_PORT=str(port))
    assert code == 3
    assert f"port {port} for kafka is busy" in output
    assert f"process {os.getpid()}" in output
    assert "RTLIB_KAFKA_PORT" in output


def test_without_java_the_message_names_the_folder_and_the_cure(home: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output = refused(home, "up", PATH=str(empty), JAVA_HOME=str(empty), RTLIB_JAVA_HOME=str(empty))
    assert code == 3
    assert f"RTLIB_JAVA_HOME is {empty}" in output
    assert "bin/java" in output


@contextmanager
def mirror_without_files(folder: Path) -> Iterator[str]:
    """The address of a server that answers 404; where nothing answers, a download is tried again for half a minute."""
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_a_damaged_jar_that_cannot_be_fetched_again_is_named(home_with_jars: Path, tmp_path: Path) -> None:
    jar = next((home_with_jars / "jars").glob("kafka-server-4*.jar"))
    size = jar.stat().st_size
    jar.unlink()  # it is a link to the project's own
    jar.write_bytes(b"\0" * size)
    with mirror_without_files(tmp_path / "mirror") as url:
        code, output = refused(home_with_jars, "up", RTLIB_MAVEN_URL=url)
    assert code == 4
    assert jar.name in output
    assert "is damaged" in output
    assert "404" in output
    assert "RTLIB_MAVEN_URL" in output


@contextmanager
def small_disk(folder: Path, megabytes: float) -> Iterator[None]:
    """A file system of this size at the folder; skips the test where that is not allowed."""
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small file system")
    size = f"size={int(megabytes * 1024)}k"
    done = subprocess.run((mount, "-t", "tmpfs", "-o", size, "tmpfs", str(folder)), capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(("umount", str(folder)), check=True)


def test_a_disk_too_small_for_the_java_files_is_refused_before_they_are_fetched(home: Path) -> None:
    with small_disk(home, 2):
        code, output = refused(home, "up", RTLIB_MAVEN_URL="http://127.0.0.1:9")
    assert code == 3
    assert f"the disk of {home / 'jars'} is full" in output
    assert "RTLIB_HOME" in output


def test_a_disk_that_is_full_once_the_java_files_are_here_is_refused(home: Path, tmp_path: Path) -> None:
    jars = tmp_path / "jars-elsewhere"
    jars.mkdir()
    share_jars(jars)
    if not (jars / "jars").exists():
        pytest.skip("the Java files are not downloaded here: rtlib doctor --install")
    with small_disk(home, 0.024):
        (home / "jars").symlink_to(jars / "jars")
        (home / "filler").write_bytes(b"x" * 8192)
        code, output = refused(home, "up", "--domain", "iot", allowed=USELESS_ALONE | {"filler"})
        (home / "filler").write_bytes(b"x" * 12288)  # and not even that much is left now
        code_when_fuller, output_when_fuller = refused(home, "up", allowed=USELESS_ALONE | {"filler"})
    assert code == code_when_fuller == 3
    assert f"the disk of {home / 'kafka'} is full" in output
    assert "No space left on device" in output_when_fuller
