"""Jars: the Java parts of the local stack, from Maven Central, exactly as in the lock file.

``fetch`` downloads missing files into ``<home>/jars``; with nothing to do it is silent, fast, and sends no request.
Files that were hashed before are trusted by size and modification time (`checksum_cache`).
"""

from __future__ import annotations

import errno
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rtlib.errors import DownloadError, EnvironmentProblem
from rtlib.services.checksum_cache import ChecksumCache
from rtlib.services.download import FileRequest, download

LOCK_FILE = Path(__file__).with_name("jars.lock.toml")
SETS = ("kafka", "registry", "spark")
MEGABYTE = 1024 * 1024

Jars: TypeAlias = Mapping[str, tuple[Path, ...]]
"""Paths by set: Kafka's class path, the registry's runner jar, Spark's connector."""


@dataclass(frozen=True, slots=True, order=True)
class LockedJar:
    """One file of the lock: its Maven coordinates, its SHA-256, and its size in bytes."""

    set: str
    group: str
    artifact: str
    version: str
    classifier: str
    extension: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        """The file's name in a Maven repository."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.extension}"

    @property
    def url_path(self) -> str:
        """The file's path in a Maven repository."""
        return "/".join((self.group.replace(".", "/"), self.artifact, self.version, self.filename))

    @property
    def is_archive(self) -> bool:
        """True when the file must be unpacked."""
        return self.extension == "tar.gz"

    @property
    def folder(self) -> str:
        """The name of the folder of an unpacked archive."""
        return self.filename.removesuffix(".tar.gz")


def locked(sets: Sequence[str] = SETS, *, lock: Path = LOCK_FILE) -> tuple[LockedJar, ...]:
    """The locked files of these sets."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["jar"]
    return tuple(jar for jar in (LockedJar(**entry) for entry in entries) if jar.set in sets)


def fetch(
    home: Path,
    *,
    maven_url: str | None = None,
    sets: Sequence[str] = SETS,
    progress: bool = True,
    lock: Path = LOCK_FILE,
) -> Jars:
    """Download the jars that are missing or wrong, and return the paths of all.

    Args:
        home: The state folder; the jars go to ``<home>/jars``.
        maven_url: A mirror of Maven Central; None means Maven Central itself.
        sets: Which of ``SETS`` are needed.
        progress: During a download, show a bar over all bytes on the terminal (standard error).
        lock: The lock file.

    Raises:
        DownloadError: A file cannot be fetched, or differs from the lock.
        EnvironmentProblem: The disk is full, or the folder cannot be written.
    """
    jars, folder = locked(sets, lock=lock), home / "jars"
    if _all_here(folder, jars):
        return paths(home, sets=sets, lock=lock)
    with _disk_errors(folder, jars), _fetch_lock(folder):
        missing = _missing(jars, ChecksumCache(folder))
        if missing:
            _download_all(folder, missing, maven_url=maven_url, progress=progress)
        for jar in jars:
            if jar.is_archive and not ChecksumCache(folder).is_right_in_full(jar.folder):
                _unpack(folder, jar)
    return paths(home, sets=sets, lock=lock)


def paths(home: Path, *, sets: Sequence[str] = SETS, lock: Path = LOCK_FILE) -> Jars:
    """The fetched jars of each set; for an archive, the ``*-runner.jar`` in it."""
    folder = (home / "jars").resolve()  # the class archives hold for this place, also in a folder that shares the jars
    jars = locked(sets, lock=lock)
    return {name: tuple(_path(folder, jar) for jar in jars if jar.set == name) for name in sets}


def absent(home: Path, *, sets: Sequence[str] = SETS, deep: bool = False, lock: Path = LOCK_FILE) -> tuple[str, ...]:
    """Names of the files that are missing or differ from the lock.

    Args:
        home: The state folder.
        sets: Which sets to check.
        deep: Hash every file again, instead of trusting size and modification time.
        lock: The lock file.
    """
    jars, cache = locked(sets, lock=lock), ChecksumCache(home / "jars", deep=deep)
    files = [jar.filename for jar in _missing(jars, cache)]
    folders = [jar.folder for jar in jars if jar.is_archive and not cache.is_right_in_full(jar.folder)]
    return (*files, *folders)


def _path(folder: Path, jar: LockedJar) -> Path:
    return folder / jar.folder / f"{jar.artifact}-{jar.version}-runner.jar" if jar.is_archive else folder / jar.filename


def _all_here(folder: Path, jars: Sequence[LockedJar]) -> bool:
    """True when there is nothing to do; reads and writes no jar."""
    cache = ChecksumCache(folder)
    archives = (jar for jar in jars if jar.is_archive)
    return all(cache.is_right(jar.filename, sha256=jar.sha256) for jar in jars) and all(
        cache.is_right_in_full(jar.folder) for jar in archives
    )


def _missing(jars: Sequence[LockedJar], cache: ChecksumCache) -> list[LockedJar]:
    """The files that are missing or wrong."""
    return [jar for jar in jars if not cache.turns_out_right(jar.filename, sha256=jar.sha256, size=jar.size)]


# --- download -------------------------------------------------------------------------------------------------------


def _download_all(folder: Path, missing: Sequence[LockedJar], *, maven_url: str | None, progress: bool) -> None:
    import requests

    base = (maven_url or _maven_central()).rstrip("/")
    files = [FileRequest(f"{base}/{jar.url_path}", folder / jar.filename, jar.size, jar.sha256) for jar in missing]
    _check_free_space(folder, missing)
    cache = ChecksumCache(folder)
    for file in files:
        if file.target.exists():
            _print(f"{file.target} is damaged and is downloaded again", visible=progress)
    with _progress_bar(files, visible=progress) as on_bytes, requests.Session() as session:
        for file in files:
            download(session, file, on_bytes=on_bytes)
            cache.remember({file.target.name: file.sha256})


def _maven_central() -> str:
    from jgo.maven import MavenContext

    return str(MavenContext().remote_repos["central"])


@contextmanager
def _progress_bar(files: Sequence[FileRequest], *, visible: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar over all bytes on standard error; standard output is for results."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not visible) as progress:
        task = progress.add_task(f"fetching {len(files)} Java files", total=sum(file.size for file in files))
        yield lambda count: progress.update(task, advance=count)


def _print(text: str, *, visible: bool) -> None:
    from rich.console import Console

    Console(stderr=True, quiet=not visible, highlight=False).print(text)


# --- archives -------------------------------------------------------------------------------------------------------


def _unpack(folder: Path, jar: LockedJar) -> None:
    """Unpack into a draft folder and rename it, so that the final folder is complete or absent."""
    draft, final = folder / f"{jar.folder}.part", folder / jar.folder
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with tarfile.open(folder / jar.filename) as archive:
            _check_members(archive, draft)
            # Python 3.11.0 to 3.11.3 have no filters; the check above and the checksum in the lock must do.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(draft)
    except (tarfile.TarError, OSError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DownloadError(f"{jar.filename} cannot be unpacked ({error})", cure="delete it, then try again") from error
    if not (draft / _path(folder, jar).name).is_file():
        shutil.rmtree(draft)
        raise DownloadError(f"{jar.filename} holds no {_path(folder, jar).name}", cure="report it: the lock is wrong")
    shutil.rmtree(final, ignore_errors=True)
    draft.replace(final)
    ChecksumCache(folder).remember_all(path for path in final.rglob("*") if path.is_file())


def _check_members(archive: tarfile.TarFile, folder: Path) -> None:
    for member in archive.getmembers():
        if not (folder / member.name).resolve().is_relative_to(folder.resolve()):
            raise tarfile.TarError(f"{member.name} would be written outside its folder")


# --- the disk -------------------------------------------------------------------------------------------------------


@contextmanager
def _fetch_lock(folder: Path) -> Iterator[None]:
    """One process at a time; a second process waits and then finds the files."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "fetch.lock"):
        yield


def _bytes_needed(folder: Path, missing: Sequence[LockedJar]) -> int:
    """Bytes still to be written: the missing files without their part files, plus room to unpack an archive."""
    here = (FileRequest("", folder / jar.filename, jar.size, jar.sha256).bytes_here for jar in missing)
    return sum(jar.size * (2 if jar.is_archive else 1) for jar in missing) - sum(here)


def _check_free_space(folder: Path, missing: Sequence[LockedJar]) -> None:
    if shutil.disk_usage(folder).free < _bytes_needed(folder, missing):
        raise OSError(errno.ENOSPC, "too little space")


@contextmanager
def _disk_errors(folder: Path, jars: Sequence[LockedJar]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            for part in folder.glob("*.part"):  # half-written files would keep the disk full
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            missing = [jar for jar in jars if not (folder / jar.filename).exists()]
            megabytes = -(-_bytes_needed(folder, missing) // MEGABYTE)
            raise EnvironmentProblem(
                f"the disk of {folder} is full: {megabytes} MB are needed for the Java files",
                cure="free that much space, or set RTLIB_HOME to a folder on a larger disk",
            ) from error
        raise EnvironmentProblem(
            f"{folder} cannot be written ({error.strerror or error})",
            cure="make it writable, or set RTLIB_HOME to a folder that is",
        ) from error
