"""Java lists classes, makes, accepts and refuses class archives as `rtlib.class_archive` expects."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.find_spark_home import _find_spark_home

from rtlib import class_archive
from rtlib.class_archive import Jvm
from rtlib.config import Settings
from rtlib.services import archive_maker
from rtlib.services.java import find_java

pytestmark = pytest.mark.release
Command = tuple[str, ...]


@pytest.fixture(scope="module")
def java() -> Path:
    return find_java(Settings()).path


def start(java: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Java with the options of the moment, and a jar of Spark's on the class path."""
    jar = next((Path(_find_spark_home()) / "jars").glob("janino-*.jar"))
    options = class_archive.options(home, Jvm("test", java, (jar,)), record=True)
    command = (str(java), "-XX:TieredStopAtLevel=1", *options, "-cp", str(jar), *words, "-version")
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def run(command: Command) -> int:
    return subprocess.run(command, capture_output=True, timeout=120).returncode


def test_java_makes_an_archive_accepts_it_and_starts_with_it(java: Path, tmp_path: Path) -> None:
    first = start(java, tmp_path)
    (classes,) = archive_maker.missing(tmp_path)
    assert archive_maker.make(classes, run=run)
    second = start(java, tmp_path, "-Xshare:on", "-Xlog:class+path=info")
    assert first.returncode == second.returncode == 0
    assert first.stderr.splitlines()[0] == second.stderr.splitlines()[0]  # no warning
    assert "-XX:SharedArchiveFile=" in " ".join(second.args)
    assert "mismatch" not in second.stdout


@pytest.mark.parametrize(
    "harm",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:9999] + bytes([whole[9999] ^ 0x55]) + whole[10000:],
        lambda whole: bytes(len(whole)),
        lambda whole: b"",
    ],
    ids=["truncated", "damaged", "zeroed", "empty"],
)
def test_java_refuses_a_draft_that_is_not_whole(java: Path, tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    def run_with_harm(command: Command) -> int:
        code = run(command)
        if "-Xshare:dump" in command:
            draft = next(Path(word.partition("=")[2]) for word in command if word.startswith("-XX:SharedArchiveFile="))
            whole = draft.read_bytes()
            draft.unlink()  # it is read-only
            draft.write_bytes(harm(whole))
        return code

    start(java, tmp_path)
    (classes,) = archive_maker.missing(tmp_path)
    assert not archive_maker.make(classes, run=run_with_harm)
    assert start(java, tmp_path).returncode == 0
