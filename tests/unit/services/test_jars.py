"""Jars, against a small Maven repository on 127.0.0.1 whose faults the tests choose."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rtlib.errors import DownloadError, EnvironmentProblem
from rtlib.services import download, jars

KAFKA_PATH = "/org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.jar"
REGISTRY_PATH = "/io/apicurio/apicurio-registry-app/3.0.9/apicurio-registry-app-3.0.9-all.tar.gz"


@dataclass
class Repository:
    """Files by path, faults by path, and what was asked for: (path, Range header)."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: dict[str, list[int]] = field(default_factory=dict)  # bytes sent before the connection is cut, in turn
    statuses: dict[str, list[int]] = field(default_factory=dict)  # statuses answered before the file is, in turn
    ranges: bool = True

    def ranges_asked(self, path: str) -> list[str | None]:
        return [asked for where, asked in self.asked if where == path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository: Repository

    def do_GET(self) -> None:
        repository = self.repository
        repository.asked.append((self.path, self.headers.get("Range")))
        body = repository.files.get(self.path)
        planned = repository.statuses.get(self.path)
        if planned or body is None:
            self._answer(planned.pop(0) if planned else 404, b"")
            return
        start = int(re.findall(r"\d+", self.headers.get("Range", "0"))[0]) if repository.ranges else 0
        if start >= len(body):
            self._answer(416, b"")
            return
        extra = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        cuts = repository.cut_after.get(self.path)
        self._answer(206 if start else 200, body[start:], cut=cuts.pop(0) if cuts else None, **extra)

    def _answer(self, status: int, body: bytes, *, cut: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests look at what was asked."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setattr(download, "FIRST_PAUSE_SECONDS", 0.001)
    kept = Repository(files={KAFKA_PATH: os.urandom(300_000), REGISTRY_PATH: archive()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"repository": kept}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    yield kept
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(repository: Repository, tmp_path: Path) -> Path:
    path = tmp_path / "small.lock.toml"
    path.write_text(
        entry("kafka", "org.apache.kafka", "kafka_2.13", "4.4.0", "", "jar", repository.files[KAFKA_PATH])
        + entry("registry", "io.apicurio", "apicurio-registry-app", "3.0.9", "all", "tar.gz", archive())
    )
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def entry(name: str, group: str, artifact: str, version: str, classifier: str, extension: str, body: bytes) -> str:
    return (
        f'[[jar]]\nset = "{name}"\ngroup = "{group}"\nartifact = "{artifact}"\nversion = "{version}"\n'
        f'classifier = "{classifier}"\nextension = "{extension}"\n'
        f'sha256 = "{hashlib.sha256(body).hexdigest()}"\nsize = {len(body)}\n'
    )


def archive(*, runner: str = "apicurio-registry-app-3.0.9-runner.jar") -> bytes:
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w") as tar:
        for name, body in ((runner, b"runner" * 100), ("lib/a.jar", b"library" * 100)):
            about = tarfile.TarInfo(name)
            about.size = len(body)
            tar.addfile(about, io.BytesIO(body))
    return kept.getvalue()


def kafka_jar(home: Path) -> Path:
    return home / "jars" / "kafka_2.13-4.4.0.jar"


def fetch_kafka(repository: Repository, home: Path, lock: Path) -> bytes:
    found = jars.fetch(home, maven_url=repository.url, sets=("kafka",), progress=False, lock=lock)
    assert found["kafka"] == (kafka_jar(home),)
    return found["kafka"][0].read_bytes()


def test_every_set_is_fetched_and_the_registry_is_unpacked(repository: Repository, home: Path, lock: Path) -> None:
    found = jars.fetch(home, maven_url=repository.url, sets=("kafka", "registry"), progress=False, lock=lock)
    assert found["kafka"][0].read_bytes() == repository.files[KAFKA_PATH]
    runner = found["registry"][0]
    assert runner.read_bytes() == b"runner" * 100
    assert (runner.parent / "lib" / "a.jar").read_bytes() == b"library" * 100
    assert jars.absent(home, sets=("kafka", "registry"), deep=True, lock=lock) == ()


def test_a_second_fetch_makes_no_request(repository: Repository, home: Path, lock: Path) -> None:
    jars.fetch(home, maven_url=repository.url, sets=("kafka", "registry"), progress=False, lock=lock)
    asked = len(repository.asked)
    again = jars.fetch(home, maven_url=repository.url, sets=("kafka", "registry"), progress=False, lock=lock)
    assert len(repository.asked) == asked == 2
    assert all(path.is_file() for paths in again.values() for path in paths)


def test_files_brought_by_hand_are_hashed_and_taken_without_a_request(
    repository: Repository, home: Path, lock: Path
) -> None:
    kafka_jar(home).parent.mkdir(parents=True)
    kafka_jar(home).write_bytes(repository.files[KAFKA_PATH])
    fetch_kafka(repository, home, lock)
    assert repository.asked == []


def test_a_cut_connection_is_taken_up_where_it_ended(repository: Repository, home: Path, lock: Path) -> None:
    repository.cut_after[KAFKA_PATH] = [100_000, 50_000]
    assert fetch_kafka(repository, home, lock) == repository.files[KAFKA_PATH]
    first, *later = repository.ranges_asked(KAFKA_PATH)
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in later if asked]
    assert first is None
    assert len(starts) == 2
    assert 100_000 - download.CHUNK_BYTES < starts[0] <= 100_000
    assert starts[0] + 50_000 - download.CHUNK_BYTES < starts[1] <= starts[0] + 50_000


def test_a_download_that_was_killed_goes_on_in_the_next_run(repository: Repository, home: Path, lock: Path) -> None:
    kafka_jar(home).parent.mkdir(parents=True)
    kafka_jar(home).with_name("kafka_2.13-4.4.0.jar.part").write_bytes(repository.files[KAFKA_PATH][:123_456])
    assert fetch_kafka(repository, home, lock) == repository.files[KAFKA_PATH]
    assert repository.ranges_asked(KAFKA_PATH) == ["bytes=123456-"]


def test_a_half_of_another_file_is_thrown_away(repository: Repository, home: Path, lock: Path) -> None:
    kafka_jar(home).parent.mkdir(parents=True)
    kafka_jar(home).with_name("kafka_2.13-4.4.0.jar.part").write_bytes(b"x" * 123_456)
    assert fetch_kafka(repository, home, lock) == repository.files[KAFKA_PATH]
    assert repository.ranges_asked(KAFKA_PATH) == ["bytes=123456-", None]


def test_a_half_that_is_too_long_is_thrown_away(repository: Repository, home: Path, lock: Path) -> None:
    kafka_jar(home).parent.mkdir(parents=True)
    kafka_jar(home).with_name("kafka_2.13-4.4.0.jar.part").write_bytes(b"x" * 300_001)
    assert fetch_kafka(repository, home, lock) == repository.files[KAFKA_PATH]


def test_a_server_without_ranges_is_read_from_the_beginning(repository: Repository, home: Path, lock: Path) -> None:
    repository.ranges = False
    repository.cut_after[KAFKA_PATH] = [100_000]
    assert fetch_kafka(repository, home, lock) == repository.files[KAFKA_PATH]


def test_a_busy_server_is_asked_again(repository: Repository, home: Path, lock: Path) -> None:
    repository.statuses[KAFKA_PATH] = [503, 429]
    assert fetch_kafka(repository, home, lock) == repository.files[KAFKA_PATH]
    assert len(repository.asked) == 3


def test_a_file_the_server_does_not_have_is_one_request_and_an_error_that_names_it(
    repository: Repository, home: Path, lock: Path
) -> None:
    del repository.files[KAFKA_PATH]
    with pytest.raises(
        DownloadError, match=r"kafka_2.13-4.4.0.jar could not be fetched: the server answers 404"
    ) as caught:
        fetch_kafka(repository, home, lock)
    assert len(repository.asked) == 1
    assert "RTLIB_MAVEN_URL" in caught.value.cure


def test_a_server_that_never_ends_well_is_given_up(repository: Repository, home: Path, lock: Path) -> None:
    repository.statuses[KAFKA_PATH] = [500] * 20
    with pytest.raises(DownloadError, match=r"500 .*0 of 300,000 bytes are here"):
        fetch_kafka(repository, home, lock)
    assert len(repository.asked) == download.ATTEMPTS


def test_no_network_is_an_error_with_a_cure(home: Path, lock: Path, repository: Repository) -> None:
    with pytest.raises(DownloadError, match="Connection refused|refused") as caught:
        jars.fetch(home, maven_url="http://127.0.0.1:1", sets=("kafka",), progress=False, lock=lock)
    assert "HTTPS_PROXY" in caught.value.cure
    assert not kafka_jar(home).exists()


def test_another_file_of_the_same_size_is_refused(repository: Repository, home: Path, lock: Path) -> None:
    repository.files[KAFKA_PATH] = b"x" * 300_000
    with pytest.raises(DownloadError, match="is not the file in the lock: its sha256"):
        fetch_kafka(repository, home, lock)
    assert [path.name for path in (home / "jars").iterdir() if "kafka" in path.name] == []


@pytest.mark.parametrize("size", [299_999, 300_001, 5_000_000])
def test_a_file_of_another_size_is_refused_before_it_is_read(
    repository: Repository, home: Path, lock: Path, size: int
) -> None:
    repository.files[KAFKA_PATH] = b"<html>sign in</html>".ljust(size)
    with pytest.raises(DownloadError, match=r"bytes are sent, but 300,000 are missing") as caught:
        fetch_kafka(repository, home, lock)
    assert "sign-in page" in caught.value.cure
    assert not list((home / "jars").glob("*.part"))


def test_a_damaged_jar_is_noticed_and_fetched_again_with_a_message(
    repository: Repository, home: Path, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_kafka(repository, home, lock)
    damaged = bytearray(repository.files[KAFKA_PATH])
    damaged[1000] ^= 1
    kafka_jar(home).write_bytes(damaged)
    assert jars.absent(home, sets=("kafka",), lock=lock) == ("kafka_2.13-4.4.0.jar",)
    jars.fetch(home, maven_url=repository.url, sets=("kafka",), progress=True, lock=lock)
    assert kafka_jar(home).read_bytes() == repository.files[KAFKA_PATH]
    said = capsys.readouterr()
    assert "damaged" in said.err.replace("\n", " ")
    assert said.out == ""


def test_damage_that_keeps_size_and_time_is_found_by_a_deep_look(
    repository: Repository, home: Path, lock: Path
) -> None:
    fetch_kafka(repository, home, lock)
    before = kafka_jar(home).stat()
    kafka_jar(home).write_bytes(b"x" * 300_000)
    os.utime(kafka_jar(home), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert jars.absent(home, sets=("kafka",), lock=lock) == ()
    assert jars.absent(home, sets=("kafka",), deep=True, lock=lock) == ("kafka_2.13-4.4.0.jar",)


def test_a_damaged_jar_that_cannot_be_fetched_is_an_error(repository: Repository, home: Path, lock: Path) -> None:
    fetch_kafka(repository, home, lock)
    kafka_jar(home).write_bytes(b"short")
    repository.files.clear()
    with pytest.raises(DownloadError, match="404"):
        fetch_kafka(repository, home, lock)


@pytest.mark.parametrize("harm", ["lib/a.jar", "apicurio-registry-app-3.0.9-runner.jar"])
def test_a_file_missing_from_the_unpacked_registry_is_unpacked_again_offline(
    repository: Repository, home: Path, lock: Path, harm: str
) -> None:
    runner = jars.fetch(home, maven_url=repository.url, sets=("registry",), progress=False, lock=lock)["registry"][0]
    (runner.parent / harm).unlink()
    assert jars.absent(home, sets=("registry",), lock=lock) == ("apicurio-registry-app-3.0.9-all",)
    asked = len(repository.asked)
    jars.fetch(home, maven_url=repository.url, sets=("registry",), progress=False, lock=lock)
    assert (runner.parent / harm).is_file()
    assert len(repository.asked) == asked


def test_an_archive_that_reaches_outside_its_folder_is_refused(
    repository: Repository, home: Path, tmp_path: Path
) -> None:
    body = archive(runner="../../escaped.jar")
    repository.files[REGISTRY_PATH] = body
    lock = tmp_path / "evil.lock.toml"
    lock.write_text(entry("registry", "io.apicurio", "apicurio-registry-app", "3.0.9", "all", "tar.gz", body))
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        jars.fetch(home, maven_url=repository.url, sets=("registry",), progress=False, lock=lock)
    assert not list(tmp_path.rglob("escaped.jar"))
    assert not [path for path in (home / "jars").iterdir() if path.is_dir()]


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    repository: Repository, home: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 1000))
    with pytest.raises(EnvironmentProblem, match="is full: 1 MB are needed") as caught:
        fetch_kafka(repository, home, lock)
    assert str(home) in caught.value.what
    assert "RTLIB_HOME" in caught.value.cure
    assert repository.asked == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB; mounting one needs root."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ("-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place))
    if shutil.which("mount") is None or subprocess.run(("mount", *options), capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(("umount", str(place)), check=True)


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_half_written(
    repository: Repository, small_disk: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**9))
    with pytest.raises(EnvironmentProblem, match="is full"):
        fetch_kafka(repository, small_disk, lock)
    assert [path.name for path in (small_disk / "jars").iterdir()] == ["fetch.lock"]


def test_a_folder_that_cannot_be_made_is_an_error_with_a_cure(repository: Repository, home: Path, lock: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        fetch_kafka(repository, home, lock)


def test_two_fetches_at_once_download_once(repository: Repository, home: Path, lock: Path) -> None:
    threads = [threading.Thread(target=fetch_kafka, args=(repository, home, lock)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(repository.asked) == 1
    assert kafka_jar(home).read_bytes() == repository.files[KAFKA_PATH]


def test_the_real_lock_is_sorted_and_names_each_file_once() -> None:
    entries = jars.locked()
    assert list(entries) == sorted(entries)
    assert len({(one.set, one.filename) for one in entries}) == len(entries)
    assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) and one.size > 0 for one in entries)


def test_the_real_lock_gives_kafka_a_binding_of_its_own_slf4j_and_only_one() -> None:
    slf4j = {one.artifact: one.version for one in jars.locked(("kafka",)) if one.group == "org.slf4j"}
    assert set(slf4j) == {"slf4j-api", "slf4j-simple"}
    assert slf4j["slf4j-api"] == slf4j["slf4j-simple"]


def test_the_real_lock_brings_spark_nothing_that_pyspark_has() -> None:
    import pyspark

    shipped = {path.stem.rpartition("-")[0] for path in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    ours = {one.artifact for one in jars.locked(("spark",))}
    assert "spark-sql-kafka-0-10_2.13" in ours
    assert ours & shipped == set()
