"""Doctor: looks at the machine before the stack starts, and says for each need whether it is met, or the exact cure."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtlib.config import USUAL_PORTS, Settings
from rtlib.errors import EnvironmentProblem
from rtlib.services import jars, ports, supervisor
from rtlib.services.browser import find_browser, install_browser
from rtlib.services.java import ensure_java, find_java

PYTHONS = ((3, 11), (3, 14))  # from, and before
MEMORY_MB = {"laptop": 3072, "small": 2048}
STATE_MB = 500  # what a session of a few hours writes: broker log, checkpoints, warehouse
MEGABYTE = 1024 * 1024
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Check:
    """One need of the stack.

    Attributes:
        name: What was looked at.
        ok: True when it is met, False when the stack will not work, None when it is optional or takes care of itself.
        said: What was found.
        cure: What to do about it; empty when there is nothing to do.
    """

    name: str
    ok: bool | None
    said: str
    cure: str = ""


def checks(settings: Settings, *, browser: bool = False) -> list[Check]:
    """Look at everything; nothing is changed and nothing is downloaded.

    Args:
        settings: What the stack would be started with.
        browser: The tests of the app are going to run, so a browser is needed.
    """
    ours = _own_processes(settings)
    return [
        _python(),
        _java(settings),
        _memory(settings, running=bool(ours)),
        _home(settings.home),
        _disk(settings),
        *_ports(settings, ours),
        _jars(settings),
        _connector(settings),
        _browser(needed=browser),
        *_credentials(settings),
    ]


def install(settings: Settings, *, browser: bool = False) -> None:
    """Fetch what can be fetched: a Java when there is none, the locked jars, and a browser when one is asked for.

    Raises:
        EnvironmentProblem: It could not be had; with the command that installs it by hand.
    """
    ensure_java(settings)
    jars.fetch(settings.home, maven_url=settings.maven_url)
    if browser:
        install_browser()


def exit_code(found: Iterable[Check]) -> int:
    """0 when nothing stands in the way, else that of an ``EnvironmentProblem``."""
    return EnvironmentProblem.exit_code if any(one.ok is False for one in found) else 0


def render(found: Sequence[Check]) -> str:
    """One line for each check, and the cure below those that need one."""
    width = max(len(one.name) for one in found)
    words = {True: "ok", False: "FAIL", None: "-"}
    lines = []
    for one in found:
        lines.append(f"{words[one.ok]:<5}{one.name:<{width}}  {one.said}")
        if one.cure:
            lines.append(f"{'':<5}{'':<{width}}  Cure: {one.cure}" if one.ok is False else _hint(one.cure, width))
    return "\n".join(lines)


def _hint(text: str, width: int) -> str:
    return f"{'':<5}{'':<{width}}  {text}"


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    oldest, too_new = PYTHONS
    if oldest <= sys.version_info[:2] < too_new:
        return Check("python", True, f"{version} at {sys.executable}")
    return Check("python", False, f"{version}; 3.11, 3.12 or 3.13 is needed", "make clean install PYTHON=python3.11")


def _java(settings: Settings) -> Check:
    try:
        found = find_java(settings)
    except EnvironmentProblem as error:
        return Check("java", False, error.what, f"rtlib doctor --install fetches one; or: {error.cure}")
    return Check("java", True, f"{found.version} at {found.path}")


def _memory(settings: Settings, *, running: bool) -> Check:
    free, needed = _free_memory_mb(), MEMORY_MB[settings.profile]
    said = f"{free:,} MB free, the {settings.profile} profile takes up to {needed:,} MB"
    if running:
        return Check("memory", True, f"{free:,} MB free beside the running stack")
    if free >= needed:
        return Check("memory", True, said)
    smaller = settings.profile == "laptop" and free >= MEMORY_MB["small"]
    return Check("memory", False, said, "set RTLIB_PROFILE=small" if smaller else "close other programs")


def _free_memory_mb() -> int:
    """Memory that could be had now; in a container the container's own limit counts."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):  # no container, no limit ("max"), or another kind of machine
        return free // MEGABYTE
    return max(0, min(free, limit - used + int(cache))) // MEGABYTE


def _home(home: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=_existing(home)) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        cure = "make it writable, or set RTLIB_HOME to a folder that is"
        return Check("home", False, f"{home} cannot be written ({error.strerror})", cure)
    return Check("home", True, f"{home}" if home.exists() else f"{home} (made at the first start)")


def _disk(settings: Settings) -> Check:
    lacking = set(jars.absent(settings.home))
    to_fetch = [one for one in jars.locked() if one.filename in lacking]
    needed = STATE_MB + sum(one.size * (2 if one.is_archive else 1) for one in to_fetch) // MEGABYTE
    free = shutil.disk_usage(_existing(settings.home)).free // MEGABYTE
    said = f"{free:,} MB free at {settings.home}, {needed:,} MB wanted"
    if free >= needed:
        return Check("disk", True, said)
    return Check("disk", False, said, "free some space, or set RTLIB_HOME to a folder on a larger disk")


def _existing(path: Path) -> Path:
    """The folder itself or the nearest one above it that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.is_dir())


def _ports(settings: Settings, ours: frozenset[int]) -> Iterator[Check]:
    elsewhere = {
        "kafka": settings.kafka_bootstrap_servers is not None,
        "kafka_controller": settings.kafka_bootstrap_servers is not None,
        "registry": settings.registry_url is not None,
        "warehouse": not settings.local_warehouse,
    }
    for name in USUAL_PORTS:
        if not elsewhere.get(name, False):
            yield _port(name, settings, ours)


def _port(name: str, settings: Settings, ours: frozenset[int]) -> Check:
    pinned = settings.pinned_ports.get(name)
    port = pinned or settings.ports[name]
    title = f"port {name}"
    if ports.is_free(port):
        return Check(title, True, f"{port} is free")
    if _listener(port) in ours:
        return Check(title, True, f"{port}, in use by this stack")
    said = f"{port} is busy ({ports.holder(port)})"
    if pinned is None:
        return Check(title, None, f"{said}; a free one is chosen instead")
    return Check(title, False, said, f"end that process, or unset RTLIB_{name.upper()}_PORT")


def _listener(port: int) -> int | None:
    """The id of the process that listens on a port, when the system tells."""
    import psutil

    try:
        every = psutil.net_connections("tcp")
    except psutil.Error:
        return None
    return next((one.pid for one in every if one.laddr and one.laddr.port == port and one.status == "LISTEN"), None)


def _own_processes(settings: Settings) -> frozenset[int]:
    """The ids of the supervisor of this state folder and of everything it runs; empty when the stack is down."""
    import psutil

    pid = supervisor.supervisor_pid(settings)
    if pid is None:
        return frozenset()
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return frozenset()
    return frozenset({pid, *(child.pid for child in children)})


def _jars(settings: Settings) -> Check:
    every, lacking = jars.locked(), set(jars.absent(settings.home, deep=True))
    if not lacking:
        return Check("jars", True, f"all {len(every)} files are here and are those of the lock")
    to_fetch = [one for one in every if one.filename in lacking]
    damaged = [one.filename for one in to_fetch if (settings.home / "jars" / one.filename).exists()]
    megabytes = -(-sum(one.size for one in to_fetch) // MEGABYTE)
    if damaged:
        return Check("jars", None, f"damaged: {', '.join(damaged)}; {megabytes} MB are fetched again at the next start")
    said = f"{megabytes} MB are fetched at the next start" if to_fetch else "the registry is unpacked at the next start"
    return Check("jars", None, said)


def _connector(settings: Settings) -> Check:
    """pyspark, and the connector to Kafka that it lacks."""
    try:
        pyspark = importlib.metadata.version("pyspark")
    except importlib.metadata.PackageNotFoundError:
        return Check("spark", False, "pyspark is not installed", "make install")
    versions = {one.version for one in jars.locked(("spark",)) if one.artifact.startswith("spark-sql-kafka")}
    said = f"pyspark {pyspark}, Kafka connector {', '.join(versions)}"
    here = not jars.absent(settings.home, sets=("spark",))
    return Check("spark", True if here else None, said if here else f"{said}, fetched at the next start")


def _browser(*, needed: bool) -> Check:
    found = find_browser()
    if found is not None:
        return Check("browser", True, f"{found}")
    said = "no Chromium or Chrome was found; the tests of the app need one"
    return Check("browser", False if needed else None, said, "rtlib doctor --browser --install")


def _credentials(settings: Settings) -> Iterator[Check]:
    """Which accounts are set, never their values."""
    yield _snowflake(settings)
    optional: tuple[tuple[str, Callable[[Settings], object], str], ...] = (
        ("gemini", lambda given: given.gemini_api_key, "explanations are made locally"),
        ("teams", lambda given: given.teams_webhook_url, "alerts stay local"),
    )
    for name, value, otherwise in optional:
        given = value(settings) is not None
        yield Check(name, True if given else None, "set" if given else f"not set: {otherwise}")


def _snowflake(settings: Settings) -> Check:
    if settings.snowflake_account is None:
        return Check("snowflake", None, "not set: the warehouse is local")
    signed = settings.snowflake_private_key_file is not None or settings.snowflake_token is not None
    wanted = {
        "RTLIB_SNOWFLAKE_USER": settings.snowflake_user is not None,
        "RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE or RTLIB_SNOWFLAKE_TOKEN": signed,
    }
    lacking = [name for name, given in wanted.items() if not given]
    key = settings.snowflake_private_key_file
    if key is not None and not key.is_file():
        return Check("snowflake", False, f"there is no key file {key}", "mend RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE")
    if lacking:
        return Check("snowflake", False, f"the account is set, but not {', '.join(lacking)}", "set it in .env.local")
    return Check("snowflake", True, "set")
