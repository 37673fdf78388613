"""Doctor: checks whether the machine meets each requirement of the stack, and names the cure if not."""

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

PYTHON_RANGE = ((3, 11), (3, 14))  # first supported, first unsupported
MEMORY_MB = {"laptop": 3072, "small": 2048}
ARCHIVES_MB = 350  # class archives, beside the jars
STATE_MB = 500  # written in a session of a few hours: broker log, checkpoints, warehouse
MEGABYTE = 1024 * 1024
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: What was checked.
        ok: True when the requirement is met, False when the stack will not work, None when it is optional or the stack
            takes care of it.
        detail: What was found; the key in JSON is ``said``.
        cure: What to do; empty when there is nothing to do.
    """

    name: str
    ok: bool | None
    detail: str
    cure: str = ""

    def to_json(self) -> dict[str, object]:
        """The object that ``rtlib doctor --json`` prints."""
        return {"name": self.name, "ok": self.ok, "said": self.detail, "cure": self.cure}


def checks(settings: Settings, *, browser: bool = False) -> list[Check]:
    """Run every check; nothing is changed or downloaded.

    Args:
        settings: The settings of the stack.
        browser: Require a browser, which the tests of the app need.
    """
    own_pids = _own_processes(settings)
    return [
        _python(),
        _java(settings),
        _memory(settings, running=bool(own_pids)),
        _home(settings.home),
        _disk(settings),
        *_ports(settings, own_pids),
        _jars(settings),
        _connector(settings),
        _browser(needed=browser),
        *_credentials(settings),
    ]


def install(settings: Settings, *, browser: bool = False) -> None:
    """Fetch what is missing: Java, the locked jars and, if requested, a browser.

    Raises:
        DownloadError: A jar could not be fetched.
        EnvironmentProblem: Something could not be installed; the cure is the command that installs it by hand.
    """
    ensure_java(settings)
    jars.fetch(settings.home, maven_url=settings.maven_url)
    if browser:
        install_browser()


def exit_code(results: Iterable[Check]) -> int:
    """0 when no check failed, else the exit code of an ``EnvironmentProblem``."""
    return EnvironmentProblem.exit_code if any(check.ok is False for check in results) else 0


def render(results: Sequence[Check]) -> str:
    """One line for each check, with the cure below a failed one."""
    width = max(len(check.name) for check in results)
    marks = {True: "ok", False: "FAIL", None: "-"}
    lines = []
    for check in results:
        lines.append(f"{marks[check.ok]:<5}{check.name:<{width}}  {check.detail}")
        if check.cure:
            lines.append(_hint(f"Cure: {check.cure}" if check.ok is False else check.cure, width))
    return "\n".join(lines)


def _hint(text: str, width: int) -> str:
    return f"{'':<5}{'':<{width}}  {text}"


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    oldest, too_new = PYTHON_RANGE
    if oldest <= sys.version_info[:2] < too_new:
        return Check("python", True, f"{version} at {sys.executable}")
    return Check("python", False, f"{version}; 3.11, 3.12 or 3.13 is needed", "make clean install PYTHON=python3.11")


def _java(settings: Settings) -> Check:
    try:
        java = find_java(settings)
    except EnvironmentProblem as error:
        return Check("java", False, error.what, f"rtlib doctor --install fetches it; or: {error.cure}")
    return Check("java", True, f"{java.version} at {java.path}")


def _memory(settings: Settings, *, running: bool) -> Check:
    free, needed = _free_memory_mb(), MEMORY_MB[settings.profile]
    detail = f"{free:,} MB free; the {settings.profile} profile takes up to {needed:,} MB"
    if running:
        return Check("memory", True, f"{free:,} MB free beside the running stack")
    if free >= needed:
        return Check("memory", True, detail)
    smaller = settings.profile == "laptop" and free >= MEMORY_MB["small"]
    return Check("memory", False, detail, "set RTLIB_PROFILE=small" if smaller else "close other programs")


def _free_memory_mb() -> int:
    """Available memory in MB; in a container its own limit applies."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        cache = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):  # no container, no limit ("max"), or another operating system
        return free // MEGABYTE
    return max(0, min(free, limit - used + int(cache))) // MEGABYTE


def _home(home: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=_existing(home)) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        cure = "make it writable, or set RTLIB_HOME to a folder that is"
        return Check("home", False, f"{home} cannot be written ({error.strerror})", cure)
    return Check("home", True, f"{home}" if home.exists() else f"{home} (created at the first start)")


def _disk(settings: Settings) -> Check:
    absent = set(jars.absent(settings.home))
    to_fetch = [jar for jar in jars.locked() if jar.filename in absent]
    room = STATE_MB + ARCHIVES_MB * settings.class_archives
    needed = room + sum(jar.size * (2 if jar.is_archive else 1) for jar in to_fetch) // MEGABYTE
    free = shutil.disk_usage(_existing(settings.home)).free // MEGABYTE
    detail = f"{free:,} MB free at {settings.home}; {needed:,} MB needed"
    if free >= needed:
        return Check("disk", True, detail)
    return Check("disk", False, detail, "free some space, or set RTLIB_HOME to a folder on a larger disk")


def _existing(path: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def _ports(settings: Settings, own_pids: frozenset[int]) -> Iterator[Check]:
    elsewhere = {
        "kafka": settings.kafka_bootstrap_servers is not None,
        "kafka_controller": settings.kafka_bootstrap_servers is not None,
        "registry": settings.registry_url is not None,
        "warehouse": not settings.local_warehouse,
    }
    for name in USUAL_PORTS:
        if not elsewhere.get(name, False):
            yield _port(name, settings, own_pids)


def _port(name: str, settings: Settings, own_pids: frozenset[int]) -> Check:
    pinned = settings.pinned_ports.get(name)
    port = pinned or settings.ports[name]
    title = f"port {name}"
    if ports.is_free(port):
        return Check(title, True, f"{port} is free")
    if _listener(port) in own_pids:
        return Check(title, True, f"{port}, in use by this stack")
    detail = f"{port} is busy ({ports.holder(port)})"
    if pinned is None:
        return Check(title, None, f"{detail}; a free port is chosen instead")
    return Check(title, False, detail, f"end that process, or unset RTLIB_{name.upper()}_PORT")


def _listener(port: int) -> int | None:
    """The id of the process that listens on a port, if the system reveals it."""
    import psutil

    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return None
    listening = (entry for entry in connections if entry.status == psutil.CONN_LISTEN)
    return next((entry.pid for entry in listening if entry.laddr and entry.laddr.port == port), None)


def _own_processes(settings: Settings) -> frozenset[int]:
    """The process ids of this state folder's supervisor and of all its children; empty when the stack is down."""
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
    locked, absent = jars.locked(), set(jars.absent(settings.home, deep=True))
    if not absent:
        return Check("jars", True, f"all {len(locked)} files are here and match the lock")
    to_fetch = [jar for jar in locked if jar.filename in absent]
    damaged = [jar.filename for jar in to_fetch if (settings.home / "jars" / jar.filename).exists()]
    megabytes = -(-sum(jar.size for jar in to_fetch) // MEGABYTE)
    if damaged:
        return Check("jars", None, f"damaged: {', '.join(damaged)}; {megabytes} MB are fetched again at the next start")
    fetch, unpack = f"{megabytes} MB are fetched at the next start", "the registry is unpacked at the next start"
    return Check("jars", None, fetch if to_fetch else unpack)


def _connector(settings: Settings) -> Check:
    """pyspark, and its Kafka connector, which it does not include."""
    try:
        pyspark = importlib.metadata.version("pyspark")
    except importlib.metadata.PackageNotFoundError:
        return Check("spark", False, "pyspark is not installed", "make install")
    versions = {jar.version for jar in jars.locked(("spark",)) if jar.artifact.startswith("spark-sql-kafka")}
    detail = f"pyspark {pyspark}, Kafka connector {', '.join(versions)}"
    if jars.absent(settings.home, sets=("spark",)):
        return Check("spark", None, f"{detail}, fetched at the next start")
    return Check("spark", True, detail)


def _browser(*, needed: bool) -> Check:
    browser = find_browser()
    if browser is not None:
        return Check("browser", True, f"{browser}")
    detail = "no Chromium or Chrome was found; only the tests of the app need it"
    return Check("browser", False if needed else None, detail, "rtlib doctor --browser --install")


def _credentials(settings: Settings) -> Iterator[Check]:
    """Which accounts are configured; never their values."""
    yield _snowflake(settings)
    optional: tuple[tuple[str, Callable[[Settings], object], str], ...] = (
        ("gemini", lambda config: config.gemini_api_key, "explanations are made locally"),
        ("teams", lambda config: config.teams_webhook_url, "alerts stay local"),
    )
    for name, value, otherwise in optional:
        is_set = value(settings) is not None
        yield Check(name, True if is_set else None, "set" if is_set else f"not set: {otherwise}")


def _snowflake(settings: Settings) -> Check:
    if settings.snowflake_account is None:
        return Check("snowflake", None, "not set: the warehouse is local")
    has_key = settings.snowflake_private_key_file is not None or settings.snowflake_token is not None
    required = {
        "RTLIB_SNOWFLAKE_USER": settings.snowflake_user is not None,
        "RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE or RTLIB_SNOWFLAKE_TOKEN": has_key,
    }
    missing = [name for name, is_set in required.items() if not is_set]
    key = settings.snowflake_private_key_file
    if key is not None and not key.is_file():
        return Check("snowflake", False, f"there is no key file {key}", "correct RTLIB_SNOWFLAKE_PRIVATE_KEY_FILE")
    if missing:
        return Check("snowflake", False, f"the account is set, but not {', '.join(missing)}", "set it in .env.local")
    return Check("snowflake", True, "set")
