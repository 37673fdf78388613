"""Browser: finds a Chromium for the tests of the app, or installs one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rtlib.errors import EnvironmentProblem

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
USUAL_PLACES = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
    Path("C:/Program Files/Google/Chrome/Application/chrome.exe"),
    Path("/snap/bin/chromium"),
)
INSTALL_SECONDS = 600
_APT_GET = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=120")
APT = ((*_APT_GET, "update"), (*_APT_GET, "install", "--no-install-recommends", "chromium"))


def find_browser() -> Path | None:
    """A Chromium or Chrome on the ``PATH``, in a usual place, or Playwright's own; None if there is none."""
    on_path = (shutil.which(name) for name in NAMES)
    browser = next((Path(path) for path in on_path if path), None)
    return browser or next((path for path in USUAL_PLACES if path.is_file()), None) or _of_playwright()


def install_browser() -> Path:
    """Find a browser, or install one: Playwright's own, else the distribution's if this process may do that.

    The installers take a minute or two; their output goes to standard error.

    Raises:
        EnvironmentProblem: None could be installed; the message has the failure of each method.
    """
    browser = find_browser()
    if browser is not None:
        return browser
    failures = []
    for steps in _methods():
        failure = next((message for message in map(_run, steps) if message), "")
        browser = find_browser()
        if browser is not None:
            return browser
        failures.append(failure or f"{steps[-1][0]} installed no browser that could be found")
    raise EnvironmentProblem(
        f"no Chromium was found, and none could be installed ({'; '.join(failures)})",
        cure="install Chromium or Chrome so that it is on the PATH, for instance: sudo apt-get install chromium",
    )


def _methods() -> list[tuple[Sequence[str], ...]]:
    """The methods to install a browser, each as commands in order."""
    methods: list[tuple[Sequence[str], ...]] = [((sys.executable, "-m", "playwright", "install", "chromium"),)]
    if shutil.which("apt-get") and _may_install():
        methods.append(APT)
    return methods


def _may_install() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def _run(command: Sequence[str]) -> str:
    """Run an installer with its output on standard error; returns why it failed, or an empty text."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return f"{' '.join(command)} ended with exit code {done.returncode}" if done.returncode else ""


def _of_playwright() -> Path | None:
    """Playwright's own Chromium, if it has been installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() else None
