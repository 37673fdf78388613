"""Java and the browser, with small programs that play them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rtlib.config import Settings, load_settings
from rtlib.errors import EnvironmentProblem
from rtlib.services import browser, java


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "state", java_home=None)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with no Java: an empty PATH folder, no JAVA_HOME, no usual places."""
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "USUAL_PLACES", ())
    return path


def make_java(home: Path, version: str) -> Path:
    """A JDK folder whose java says what the real one says; returns the executable."""
    (home / "bin").mkdir(parents=True)
    executable = home / "bin" / "java"
    said = f"Property settings:\n    java.home = {home}\n    java.version = {version}\n    java.version.date = 2025"
    executable.write_text(f"#!/bin/sh\n/bin/cat >&2 <<'END'\n{said}\nEND\n")
    executable.chmod(0o755)
    return executable


def test_the_java_on_the_path_is_found_behind_its_link(bare: Path, settings: Settings, tmp_path: Path) -> None:
    executable = make_java(tmp_path / "jdk-21", "21.0.4")
    (bare / "java").symlink_to(executable)
    found = java.find_java(settings)
    assert found == java.Java(executable, "21.0.4")
    assert found.major == 21


def test_java_home_of_the_machine_comes_before_the_path(
    bare: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bare / "java").symlink_to(make_java(tmp_path / "jdk-21", "21.0.4"))
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "jdk-17", "17.0.15").parents[1]))
    assert java.find_java(settings).version == "17.0.15"


def test_a_java_that_is_too_old_is_passed_over(
    bare: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java(tmp_path / "jdk-8", "1.8.0_392").parents[1]))
    (bare / "java").symlink_to(make_java(tmp_path / "jdk-17", "17.0.15"))
    assert java.find_java(settings).version == "17.0.15"


def test_a_java_in_a_usual_place_is_found_without_a_path(
    bare: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_java(tmp_path / "jvm" / "java-11", "11.0.2")
    make_java(tmp_path / "jvm" / "java-17", "17.0.15")
    monkeypatch.setattr(java, "USUAL_PLACES", (f"{tmp_path}/jvm/*",))
    assert java.find_java(settings).version == "17.0.15"


def test_a_java_fetched_before_is_found_again(bare: Path, settings: Settings) -> None:
    make_java(settings.home / "jars" / "jdk" / "v0" / "jdks" / "ab" / "jdk-17.0.15+6", "17.0.15")
    assert java.find_java(settings).version == "17.0.15"


def test_no_java_is_an_error_that_says_how_to_install_one(bare: Path, settings: Settings) -> None:
    with pytest.raises(EnvironmentProblem, match="no Java 17 or newer was found") as caught:
        java.find_java(settings)
    assert caught.value.exit_code == 3
    assert "conda install" in caught.value.cure
    assert java.INSTALL_COMMANDS[sys.platform] in caught.value.cure


def test_the_error_names_those_that_are_too_old(bare: Path, settings: Settings, tmp_path: Path) -> None:
    (bare / "java").symlink_to(make_java(tmp_path / "jdk-8", "1.8.0_392"))
    with pytest.raises(EnvironmentProblem, match=r"too old: 1\.8\.0_392 at .*jdk-8/bin/java"):
        java.find_java(settings)


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho no Java installed\n", "not a program"])
def test_a_program_called_java_that_is_none_is_passed_over(bare: Path, settings: Settings, script: str) -> None:
    (bare / "java").write_text(script)
    (bare / "java").chmod(0o755)
    with pytest.raises(EnvironmentProblem, match="no Java 17 or newer was found\n"):
        java.find_java(settings)


def test_the_java_a_setting_names_is_taken_even_if_another_is_newer(bare: Path, tmp_path: Path) -> None:
    (bare / "java").symlink_to(make_java(tmp_path / "jdk-21", "21.0.4"))
    ordered = load_settings(java_home=make_java(tmp_path / "jdk-17", "17.0.15").parents[1])
    assert java.find_java(ordered).version == "17.0.15"


def test_the_java_a_setting_names_must_run_and_be_new_enough(bare: Path, tmp_path: Path) -> None:
    (bare / "java").symlink_to(make_java(tmp_path / "jdk-21", "21.0.4"))
    with pytest.raises(EnvironmentProblem, match=r"RTLIB_JAVA_HOME is .*nowhere.* does not run"):
        java.ensure_java(load_settings(java_home=tmp_path / "nowhere"))
    old = load_settings(java_home=make_java(tmp_path / "jdk-11", "11.0.2").parents[1])
    with pytest.raises(EnvironmentProblem, match=r"which is Java 11\.0\.2; 17 or newer is needed"):
        java.ensure_java(old)


def test_a_java_is_fetched_into_the_state_folder_when_there_is_none(
    bare: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cjdk

    def fetched(*, cache_dir: Path, **_: object) -> None:
        make_java(cache_dir / "v0" / "jdks" / "ab" / "jdk-17", "17.0.15")

    monkeypatch.setattr(cjdk, "cache_jdk", fetched)
    found = java.ensure_java(settings)
    assert found.path.is_relative_to(settings.home)


def test_a_java_that_cannot_be_fetched_is_an_error_with_the_reason(
    bare: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cjdk

    def offline(**_: object) -> None:
        raise cjdk.InstallError("no network")

    monkeypatch.setattr(cjdk, "cache_jdk", offline)
    with pytest.raises(EnvironmentProblem, match=r"none could be fetched \(no network\)") as caught:
        java.ensure_java(settings)
    assert java.INSTALL_COMMANDS[sys.platform] in caught.value.cure


def test_the_real_java_of_this_machine_runs() -> None:
    found = java.find_java(load_settings())
    assert found.major >= java.OLDEST
    assert os.access(found.path, os.X_OK)


# --- browser --------------------------------------------------------------------------------------------------------


def make_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_browser(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(browser, "USUAL_PLACES", ())
    monkeypatch.setattr(browser, "_of_playwright", lambda: None)
    return bare


def test_a_browser_on_the_path_is_found(no_browser: Path) -> None:
    assert browser.find_browser() is None
    there = make_program(no_browser / "google-chrome", "exit 0")
    assert browser.find_browser() == there
    assert browser.install_browser() == there


def test_playwrights_own_browser_is_installed_first(no_browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installs = make_program(no_browser / "installer", f"/bin/cp {no_browser}/installer {no_browser}/chromium")
    monkeypatch.setattr(browser.sys, "executable", str(installs))
    monkeypatch.setattr(browser, "_may_install", lambda: pytest.fail("the distribution was asked as well"))
    assert browser.install_browser() == no_browser / "chromium"


def test_the_distribution_is_asked_when_playwright_cannot_download(
    no_browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = make_program(no_browser / "installer", "exit 1")
    make_program(no_browser / "apt-get", f'case "$*" in *install*) /bin/cp {fails} {no_browser}/chromium;; esac')
    make_program(no_browser / "env", 'shift; exec "$@"')
    monkeypatch.setattr(browser.sys, "executable", str(fails))
    monkeypatch.setattr(browser, "_may_install", lambda: True)
    assert browser.install_browser() == no_browser / "chromium"


def test_no_way_to_a_browser_is_an_error_that_tells_each_failure(
    no_browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = make_program(no_browser / "installer", "exit 7")
    make_program(no_browser / "env", "exit 100")
    make_program(no_browser / "apt-get", "exit 100")
    monkeypatch.setattr(browser.sys, "executable", str(fails))
    monkeypatch.setattr(browser, "_may_install", lambda: True)
    with pytest.raises(
        EnvironmentProblem, match=r"ended with exit code 7; .*apt-get.* ended with exit code 100"
    ) as caught:
        browser.install_browser()
    assert "apt-get install chromium" in caught.value.cure


def test_apt_is_not_tried_without_the_right_to_install(no_browser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(no_browser / "apt-get", "exit 0")
    monkeypatch.setattr(browser.sys, "executable", str(make_program(no_browser / "installer", "exit 7")))
    monkeypatch.setattr(browser, "_may_install", lambda: False)
    with pytest.raises(EnvironmentProblem) as caught:
        browser.install_browser()
    assert "apt-get -y" not in caught.value.what
