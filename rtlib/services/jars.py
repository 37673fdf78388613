"""Jars: the Java parts of the local stack, from Maven Central, exactly as the lock names them.

``fetch`` downloads what is missing into ``<home>/jars`` and is silent and quick, without a request, when nothing is.
A file that was hashed once is known by its size and time of change, so that a start need not read 160 MB again.
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
from rtlib.services.download import Wanted, download

LOCK_FILE = Path(__file__).with_name("jars.lock.toml")
SETS = ("kafka", "registry", "spark")
MEGABYTE = 1024 * 1024

Jars: TypeAlias = Mapping[str, tuple[Path, ...]]
"""Paths by set: Kafka's class path, the registry's runner jar, Spark's connector."""


@dataclass(frozen=True, slots=True, order=True)
class LockedJar:
    """One file of the lock, by its Maven coordinates, with its size in bytes and its checksum."""

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
        """The file's name, as Maven makes it."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{classifier}.{self.extension}"

    @property
    def url_path(self) -> str:
        """Where the file is in a Maven repository."""
        return "/".join((self.group.replace(".", "/"), self.artifact, self.version, self.filename))

    @property
    def is_archive(self) -> bool:
        """True when the file has to be unpacked."""
        return self.extension == "tar.gz"

    @property
    def folder(self) -> str:
        """Where an archive is unpacked to."""
        return self.filename.removesuffix(".tar.gz")


def locked(sets: Sequence[str] = SETS, *, lock: Path = LOCK_FILE) -> tuple[LockedJar, ...]:
    """What the lock names for these sets."""
    entries = tomllib.loads(lock.read_text(encoding="utf-8"))["jar"]
    return tuple(one for one in (LockedJar(**entry) for entry in entries) if one.set in sets)


def fetch(
    home: Path,
    *,
    maven_url: str | None = None,
    sets: Sequence[str] = SETS,
    progress: bool = True,
    lock: Path = LOCK_FILE,
) -> Jars:
    """Make sure that the jars are here and are the right ones, and say where.

    Args:
        home: The state folder; the jars go to ``<home>/jars``.
        maven_url: A mirror of Maven Central; None means Maven Central itself.
        sets: Which of ``SETS`` are needed.
        progress: Show one bar over all bytes on the terminal (standard error), if anything is downloaded.
        lock: The lock to follow.

    Raises:
        DownloadError: A file cannot be fetched, or is not the one in the lock.
        EnvironmentProblem: The disk is full or the folder cannot be written.
    """
    wanted, folder = locked(sets, lock=lock), home / "jars"
    if _all_here(folder, wanted):
        return paths(home, sets=sets, lock=lock)
    with _troubles_of_the_disk(folder, wanted), _alone(folder):
        lacking = _lacking(wanted, ChecksumCache(folder))
        if lacking:
            _download_all(folder, lacking, maven_url=maven_url, progress=progress)
        for one in wanted:
            if one.is_archive and not ChecksumCache(folder).is_right_in_full(one.folder):
                _unpack(folder, one)
    return paths(home, sets=sets, lock=lock)


def paths(home: Path, *, sets: Sequence[str] = SETS, lock: Path = LOCK_FILE) -> Jars:
    """Where the jars of each set are, once fetched; an archive stands for the ``*-runner.jar`` in it."""
    folder = home / "jars"
    every = locked(sets, lock=lock)
    return {name: tuple(_path(folder, one) for one in every if one.set == name) for name in sets}


def absent(home: Path, *, sets: Sequence[str] = SETS, deep: bool = False, lock: Path = LOCK_FILE) -> tuple[str, ...]:
    """Names of the files that are missing or are not what the lock says.

    Args:
        home: The state folder.
        sets: Which sets to look at.
        deep: Read every byte again, instead of trusting size and time of change.
        lock: The lock to follow.
    """
    wanted, verified = locked(sets, lock=lock), ChecksumCache(home / "jars", deep=deep)
    files = [one.filename for one in _lacking(wanted, verified)]
    folders = [one.folder for one in wanted if one.is_archive and not verified.is_right_in_full(one.folder)]
    return (*files, *folders)


def _path(folder: Path, one: LockedJar) -> Path:
    return folder / one.folder / f"{one.artifact}-{one.version}-runner.jar" if one.is_archive else folder / one.filename


def _all_here(folder: Path, wanted: Sequence[LockedJar]) -> bool:
    """True when nothing has to be done; reads no file and writes none."""
    verified = ChecksumCache(folder)
    archives = (one for one in wanted if one.is_archive)
    return all(verified.is_right(one.filename, sha256=one.sha256) for one in wanted) and all(
        verified.is_right_in_full(one.folder) for one in archives
    )


def _lacking(wanted: Sequence[LockedJar], verified: ChecksumCache) -> list[LockedJar]:
    """The files that are missing or wrong."""
    return [one for one in wanted if not verified.turns_out_right(one.filename, sha256=one.sha256, size=one.size)]


# --- download -------------------------------------------------------------------------------------------------------


def _download_all(folder: Path, lacking: Sequence[LockedJar], *, maven_url: str | None, progress: bool) -> None:
    import requests

    base = (maven_url or _maven_central()).rstrip("/")
    files = [Wanted(f"{base}/{one.url_path}", folder / one.filename, one.size, one.sha256) for one in lacking]
    _refuse_a_small_disk(folder, lacking)
    verified = ChecksumCache(folder)
    for one in files:
        if one.target.exists():
            _say(f"{one.target} is damaged: it is fetched again", shown=progress)
    with _bar(files, shown=progress) as on_bytes, requests.Session() as session:
        for one in files:
            download(session, one, on_bytes=on_bytes)
            verified.remember({one.target.name: one.sha256})


def _maven_central() -> str:
    from jgo.maven import MavenContext

    return str(MavenContext().remote_repos["central"])


@contextmanager
def _bar(files: Sequence[Wanted], *, shown: bool) -> Iterator[Callable[[int], None]]:
    """One progress bar over all bytes, on standard error so that standard output stays for results."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not shown) as progress:
        task = progress.add_task(f"fetching {len(files)} Java files", total=sum(one.size for one in files))
        yield lambda count: progress.update(task, advance=count)


def _say(text: str, *, shown: bool) -> None:
    from rich.console import Console

    Console(stderr=True, quiet=not shown, highlight=False).print(text)


# --- archives -------------------------------------------------------------------------------------------------------


def _unpack(folder: Path, one: LockedJar) -> None:
    """Unpack beside, then rename: the folder is there in full or not at all."""
    draft, final = folder / f"{one.folder}.part", folder / one.folder
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with tarfile.open(folder / one.filename) as archive:
            _stays_inside(archive, draft)
            # Python 3.11.0 to 3.11.3 have no filters; there this and the checksum in the lock have to do.
            archive.extraction_filter = getattr(tarfile, "data_filter", None)
            archive.extractall(draft)
    except (tarfile.TarError, OSError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DownloadError(f"{one.filename} cannot be unpacked ({error})", cure="delete it, then try again") from error
    if not (draft / _path(folder, one).name).is_file():
        shutil.rmtree(draft)
        raise DownloadError(f"{one.filename} holds no {_path(folder, one).name}", cure="report it: the lock is wrong")
    shutil.rmtree(final, ignore_errors=True)
    draft.replace(final)
    ChecksumCache(folder).remember_all(path for path in final.rglob("*") if path.is_file())


def _stays_inside(archive: tarfile.TarFile, folder: Path) -> None:
    for member in archive.getmembers():
        if not (folder / member.name).resolve().is_relative_to(folder.resolve()):
            raise tarfile.TarError(f"{member.name} would be written outside its folder")


# --- the disk -------------------------------------------------------------------------------------------------------


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; a second one waits and then finds the files here."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "fetch.lock"):
        yield


def _needed(folder: Path, lacking: Sequence[LockedJar]) -> int:
    """Bytes still to be written: what is to be fetched, less what is kept of it, and room to unpack an archive."""
    kept = (Wanted("", folder / one.filename, one.size, one.sha256).had for one in lacking)
    return sum(one.size * (2 if one.is_archive else 1) for one in lacking) - sum(kept)


def _refuse_a_small_disk(folder: Path, lacking: Sequence[LockedJar]) -> None:
    if shutil.disk_usage(folder).free < _needed(folder, lacking):
        raise OSError(errno.ENOSPC, "too little space")


@contextmanager
def _troubles_of_the_disk(folder: Path, wanted: Sequence[LockedJar]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            for part in folder.glob("*.part"):  # what is half-written would keep the disk full
                shutil.rmtree(part) if part.is_dir() else part.unlink()
            lacking = [one for one in wanted if not (folder / one.filename).exists()]
            megabytes = -(-_needed(folder, lacking) // MEGABYTE)
            raise EnvironmentProblem(
                f"the disk of {folder} is full: {megabytes} MB are needed for the Java files",
                cure="free that much, or set RTLIB_HOME to a folder on a larger disk",
            ) from error
        raise EnvironmentProblem(
            f"{folder} cannot be written ({error.strerror or error})",
            cure="make it writable, or set RTLIB_HOME to a folder that is",
        ) from error
