"""Java: finds Java 17 or newer on the machine, or fetches it into the state folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtlib.config import Settings, environment_java_home
from rtlib.errors import EnvironmentProblem

OLDEST = 17  # required by Kafka 4.4 and Spark 4
FETCHED = "17"
EXECUTABLE = "java.exe" if sys.platform == "win32" else "java"
USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*",
    "/usr/local/opt/openjdk*",
    "C:/Program Files/Eclipse Adoptium/*",
)
INSTALL_COMMANDS = {
    "linux": "sudo apt-get install openjdk-17-jre-headless",
    "darwin": "brew install openjdk@17",
    "win32": "winget install EclipseAdoptium.Temurin.17.JRE",
}


@dataclass(frozen=True, slots=True)
class Java:
    """A working Java: the executable in its own home (not a link to it), and its version."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        """17 of ``17.0.15``; 1 of the old style ``1.8.0_392``."""
        digits = re.match(r"\d+", self.version)
        return int(digits.group()) if digits else 0


def find_java(settings: Settings) -> Java:
    """The Java to use: from ``RTLIB_JAVA_HOME``, ``JAVA_HOME``, the ``PATH``, a usual place, or fetched before.

    Raises:
        EnvironmentProblem: There is none, none is new enough, or the one in the setting does not run or is too old.
    """
    if settings.java_home is not None:
        return _required(settings.java_home)
    too_old = []
    for executable in _candidates(settings.home):
        java = _query(executable)
        if java and java.major >= OLDEST:
            return java
        if java:
            too_old.append(f"{java.version} at {java.path}")
    rejected = f" (too old: {', '.join(dict.fromkeys(too_old))})" if too_old else ""
    raise EnvironmentProblem(f"no Java {OLDEST} or newer was found{rejected}", cure=install_hint())


def ensure_java(settings: Settings, *, progress: bool = True) -> Java:
    """The Java of ``find_java``; if there is none and no setting names one, fetch it into ``<home>/jars/jdk``.

    Raises:
        EnvironmentProblem: There is none, and it could not be fetched.
    """
    try:
        return find_java(settings)
    except EnvironmentProblem:
        if settings.java_home is not None:
            raise
    _fetch(_fetched_folder(settings.home), progress=progress)
    return find_java(settings)


def install_hint() -> str:
    """The command that installs Java on this operating system, and with conda on any."""
    command = INSTALL_COMMANDS.get(sys.platform, INSTALL_COMMANDS["linux"])
    return f"{command}   (or: conda install -c conda-forge openjdk=17); then, if it is not found, set RTLIB_JAVA_HOME"


def _required(home: Path) -> Java:
    java = _query(home / "bin" / EXECUTABLE)
    if java is None:
        raise EnvironmentProblem(
            f"RTLIB_JAVA_HOME is {home}, but {home / 'bin' / EXECUTABLE} does not run",
            cure="set it to the folder that holds bin/java, or unset it to have Java found",
        )
    if java.major < OLDEST:
        raise EnvironmentProblem(
            f"RTLIB_JAVA_HOME is {home}, which is Java {java.version}; {OLDEST} or newer is needed",
            cure=f"unset it to have another Java found, or {install_hint()}",
        )
    return java


def _candidates(home: Path) -> Iterator[Path]:
    """Executables to try, the most likely first."""
    java_home = environment_java_home()
    if java_home is not None:
        yield java_home / "bin" / EXECUTABLE
    on_path = shutil.which("java")
    if on_path is not None:
        yield Path(on_path)
    for pattern in USUAL_PLACES:
        anchor, _, rest = pattern.partition("/")
        yield from (folder / "bin" / EXECUTABLE for folder in sorted(Path(f"{anchor}/").glob(rest), reverse=True))
    yield from sorted(_fetched_folder(home).rglob(f"bin/{EXECUTABLE}"))


def _fetched_folder(home: Path) -> Path:
    return home / "jars" / "jdk"  # beside the other downloads, which a reset keeps


def _query(executable: Path) -> Java | None:
    """Home and version of a Java, or None when it does not run (on macOS ``java`` may only offer an installation)."""
    if not executable.is_file():
        return None
    try:
        command = (str(executable), "-XshowSettings:properties", "-version")
        output = subprocess.run(command, capture_output=True, text=True, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    properties = dict(re.findall(r"^\s*(java\.home|java\.version) = (.+?)\s*$", output, flags=re.MULTILINE))
    if len(properties) < 2:
        return None
    path = Path(properties["java.home"]) / "bin" / EXECUTABLE
    return Java(path if path.is_file() else executable.resolve(), properties["java.version"])


def _fetch(folder: Path, *, progress: bool) -> None:
    import cjdk

    try:
        cjdk.cache_jdk(vendor="temurin", version=FETCHED, cache_dir=folder.absolute(), progress=progress)
    except (cjdk.CjdkError, OSError) as error:
        raise EnvironmentProblem(
            f"no Java {OLDEST} or newer was found, and none could be fetched ({error})", cure=install_hint()
        ) from error
