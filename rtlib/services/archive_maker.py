"""Archive maker: makes the class archives that the running JVMs lack, from the lists of their classes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rtlib import class_archive, private
from rtlib.class_archive import SILENT, Record

# Runs a command to its end and returns its exit code.
Run = Callable[[tuple[str, ...]], int]
# The collector of our JVMs; another would archive objects too, which they could not use. A crash leaves no report.
QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+SuppressFatalErrorMessage", *SILENT)
DUMP = ("-Xshare:dump", "-Xmx96m", *QUICK)
CHECK = ("-Xshare:on", "-XX:+VerifySharedSpaces", "-Xmx64m", *QUICK)


def missing(home: Path) -> list[Path]:
    """The lists of classes for which there is no archive yet."""
    return [path for path in sorted(class_archive.lists(home).glob("*.classes")) if _is_open(path)]


def make(classes: Path, *, run: Run) -> bool:
    """Make an archive from a list of classes; False if Java made none that it accepts.

    Java takes some seconds of a processor, and compares all checksums before the archive is used.

    Args:
        classes: The list; its JVM may still write to it.
        run: Runs Java.

    Raises:
        OSError: The disk is full.
    """
    record = class_archive.read(classes)
    if record is None:
        return False
    archive = Path(record.archive)
    draft, copy = archive.with_suffix(".jsa.part"), classes.with_suffix(".part")
    private.make_folder(archive.parent)
    try:
        copy.write_bytes(_whole_lines(classes))
        done = run(_dump(record, copy, draft)) == 0 and draft.exists() and run(_check(record, draft)) == 0
        if done:
            _publish(record, draft, archive)
        else:
            class_archive.write(classes, replace(record, failures=record.failures + 1))
        return done
    finally:
        copy.unlink(missing_ok=True)
        draft.unlink(missing_ok=True)


def _is_open(classes: Path) -> bool:
    record = class_archive.read(classes)
    if record is None or record.failures >= class_archive.MOST_FAILURES:
        return False
    made = class_archive.read(Path(record.archive))
    return made is None or not made.state


def _whole_lines(classes: Path) -> bytes:
    content = classes.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _dump(record: Record, classes: Path, draft: Path) -> tuple[str, ...]:
    files = (f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={draft}")
    return (record.java, *DUMP, *files, "-cp", _class_path(record))


def _check(record: Record, draft: Path) -> tuple[str, ...]:
    return (record.java, *CHECK, f"-XX:SharedArchiveFile={draft}", "-cp", _class_path(record), "-version")


def _class_path(record: Record) -> str:
    return os.pathsep.join(f"{path}{os.sep}*" if Path(path).is_dir() else path for path in record.class_path)


def _publish(record: Record, draft: Path, archive: Path) -> None:
    """Put the archive in its place, and remove those of an earlier Java or of earlier jars."""
    draft.chmod(private.FILE_MODE)
    private.sync_file(draft)
    draft.replace(archive)
    class_archive.write(archive, replace(record, state=class_archive.state(archive), failures=0))
    name = archive.stem.rpartition("-")[0]
    for old in archive.parent.glob(f"{name}-*"):
        if old.stem != archive.stem:
            with suppress(OSError):
                old.unlink()
