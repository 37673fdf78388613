"""Browser: finds a Chromium for the tests of the app, or installs one by the means the machine has."""

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
    """A Chromium or Chrome on the ``PATH``, in a usual place, or Playwright's own; None when there is none."""
    on_path = (shutil.which(name) for name in NAMES)
    found = next((Path(one) for one in on_path if one), None)
    return found or next((one for one in USUAL_PLACES if one.is_file()), None) or _of_playwright()


def install_browser() -> Path:
    """Find a browser, or install one: Playwright's own, else the distribution's when this process may do that.

    What the installers say goes to the terminal's standard error, as they take a minute or two.

    Raises:
        EnvironmentProblem: None could be installed; with what each way said last.
    """
    found = find_browser()
    if found is not None:
        return found
    failures = []
    for steps in _ways():
        failure = next((said for said in map(_run, steps) if said), "")
        found = find_browser()
        if found is not None:
            return found
        failures.append(failure or f"{steps[-1][0]} left no browser that could be found")
    raise EnvironmentProblem(
        f"no Chromium was found, and none could be installed ({'; '.join(failures)})",
        cure="install Chromium or Chrome so that it is on the PATH, for instance: sudo apt-get install chromium",
    )


def _ways() -> list[tuple[Sequence[str], ...]]:
    """Each way to get a browser, as its commands in order."""
    ways: list[tuple[Sequence[str], ...]] = [((sys.executable, "-m", "playwright", "install", "chromium"),)]
    if shutil.which("apt-get") and _may_install():
        ways.append(APT)
    return ways


def _may_install() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def _run(command: Sequence[str]) -> str:
    """Run an installer, its output to our standard error; returns why it failed, or nothing."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, timeout=INSTALL_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return f"{' '.join(command)} ended with {done.returncode}" if done.returncode else ""


def _of_playwright() -> Path | None:
    """Where Playwright keeps its own Chromium, when it has been installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() else None
