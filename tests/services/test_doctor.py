from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rtlib import doctor
from rtlib.config import Settings, load_settings
from rtlib.doctor import Check
from rtlib.errors import EnvironmentProblem
from rtlib.services import jars


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def named(found: Sequence[Check], name: str) -> Check:
    return next(one for one in found if one.name == name)


def look(home: Path, **settings: object) -> list[Check]:
    return doctor.checks(load_settings(home=home, **settings))


def megabytes(times: int) -> int:
    """The size of all files of the lock, rounded up."""
    return -(-times * sum(one.size for one in jars.locked()) // doctor.MEGABYTE)


def disk_with(free: int) -> object:
    return lambda _: shutil._ntuple_diskusage(10**12, 10**12 - free, free)


def test_everything_is_looked_at_once_and_nothing_is_written(home: Path) -> None:
    names = [one.name for one in look(home)]
    assert len(set(names)) == len(names)
    assert set(names) >= {"python", "java", "memory", "home", "disk", "port kafka", "jars", "spark", "browser"}
    assert not home.exists()


def test_a_fresh_machine_is_told_how_much_is_fetched_and_passes(home: Path) -> None:
    found = look(home)
    assert named(found, "jars") == Check("jars", None, f"{megabytes(1)} MB are fetched at the next start")
    assert "made at the first start" in named(found, "home").said


def test_a_damaged_jar_is_named(home: Path) -> None:
    (home / "jars").mkdir(parents=True)
    (home / "jars" / "kafka_2.13-4.4.0.jar").write_bytes(b"not a jar")
    said = named(look(home), "jars").said
    assert said.startswith("damaged: kafka_2.13-4.4.0.jar; ")


def test_too_little_memory_is_a_failure_and_a_smaller_profile_the_cure(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_free_memory_mb", lambda: 2500)
    found = named(look(home, profile="laptop"), "memory")
    assert (found.ok, found.cure) == (False, "set RTLIB_PROFILE=small")
    assert "2,500 MB free" in found.said
    assert named(look(home, profile="small"), "memory").ok is True
    monkeypatch.setattr(doctor, "_free_memory_mb", lambda: 1000)
    assert named(look(home, profile="laptop"), "memory").cure == "close other programs"


def test_the_memory_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CGROUP", tmp_path)
    unlimited = doctor._free_memory_mb()
    (tmp_path / "memory.max").write_text(f"{100 * doctor.MEGABYTE}\n")
    (tmp_path / "memory.current").write_text(f"{70 * doctor.MEGABYTE}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {20 * doctor.MEGABYTE}\n")
    assert doctor._free_memory_mb() == 50
    (tmp_path / "memory.max").write_text("max\n")
    assert abs(doctor._free_memory_mb() - unlimited) < 2000


def test_a_small_disk_is_a_failure_that_says_how_much_is_wanted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", disk_with(100 * doctor.MEGABYTE))
    found = named(look(home), "disk")
    assert found.ok is False
    assert "100 MB free" in found.said
    wanted = int(found.said.split(", ")[1].split()[0])
    assert megabytes(1) + doctor.STATE_MB < wanted < megabytes(2) + doctor.STATE_MB
    assert "RTLIB_HOME" in found.cure


@pytest.mark.skipif(os.name == "nt", reason="folders are made read-only in another way")
def test_a_home_that_cannot_be_written_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    found = named(look(tmp_path / "state"), "home")
    assert found.ok is False
    assert "Permission denied" in found.said


def test_a_busy_port_is_no_trouble_unless_a_setting_asks_for_it(
    home: Path, busy_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "ports.json").write_text(f'{{"registry": {busy_port}}}')
    found = look(home, kafka_port=busy_port)
    pinned, usual = named(found, "port kafka"), named(found, "port registry")
    assert pinned.ok is False
    assert f"process {os.getpid()}" in pinned.said
    assert "RTLIB_KAFKA_PORT" in pinned.cure
    assert usual.ok is None
    assert "a free one is chosen" in usual.said


def test_a_port_that_the_own_stack_holds_is_fine(home: Path, busy_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_own_processes", lambda _: frozenset({os.getpid()}))
    found = look(home, kafka_port=busy_port)
    assert named(found, "port kafka") == Check("port kafka", True, f"{busy_port}, in use by this stack")
    assert "beside the running stack" in named(found, "memory").said


def test_ports_of_parts_that_run_elsewhere_are_not_looked_at(home: Path) -> None:
    names = {one.name for one in look(home, kafka_bootstrap_servers="broker:9092", registry_url="http://registry")}
    assert names & {"port kafka", "port kafka_controller", "port registry"} == set()
    assert "port warehouse" in names


def test_a_missing_browser_matters_only_when_it_is_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_browser", lambda: None)
    settings = load_settings(home=home)
    assert named(doctor.checks(settings), "browser").ok is None
    needed = named(doctor.checks(settings, browser=True), "browser")
    assert (needed.ok, needed.cure) == (False, "rtlib doctor --browser --install")


def test_no_java_is_a_failure_with_the_cure_of_the_machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Settings) -> None:
        raise EnvironmentProblem("no Java 17 or newer was found", cure="install it")

    monkeypatch.setattr(doctor, "find_java", none)
    found = look(home)
    assert named(found, "java").ok is False
    assert "install it" in named(found, "java").cure
    assert doctor.exit_code(found) == EnvironmentProblem.exit_code


def test_credentials_are_said_to_be_set_but_never_shown(home: Path) -> None:
    found = look(
        home, gemini_api_key="hunter2", snowflake_account="acme", snowflake_user="ada", snowflake_token="hunter3"
    )
    assert named(found, "gemini") == Check("gemini", True, "set")
    assert named(found, "snowflake") == Check("snowflake", True, "set")
    assert named(found, "teams").ok is None
    assert "hunter" not in doctor.render(found)
    assert "hunter" not in repr(found)


def test_half_a_snowflake_account_is_a_failure_that_names_the_other_half(home: Path) -> None:
    found = named(look(home, snowflake_account="acme", snowflake_token="secret"), "snowflake")
    assert found.ok is False
    assert "RTLIB_SNOWFLAKE_USER" in found.said
    assert "TOKEN" not in found.said


def test_a_key_file_that_is_not_there_is_a_failure(home: Path) -> None:
    found = look(home, snowflake_account="acme", snowflake_user="ada", snowflake_private_key_file="/nowhere/key.p8")
    assert "/nowhere/key.p8" in named(found, "snowflake").said
    assert named(found, "snowflake").ok is False


def test_the_exit_code_fails_on_a_failure_alone() -> None:
    assert doctor.exit_code([Check("a", True, ""), Check("b", None, "")]) == 0
    assert doctor.exit_code([Check("a", True, ""), Check("b", False, "")]) == EnvironmentProblem.exit_code


def test_the_report_is_one_line_a_check_and_the_cure_below() -> None:
    found = [Check("java", True, "17"), Check("memory", False, "100 MB free", "close other programs")]
    assert doctor.render(found).splitlines() == [
        "ok   java    17",
        "FAIL memory  100 MB free",
        "             Cure: close other programs",
    ]


def test_installing_fetches_a_java_and_the_jars_and_a_browser_only_when_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(doctor, "ensure_java", lambda _: done.append("java"))
    monkeypatch.setattr(doctor.jars, "fetch", lambda folder, *, maven_url: done.append(f"jars to {folder.name}"))
    monkeypatch.setattr(doctor, "install_browser", lambda: done.append("browser"))
    doctor.install(load_settings(home=home))
    assert done == ["java", f"jars to {home.name}"]
    doctor.install(load_settings(home=home), browser=True)
    assert done[2:] == ["java", f"jars to {home.name}", "browser"]
