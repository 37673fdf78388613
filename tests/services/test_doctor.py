"""Doctor: every check of the machine, with its cure."""

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


def named(results: Sequence[Check], name: str) -> Check:
    return next(check for check in results if check.name == name)


def run_checks(home: Path, **settings: object) -> list[Check]:
    return doctor.checks(load_settings(home=home, **settings))


def megabytes(times: int) -> int:
    """The size of all files of the lock, rounded up."""
    return -(-times * sum(jar.size for jar in jars.locked()) // doctor.MEGABYTE)


def disk_with(free: int) -> object:
    return lambda _: shutil._ntuple_diskusage(10**12, 10**12 - free, free)


def test_every_check_runs_once_and_nothing_is_written(home: Path) -> None:
    names = [check.name for check in run_checks(home)]
    assert len(set(names)) == len(names)
    assert set(names) >= {"python", "java", "memory", "home", "disk", "port kafka", "jars", "spark", "browser"}
    assert not home.exists()


def test_a_fresh_machine_passes_and_the_download_size_is_reported(home: Path) -> None:
    results = run_checks(home)
    assert named(results, "jars") == Check("jars", None, f"{megabytes(1)} MB are fetched at the next start")
    assert "created at the first start" in named(results, "home").detail


def test_a_damaged_jar_is_named(home: Path) -> None:
    (home / "jars").mkdir(parents=True)
    (home / "jars" / "kafka_2.13-4.4.0.jar").write_bytes(b"not a jar")
    detail = named(run_checks(home), "jars").detail
    assert detail.startswith("damaged: kafka_2.13-4.4.0.jar; ")


def test_too_little_memory_is_a_failure_and_a_smaller_profile_the_cure(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_free_memory_mb", lambda: 2500)
    results = named(run_checks(home, profile="laptop"), "memory")
    assert (results.ok, results.cure) == (False, "set RTLIB_PROFILE=small")
    assert "2,500 MB free" in results.detail
    assert named(run_checks(home, profile="small"), "memory").ok is True
    monkeypatch.setattr(doctor, "_free_memory_mb", lambda: 1000)
    assert named(run_checks(home, profile="laptop"), "memory").cure == "close other programs"


def test_the_memory_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CGROUP", tmp_path)
    unlimited = doctor._free_memory_mb()
    (tmp_path / "memory.max").write_text(f"{100 * doctor.MEGABYTE}\n")
    (tmp_path / "memory.current").write_text(f"{70 * doctor.MEGABYTE}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {20 * doctor.MEGABYTE}\n")
    assert doctor._free_memory_mb() == 50
    (tmp_path / "memory.max").write_text("max\n")
    assert abs(doctor._free_memory_mb() - unlimited) < 2000


def test_a_small_disk_is_a_failure_that_reports_the_space_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", disk_with(100 * doctor.MEGABYTE))
    results = named(run_checks(home), "disk")
    assert results.ok is False
    assert "100 MB free" in results.detail
    needed = int(results.detail.split("; ")[1].split()[0].replace(",", ""))
    room = doctor.STATE_MB + doctor.ARCHIVES_MB
    assert megabytes(1) + room < needed < megabytes(2) + room
    assert "RTLIB_HOME" in results.cure


@pytest.mark.skipif(os.name == "nt", reason="folders are made read-only differently")
def test_a_home_that_cannot_be_written_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    results = named(run_checks(tmp_path / "state"), "home")
    assert results.ok is False
    assert "Permission denied" in results.detail


def test_a_busy_port_is_a_failure_only_if_a_setting_fixes_it(
    home: Path, busy_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "ports.json").write_text(f'{{"registry": {busy_port}}}')
    results = run_checks(home, kafka_port=busy_port)
    pinned, usual = named(results, "port kafka"), named(results, "port registry")
    assert pinned.ok is False
    assert f"process {os.getpid()}" in pinned.detail
    assert "RTLIB_KAFKA_PORT" in pinned.cure
    assert usual.ok is None
    assert "a free port is chosen" in usual.detail


def test_a_port_used_by_the_own_stack_passes(home: Path, busy_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_own_processes", lambda _: frozenset({os.getpid()}))
    results = run_checks(home, kafka_port=busy_port)
    assert named(results, "port kafka") == Check("port kafka", True, f"{busy_port}, in use by this stack")
    assert "beside the running stack" in named(results, "memory").detail


def test_ports_of_servers_that_run_elsewhere_are_not_checked(home: Path) -> None:
    names = {
        check.name for check in run_checks(home, kafka_bootstrap_servers="broker:9092", registry_url="http://registry")
    }
    assert names & {"port kafka", "port kafka_controller", "port registry"} == set()
    assert "port warehouse" in names


def test_a_missing_browser_is_a_failure_only_when_it_is_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_browser", lambda: None)
    settings = load_settings(home=home)
    assert named(doctor.checks(settings), "browser").ok is None
    needed = named(doctor.checks(settings, browser=True), "browser")
    assert (needed.ok, needed.cure) == (False, "rtlib doctor --browser --install")


def test_missing_java_is_a_failure_with_the_command_that_installs_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: Settings) -> None:
        raise EnvironmentProblem("no Java 17 or newer was results", cure="install it")

    monkeypatch.setattr(doctor, "find_java", none)
    results = run_checks(home)
    assert named(results, "java").ok is False
    assert "install it" in named(results, "java").cure
    assert doctor.exit_code(results) == EnvironmentProblem.exit_code


def test_credentials_are_reported_as_set_but_never_shown(home: Path) -> None:
    results = run_checks(
        home, gemini_api_key="hunter2", snowflake_account="acme", snowflake_user="ada", snowflake_token="hunter3"
    )
    assert named(results, "gemini") == Check("gemini", True, "set")
    assert named(results, "snowflake") == Check("snowflake", True, "set")
    assert named(results, "teams").ok is None
    assert "hunter" not in doctor.render(results)
    assert "hunter" not in repr(results)


def test_an_incomplete_snowflake_account_is_a_failure_that_names_the_missing_setting(home: Path) -> None:
    results = named(run_checks(home, snowflake_account="acme", snowflake_token="secret"), "snowflake")
    assert results.ok is False
    assert "RTLIB_SNOWFLAKE_USER" in results.detail
    assert "TOKEN" not in results.detail


def test_a_missing_key_file_is_a_failure(home: Path) -> None:
    results = run_checks(
        home, snowflake_account="acme", snowflake_user="ada", snowflake_private_key_file="/nowhere/key.p8"
    )
    assert "/nowhere/key.p8" in named(results, "snowflake").detail
    assert named(results, "snowflake").ok is False


def test_only_a_failure_changes_the_exit_code() -> None:
    assert doctor.exit_code([Check("a", True, ""), Check("b", None, "")]) == 0
    assert doctor.exit_code([Check("a", True, ""), Check("b", False, "")]) == EnvironmentProblem.exit_code


def test_the_report_has_one_line_for_each_check_with_the_cure_below() -> None:
    results = [Check("java", True, "17"), Check("memory", False, "100 MB free", "close other programs")]
    assert doctor.render(results).splitlines() == [
        "ok   java    17",
        "FAIL memory  100 MB free",
        "             Cure: close other programs",
    ]


def test_installing_fetches_java_and_the_jars_and_only_on_request_a_browser(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(doctor, "ensure_java", lambda _: calls.append("java"))
    monkeypatch.setattr(doctor.jars, "fetch", lambda folder, *, maven_url: calls.append(f"jars to {folder.name}"))
    monkeypatch.setattr(doctor, "install_browser", lambda: calls.append("browser"))
    doctor.install(load_settings(home=home))
    assert calls == ["java", f"jars to {home.name}"]
    doctor.install(load_settings(home=home), browser=True)
    assert calls[2:] == ["java", f"jars to {home.name}", "browser"]
