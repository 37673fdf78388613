"""Class archive: the classes of a JVM as an earlier run had loaded them, so that the next one starts faster.

Java calls this class-data sharing. A JVM without an archive lists the classes that it loads; from that list
``services.archive_maker`` makes the archive, which later starts load. An archive holds for one Java and the jars of one
class path. Java crashes on a truncated archive, so a file is used only if Java has accepted it and it has not changed
since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rtlib import private

FORMAT = 2  # a new number makes new archives
# Java's own archive. A Java without it can neither make nor use ours.
BASES = ("lib/server/classes.jsa", "bin/server/classes.jsa")
SILENT = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off")
MOST_FAILURES = 3  # after it no archive is made for this Java and these jars


@dataclass(frozen=True, slots=True)
class Jvm:
    """A JVM as far as its archive depends on it.

    Attributes:
        name: With it the names of its files begin.
        java: The ``java`` executable in its own home.
        class_path: The jars in their order; a folder stands for the jars in it, in the folder's own order.
    """

    name: str
    java: Path
    class_path: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of an archive, in a file beside it and, while it is missing, beside the list of its classes.

    Attributes:
        archive: Its path.
        java: The executable that makes it.
        class_path: The class path for which it is made.
        state: Size in bytes and modification time in ns of the archive that Java has accepted; empty before.
        failures: How often no archive could be made from a list.
    """

    archive: str
    java: str
    class_path: tuple[str, ...]
    state: tuple[int, ...] = ()
    failures: int = 0


def options(home: Path, jvm: Jvm, *, record: bool) -> tuple[str, ...]:
    """Java options that load the archive of a JVM or, with ``record``, list its classes if there is none.

    Nothing that is wrong with an archive raises an error: the JVM then starts without.

    Args:
        home: The state folder; archives are beside its jars, which a reset keeps.
        jvm: Which JVM.
        record: False for a JVM that only loads.
    """
    with suppress(OSError):
        key = _key(jvm)
        if key is None:
            return ()
        archive = folder(home) / f"{jvm.name}-{key}.jsa"
        if _is_usable(archive, jvm.class_path):
            return (f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", *SILENT)
        if record and (classes := _begin(home, jvm, archive)):
            return (f"-XX:DumpLoadedClassList={classes}", *SILENT)
    return ()


def folder(home: Path) -> Path:
    """The folder of the archives of a state folder."""
    return (home / "jars").resolve() / "class-archives"


def lists(home: Path) -> Path:
    """The folder of the lists of classes; each has a record beside it."""
    return home / "class-lists"


def read(path: Path) -> Record | None:
    """The record beside an archive or a list; None if it is missing or torn."""
    try:
        record = Record(**json.loads(path.with_suffix(".json").read_text()))
        return replace(record, class_path=tuple(record.class_path), state=tuple(record.state))
    except (OSError, ValueError, TypeError):
        return None


def write(path: Path, record: Record) -> None:
    """Write the record beside an archive or a list."""
    private.write(path.with_suffix(".json"), json.dumps(asdict(record)))


def state(path: Path) -> tuple[int, ...]:
    """Size in bytes and modification time in ns."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _key(jvm: Jvm) -> str | None:
    """Identifies a Java and the files of a class path, wherever they are; None if this Java can use no archive."""
    base = next((path for name in BASES if (path := jvm.java.parent.parent / name).is_file()), None)
    if base is None:
        return None
    files = [(path.name, *state(path)) for path in (base, *_jars(jvm.class_path))]
    return hashlib.sha256(json.dumps([FORMAT, str(jvm.java), files]).encode()).hexdigest()[:16]


def _jars(class_path: Iterable[Path]) -> Iterator[Path]:
    """Each jar. Java takes those of a folder in the folder's own order, so they are not sorted."""
    for path in class_path:
        yield from (jar for jar in path.iterdir() if jar.suffix == ".jar") if path.is_dir() else (path,)


def _is_usable(archive: Path, class_path: tuple[Path, ...]) -> bool:
    """True when neither the archive nor the place of its jars has changed since Java accepted it.

    Java ignores an archive whose jars have another path, unless both paths lead to the same file (hard links).
    """
    record = read(archive)
    if record is None or len(record.class_path) != len(class_path):
        return False
    places = zip(record.class_path, class_path, strict=True)
    try:
        return record.state == state(archive) and all(Path(place).samefile(path) for place, path in places)
    except OSError:  # the archive or a jar is no longer there
        return False


def _begin(home: Path, jvm: Jvm, archive: Path) -> Path | None:
    """The list that the JVM shall write, after its record; None after too many failures."""
    classes = private.make_folder(lists(home)) / f"{jvm.name}.classes"
    record = Record(str(archive), str(jvm.java), tuple(str(path.absolute()) for path in jvm.class_path))
    known = read(classes)
    if known and known.archive == record.archive and known.class_path == record.class_path:
        record = replace(record, failures=known.failures)
    write(classes, record)
    for unusable in (archive, archive.with_suffix(".json")):
        unusable.unlink(missing_ok=True)
    return classes if record.failures < MOST_FAILURES else None
