"""Java: finds a Java 17 or newer on the machine, or fetches one into the state folder when there is none."""

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

OLDEST = 17  # Kafka 4.4 and Spark 4 ask for it
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
    """A Java that runs: the executable in its own home (no link to it), and its version as it tells it."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        """17 of ``17.0.15``; 1 of the old style ``1.8.0_392``."""
        digits = re.match(r"\d+", self.version)
        return int(digits.group()) if digits else 0


def find_java(settings: Settings) -> Java:
    """The Java to use: the one of ``RTLIB_JAVA_HOME``, of ``JAVA_HOME``, on the ``PATH``, in a usual place, or fetched.

    Raises:
        EnvironmentProblem: None is there, or none is new enough, or the one that the setting names is not.
    """
    if settings.java_home is not None:
        return _as_ordered(settings.java_home)
    too_old = []
    for executable in _candidates(settings.home):
        found = _ask(executable)
        if found and found.major >= OLDEST:
            return found
        if found:
            too_old.append(f"{found.version} at {found.path}")
    seen = f" (too old: {', '.join(dict.fromkeys(too_old))})" if too_old else ""
    raise EnvironmentProblem(f"no Java {OLDEST} or newer was found{seen}", cure=install_hint())


def ensure_java(settings: Settings, *, progress: bool = True) -> Java:
    """The Java of ``find_java``; when there is none and none is ordered, fetch one into ``<home>/jars/jdk``.

    Raises:
        EnvironmentProblem: There is none, and none could be fetched either.
    """
    try:
        return find_java(settings)
    except EnvironmentProblem:
        if settings.java_home is not None:
            raise
    _fetch(_fetched_folder(settings.home), progress=progress)
    return find_java(settings)


def install_hint() -> str:
    """How Java is installed on this kind of machine, and with conda on any."""
    own = INSTALL_COMMANDS.get(sys.platform, INSTALL_COMMANDS["linux"])
    return f"{own}   (or: conda install -c conda-forge openjdk=17); then, if it is not found, set RTLIB_JAVA_HOME"


def _as_ordered(home: Path) -> Java:
    found = _ask(home / "bin" / EXECUTABLE)
    if found is None:
        raise EnvironmentProblem(
            f"RTLIB_JAVA_HOME is {home}, but {home / 'bin' / EXECUTABLE} does not run",
            cure="set it to the folder that holds bin/java, or unset it to have Java found",
        )
    if found.major < OLDEST:
        raise EnvironmentProblem(
            f"RTLIB_JAVA_HOME is {home}, which is Java {found.version}; {OLDEST} or newer is needed",
            cure=f"unset it to have another Java found, or {install_hint()}",
        )
    return found


def _candidates(home: Path) -> Iterator[Path]:
    """Executables worth asking, the likeliest first."""
    hinted = environment_java_home()
    if hinted is not None:
        yield hinted / "bin" / EXECUTABLE
    on_path = shutil.which("java")
    if on_path is not None:
        yield Path(on_path)
    for pattern in USUAL_PLACES:
        anchor, _, rest = pattern.partition("/")
        yield from (one / "bin" / EXECUTABLE for one in sorted(Path(f"{anchor}/").glob(rest), reverse=True))
    yield from sorted(_fetched_folder(home).rglob(f"bin/{EXECUTABLE}"))


def _fetched_folder(home: Path) -> Path:
    return home / "jars" / "jdk"  # beside the other downloads, which a reset keeps


def _ask(executable: Path) -> Java | None:
    """What a Java says of itself, or None when it does not run (macOS has a ``java`` that only asks for one)."""
    if not executable.is_file():
        return None
    try:
        command = (str(executable), "-XshowSettings:properties", "-version")
        said = subprocess.run(command, capture_output=True, text=True, timeout=30).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = dict(re.findall(r"^\s*(java\.home|java\.version) = (.+?)\s*$", said, flags=re.MULTILINE))
    if len(told) < 2:
        return None
    path = Path(told["java.home"]) / "bin" / EXECUTABLE
    return Java(path if path.is_file() else executable.resolve(), told["java.version"])


def _fetch(folder: Path, *, progress: bool) -> None:
    import cjdk

    try:
        cjdk.cache_jdk(vendor="temurin", version=FETCHED, cache_dir=folder.absolute(), progress=progress)
    except (cjdk.CjdkError, OSError) as error:
        raise EnvironmentProblem(
            f"no Java {OLDEST} or newer was found, and none could be fetched ({error})", cure=install_hint()
        ) from error
